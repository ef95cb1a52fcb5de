"""Runs that meet code that does not fit: blocked, given inputs that wait, and let go by the right code."""

from __future__ import annotations

import asyncio

import aion
from aion.testing.crash import Effect, Expected, LoggedClient, Program, main, record_effect

number = aion.Signal("number", int)


@aion.activity
async def record(value: int) -> Effect:
    """A step that is over before the wrong code comes."""
    return record_effect(value)


@aion.activity
async def linger() -> Effect:
    """A step that ends while its run is blocked."""
    effect = record_effect("lingered")
    await asyncio.sleep(0.1)
    return effect


@aion.workflow(name="patient")
async def patient(count: int) -> list[int | str]:
    """The code that the runs were started with."""
    first = (await record(7)).value
    lingering = asyncio.ensure_future(linger())
    nap = asyncio.ensure_future(asyncio.sleep(0.05))
    numbers = [await number.receive() for _ in range(count)]
    await nap
    return [first, *numbers, (await lingering).value]


@aion.workflow(name="patient")
async def impostor(count: int) -> list[int | str]:
    """Code of the same name that does something else."""
    await asyncio.sleep(count)
    return []


async def drive(client: LoggedClient) -> None:
    """Load the wrong code while the runs are under way, talk to them, and load the right code again."""
    engine = client.engine
    for id in ("held", "doomed"):
        await client.start(f"start {id}", lambda: patient(3), id=id)
        await client.signal(f"0 to {id}", id, number, 0)
    await asyncio.sleep(0.02)
    await engine.register(impostor)
    await client.signal("1 to held", "held", number, 1)
    await client.signal("1 to doomed", "doomed", number, 1)
    await client.terminate("terminate doomed", "doomed")
    await asyncio.sleep(0.15)
    await engine.register(patient)
    await client.signal("2 to held", "held", number, 2)
    await asyncio.gather(client.result("held"), client.result("doomed"))


def expected() -> Expected:
    """Nothing that was sent to a blocked run is lost."""
    return {"held": [["completed", [7, 0, 1, 2, "lingered"]]], "doomed": [["terminated"]]}


PROGRAM = Program([patient, record, linger], drive, expected)

if __name__ == "__main__":
    main(PROGRAM)
