"""Timers: one after the other, several at once, and a lease that is renewed while they run."""

from __future__ import annotations

import asyncio

import aion
from aion.testing.crash import Effect, Expected, LoggedClient, Program, main, record_effect

RUNS = ("early", "late")


@aion.activity
async def mark(name: str) -> Effect:
    """A step between two pauses."""
    return record_effect(name)


@aion.workflow
async def pause() -> list[str]:
    """Sleeps, and tells in which order it woke up."""
    seen: list[str] = []

    async def nap(name: str, seconds: float) -> None:
        await asyncio.sleep(seconds)
        seen.append(name)

    before = aion.now()
    await aion.sleep("20ms")
    slept = (aion.now() - before).total_seconds()
    seen.append("in time" if slept >= 0.02 else f"early: {slept}")
    seen.append((await mark("marked")).value)
    await asyncio.gather(nap("long", 0.06), nap("short", 0.02), nap("none", 0))
    return seen


async def drive(client: LoggedClient) -> None:
    """Start all, wait for all."""
    await asyncio.gather(*(client.start(f"start {id}", lambda: pause(), id=id) for id in RUNS))
    await asyncio.gather(*(client.result(id) for id in RUNS))


def expected() -> Expected:
    """Timers wake in the order in which they are due."""
    return {id: [["completed", ["in time", "marked", "none", "short", "long"]]] for id in RUNS}


PROGRAM = Program([pause, mark], drive, expected, {"lease_ttl": 0.09})

if __name__ == "__main__":
    main(PROGRAM)
