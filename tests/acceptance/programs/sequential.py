"""Steps one after the other, with everything that is recorded beside them: randomness, side effects, patches."""

from __future__ import annotations

import asyncio

import aion
from aion.testing.crash import Effect, Expected, LoggedClient, Program, main, record_effect

STEPS = 6
RUNS = ("first", "second", "third")


@aion.activity
async def add(total: int, number: int) -> Effect:
    """One step."""
    return record_effect(total + number)


@aion.activity
async def keep(number: int) -> Effect:
    """Takes a random number: another one on replay would be another argument, and block the run."""
    return record_effect(number)


@aion.workflow
async def count(steps: int) -> dict[str, int | bool]:
    """Adds up, step by step."""
    total = aion.side_effect(lambda: 1000)
    for number in range(steps):
        total = (await add(total, number)).value
    rolled = aion.random().randrange(10**9)
    kept = (await keep(rolled)).value
    if aion.patched("doubled"):
        total *= 2
    await add(total, aion.now().year)
    return {"total": total, "same": kept == rolled}


async def drive(client: LoggedClient) -> None:
    """Start all, wait for all."""
    await asyncio.gather(*(client.start(f"start {id}", lambda: count(STEPS), id=id) for id in RUNS))
    await asyncio.gather(*(client.result(id) for id in RUNS))


def expected() -> Expected:
    """What adding up gives."""
    return {id: [["completed", {"total": 2 * (1000 + sum(range(STEPS))), "same": True}]] for id in RUNS}


PROGRAM = Program([count, add, keep], drive, expected)

if __name__ == "__main__":
    main(PROGRAM)
