"""Deadlines: steps that are too slow are given up, those that are in time disarm the timer."""

from __future__ import annotations

import asyncio

import aion
from aion.testing.crash import Effect, Expected, LoggedClient, Program, main, record_effect


@aion.activity
async def quick(number: int) -> Effect:
    """Always in time."""
    return record_effect(number)


@aion.activity
async def endless() -> Effect:
    """Never in time."""
    effect = record_effect()
    await asyncio.sleep(3600)
    return effect


@aion.workflow
async def hurry() -> list[int | str]:
    """Says what was in time."""
    seen: list[int | str] = []
    try:
        async with asyncio.timeout(0.04):
            await endless()
    except TimeoutError:
        seen.append("timeout")
    async with asyncio.timeout(3600):
        seen.append((await quick(1)).value)
    try:
        await asyncio.wait_for(endless(), 0.02)
    except TimeoutError:
        seen.append("wait_for")
    winner, effect = await aion.race(endless(), quick(2))
    seen += [winner, effect.value]
    try:
        await endless.options(timeout="20ms", retry=aion.Retry(max_attempts=2, initial="5ms"))()
    except aion.ActivityFailed as error:
        seen += [error.kind, error.attempt]
    return seen


async def drive(client: LoggedClient) -> None:
    """Start, wait."""
    await client.start("start hurry", lambda: hurry(), id="hurry")
    await client.result("hurry")


def expected() -> Expected:
    """A crash takes time, but none of these outcomes hangs on how much."""
    return {"hurry": [["completed", ["timeout", 1, "wait_for", 1, 2, "timeout", 2]]]}


PROGRAM = Program([hurry, quick, endless], drive, expected)

if __name__ == "__main__":
    main(PROGRAM)
