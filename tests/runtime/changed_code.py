"""A workflow, the ways in which its code may be changed while a run of it waits, and engines with either code."""

from __future__ import annotations

import asyncio
from typing import Any

import aion
from aion import testing
from tests.runtime.worlds import LastingStore, seen

go = aion.Signal("go")
item = aion.Signal("item", int)
CALLS: list[str] = []
"""What activities were called with; tests that use it empty it first."""


@aion.activity
async def charge(amount: int) -> int:
    """Charge."""
    CALLS.append(f"charge {amount}")
    return amount


@aion.activity
async def ship(amount: int) -> int:
    """Ship."""
    CALLS.append(f"ship {amount}")
    return amount


@aion.workflow(name="order")
async def original(number: int) -> list[int]:
    """An activity, a timer, then what signals say, and an activity at the end."""
    got = [await charge(number)]
    await asyncio.sleep(60)
    await go.receive()
    async for value in item:
        if value == 0:
            break
        got.append(value)
    return [*got, await ship(number)]


async def left_waiting() -> LastingStore:
    """A store with a run of the original that waits for its signals; its engine was closed."""
    store = LastingStore()
    async with engine_with(original, store=store) as engine:
        handle = await engine.start(original(7), id="o")
        await seen(handle, "ActivityCompleted")
        await engine.advance("2m")
    return store


def engine_with(*definitions: Any, store: LastingStore, **options: Any) -> testing.TestEngine:
    """An engine with this code."""
    return testing.engine(register=[*definitions, charge, ship], store=store, **options)


def changed(body: Any) -> Any:
    """Other code under the same name."""
    return aion.workflow(name="order")(body)


# ── other code ───────────────────────────────────────────────────────────────────────────────────


async def other_name(number: int) -> list[int]:
    """Another activity comes first."""
    return [await ship(number)]


async def other_argument(number: int) -> list[int]:
    """The first activity is given something else."""
    return [await charge(number + 1)]


async def other_delay(number: int) -> list[int]:
    """The timer takes longer."""
    await charge(number)
    await asyncio.sleep(61)
    return []


async def other_order(number: int) -> list[int]:
    """The timer comes first."""
    await asyncio.sleep(60)
    return [await charge(number)]


async def removed(number: int) -> list[int]:
    """There is no timer."""
    await charge(number)
    await go.receive()
    return []


async def added(number: int) -> list[int]:
    """One more activity comes first."""
    await ship(0)
    await charge(number)
    await asyncio.sleep(60)
    return []


async def ended(number: int) -> list[int]:
    """It ends after the first activity."""
    return [await charge(number)]


async def failed(number: int) -> list[int]:
    """It fails after the first activity."""
    await charge(number)
    raise ValueError("a bug")
