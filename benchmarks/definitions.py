"""The workflows that are measured. They do as little as possible, so that what is measured is the engine."""

from __future__ import annotations

import asyncio

import aion

Payload = dict[str, object]

LONG_SECONDS = 30 * 24 * 3600
"""How long a run sleeps that is to be asleep for as long as anybody measures."""


@aion.activity
async def echo(value: Payload) -> Payload:
    """The trivial step."""
    return value


@aion.workflow
async def one_step(value: Payload) -> Payload:
    """W1: one step."""
    return await echo(value)


@aion.workflow
async def many_steps(value: Payload, count: int) -> int:
    """W2: `count` steps, each after the other."""
    for _ in range(count):
        value = await echo(value)
    return count


@aion.workflow
async def sleeper(value: Payload, seconds: float) -> None:
    """W3 and W4: one durable sleep."""
    await asyncio.sleep(seconds)


proceed: aion.Signal[bool] = aion.Signal("proceed", bool)


@aion.workflow
async def steps_then_wait(value: Payload, count: int) -> int:
    """W7: `count` steps, then the wait in which the run is left, to be rebuilt from its history."""
    for _ in range(count):
        value = await echo(value)
    await proceed.receive()
    return count


def everything() -> list[object]:
    """All of the above, in the form that `Engine(register=...)` takes."""
    return [echo, one_step, many_steps, sleeper, steps_then_wait]
