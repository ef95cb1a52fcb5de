"""Recorded histories against the code that is there now."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

import aion
from aion import testing
from aion.errors import InvalidInput, NonDeterminism
from aion.testing import History
from tests.runtime.worlds import run, seen

go = aion.Signal("go")
LARGE = 123_456_789_012_345_678_901_234_567_890


@aion.activity
async def charge(amount: int) -> Any:
    """Give back odd values."""
    return {"amount": amount, "large": LARGE, "float": 1e22, "zero": -0.0, "text": "ünï \N{ROCKET}", "nul": "\0"}


@aion.workflow
async def order(amount: int) -> Any:
    """Pay, wait, and pay with what was paid."""
    paid = await charge(amount)
    await asyncio.sleep(1.5)
    again = await charge(paid["large"])
    await go.receive()
    return again


@aion.workflow(name="order")
async def changed(amount: int) -> Any:
    """Pay something else."""
    return await charge(amount + 1)


async def recorded(amount: int = 7) -> tuple[History, History]:
    """A history in the middle of a run, and at its end."""
    async with testing.engine(register=[order, charge]) as engine:
        handle = await engine.start(order(amount), id="o", attributes={"customer": "ada"}, summary="one")
        await seen(handle, "TimerStarted")
        middle = await handle.history()
        await handle.signal(go)
        await handle.result()
        return middle, await handle.history()


def test_the_code_that_recorded_a_history_replays_it() -> None:
    """In the middle and at its end, with values of any size, as it is and through a document."""
    for history in run(recorded):
        testing.replay(history, order)
        testing.replay(History.from_json(history.to_json()), order)


def test_changed_code_is_found() -> None:
    """The first difference is named, with its place, its line and both commands."""
    for history in run(recorded):
        with pytest.raises(NonDeterminism) as caught:
            testing.replay(history, changed)

        assert caught.value.seq == 2
        assert "input=7" in caught.value.recorded
        assert "input=8" in caught.value.attempted
        assert "testing/test_replayer.py:" in caught.value.attempted


def test_replaying_does_nothing_else() -> None:
    """No activity runs, nothing is logged, and the workflow's code is ended."""
    calls: list[int] = []

    @aion.activity
    async def counted() -> None:
        calls.append(1)

    @aion.workflow
    async def counting() -> None:
        try:
            await counted()
            await go.receive()
        finally:
            await counted()

    async def main() -> History:
        async with testing.engine(register=[counting, counted]) as engine:
            handle = await engine.start(counting())
            await seen(handle, "ActivityCompleted")
            return await handle.history()

    history = run(main)
    testing.replay(history, counting)

    assert calls == [1]


@pytest.mark.parametrize("damage", ["empty", "beginning", "gap", "unknown", "fields"])
def test_what_is_no_whole_history_is_refused(damage: str) -> None:
    """With a typed error that says what a history is."""
    _, history = run(recorded)
    events = list(history)
    match damage:
        case "empty":
            events = []
        case "beginning":
            events = events[1:]
        case "gap":
            del events[3]
        case "unknown":
            events[3] = type(events[3])(4, "FromTheFuture", events[3].time, {})
        case "fields":
            events[3] = type(events[3])(4, events[3].type, events[3].time, {"nonsense": 1})
    with pytest.raises((InvalidInput, aion.StoreCorrupt, NonDeterminism)):
        testing.replay(History(events), order)


def test_a_blocked_and_terminated_history_replays() -> None:
    """What the engine recorded of its own accord is passed over."""

    async def main() -> History:
        async with testing.engine(register=[order, charge]) as engine:
            handle = await engine.start(order(7), id="o")
            await seen(handle, "TimerStarted")
            await engine.register(changed)
            await handle.signal(go)
            await seen(handle, "WorkflowBlocked")
            await handle.terminate()
            return await handle.history()

    history = run(main)

    assert [event.type for event in history][-3:] == ["WorkflowBlocked", "SignalReceived", "WorkflowTerminated"]
    testing.replay(history, order)
