"""Starts: ids that are taken, every conflict policy, and request ids that are given again after a crash."""

from __future__ import annotations

import asyncio

import aion
from aion.testing.crash import Answer, Effect, Expected, LoggedClient, Program, main, record_effect

go = aion.Signal("go", int)
BATCH = ("batch-1", "batch-2", "batch-3", "batch-4")


@aion.activity
async def work(number: int) -> Effect:
    """One step."""
    return record_effect(number)


@aion.workflow
async def job(number: int) -> int:
    """Ends at once."""
    return int((await work(number)).value)


@aion.workflow
async def guest(number: int) -> int:
    """Stays until it is told to go."""
    return number + await go.receive()


async def drive(client: LoggedClient) -> None:
    """All policies at once, each on an id of its own."""
    await asyncio.gather(attach(client), terminate(client), restart(client), batch(client))


async def attach(client: LoggedClient) -> None:
    """The id is taken: who attaches gets the run there is, who does not gets an error."""
    first = await client.start("attach 1", lambda: guest(1), id="attach")
    second = await client.start("attach 2", lambda: guest(2), id="attach", on_conflict="attach")
    third = await client.start("attach 3", lambda: guest(3), id="attach", on_conflict="fail")
    require(second == first and third == Answer(False, "already_exists"), first, second, third)
    await client.signal("attach go", "attach", go, 10)
    await client.result("attach")


async def terminate(client: LoggedClient) -> None:
    """A running run is replaced by another."""
    first = await client.start("terminate 1", lambda: guest(1), id="terminate")
    second = await client.start("terminate 2", lambda: guest(2), id="terminate", on_conflict="terminate")
    require(first.ok and second.ok and first != second, first, second)
    await client.signal("terminate go", "terminate", go, 20)
    await client.result("terminate", second.value)


async def restart(client: LoggedClient) -> None:
    """A closed run is followed by another."""
    first = await client.start("restart 1", lambda: job(1), id="restart")
    await client.result("restart", first.value)
    second = await client.start("restart 2", lambda: job(2), id="restart", on_conflict="restart")
    require(first.ok and second.ok and first != second, first, second)
    await client.result("restart", second.value)


async def batch(client: LoggedClient) -> None:
    """Several starts are one: asked again after a crash, either all ids are taken or none is."""

    async def start_many() -> list[str | None]:
        handles = await client.engine.start_many([(job(n), {"id": id}) for n, id in enumerate(BATCH)])
        return [handle.run_id for handle in handles]

    answer = await client.ask("batch", "start_many", {}, start_many)
    require(answer.ok or answer.value == "already_exists", answer)
    await asyncio.gather(*(client.result(id) for id in BATCH))


def require(condition: bool, *answers: Answer) -> None:
    """A wrong answer ends the program, which the rig reports."""
    if not condition:
        raise AssertionError(f"these answers do not fit together: {answers}")


def expected() -> Expected:
    """One run for each start that was not refused."""
    return {
        "attach": [["completed", 11]],
        "terminate": [["terminated"], ["completed", 22]],
        "restart": [["completed", 1], ["completed", 2]],
        **{id: [["completed", n]] for n, id in enumerate(BATCH)},
    }


PROGRAM = Program([job, guest, work], drive, expected)

if __name__ == "__main__":
    main(PROGRAM)
