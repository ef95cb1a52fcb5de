"""Runs whose code no longer fits, or is not there: blocked, with nothing lost."""

from __future__ import annotations

import asyncio
import logging
import re
from typing import Any

import pytest

import aion
from aion import testing
from aion._runtime import residency
from aion.errors import InvalidState, LimitExceeded, WorkflowCancelled, WorkflowTerminated
from aion.testing import VirtualClock
from tests.runtime.changed_code import (
    CALLS,
    added,
    changed,
    ended,
    engine_with,
    failed,
    go,
    item,
    left_waiting,
    original,
    other_argument,
    other_delay,
    other_name,
    other_order,
    removed,
)
from tests.runtime.worlds import LastingStore, eventually, run, scheduler_of, seen, shape, types

asked = aion.Query("asked", str)

CHANGES: dict[str, tuple[Any, str, str]] = {
    "another name": (other_name, "ActivityScheduled(name=charge, id=1, input=7)", "ScheduleActivity(name=ship, id=1"),
    "another argument": (
        other_argument,
        "ActivityScheduled(name=charge",
        "ScheduleActivity(name=charge, id=1, input=8)",
    ),
    "another delay": (other_delay, "TimerStarted(id=2, delay=60s)", "ArmTimer(id=2, delay=61s)"),
    "another order": (other_order, "ActivityScheduled(name=charge", "ArmTimer(id=1, delay=60s)"),
    "a command less": (removed, "TimerStarted(id=2, delay=60s)", "nothing: the code waits for something else"),
    "a command more": (added, "ActivityScheduled(name=charge", "ScheduleActivity(name=ship, id=1, input=0)"),
    "an earlier end": (ended, "TimerStarted(id=2, delay=60s)", "WorkflowCompleted()"),
    "a bug": (failed, "TimerStarted(id=2, delay=60s)", "WorkflowFailed() with ValueError: a bug"),
}
PLACE = re.compile(r" at runtime/changed_code\.py:\d+")


# ── what blocks ──────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("what", CHANGES)
def test_any_difference_blocks_the_run_and_records_nothing_else(what: str) -> None:
    """The block names both commands with file and line; the input that met it waits in the inbox; nothing was done."""
    body, recorded, attempted = CHANGES[what]

    async def main() -> None:
        store = await left_waiting()
        CALLS.clear()
        async with engine_with(changed(body), store=store) as engine:
            handle = engine.get("o")
            before = await handle.history()
            await handle.signal(go)
            described = await handle.describe()
            after = await handle.history()
            (number,) = (record.run for record in store.blocked_runs(0, -1, 9))

            assert list(after[:-1]) == list(before)
            assert after[-1].type == "WorkflowBlocked"
            block = after[-1].data
            assert block["reason"] == "nondeterminism"
            assert block["recorded"].startswith(recorded)
            assert block["attempted"].startswith(attempted)
            assert PLACE.search(block["recorded"])
            if "(" in attempted and not attempted.startswith("Workflow"):
                assert PLACE.search(block["attempted"])
            assert described.status == "blocked"
            assert described.blocked_reason is not None
            assert "nondeterminism" in described.blocked_reason
            assert [row.kind for row in store.inbox(number)] == ["input"]
            assert CALLS == []

    run(main)


def test_a_run_is_looked_at_only_when_something_happens_to_it() -> None:
    """Opening an engine with other code neither loads nor blocks runs that wait."""

    async def main() -> None:
        store = await left_waiting()
        async with engine_with(changed(ended), store=store) as engine:
            await asyncio.sleep(0.01)

            assert (await engine.get("o").describe()).status == "running"
            assert scheduler_of(engine).residency.replays == 0

    run(main)


def test_a_blocked_run_blocks_nobody_else() -> None:
    """Another run of the same type starts and ends under the new code."""

    async def main() -> None:
        store = await left_waiting()
        async with engine_with(changed(ended), store=store) as engine:
            await engine.get("o").signal(go)

            assert await engine.execute(engine_definition(engine)(3)) == [3]
            assert (await engine.get("o").describe()).status == "blocked"

    run(main)


def engine_definition(engine: testing.TestEngine) -> Any:
    """The code of `order` that an engine has."""
    return engine._registry.workflows["order"]


def test_missing_code_blocks_a_run_when_something_happens_to_it() -> None:
    """The message says what to register; with the code it goes on."""

    async def main() -> None:
        store = await left_waiting()
        async with engine_with(store=store) as engine:
            handle = engine.get("o")
            await handle.signal(go)
            described = await handle.describe()
            with pytest.raises(InvalidState, match="is blocked"):
                await handle.query(asked)

            assert described.status == "blocked"
            assert (await handle.history())[-1].data["reason"] == "missing code"
            assert "'order' is not registered" in (await handle.history())[-1].data["message"]
            await engine.register(original)
            await handle.signal(item, 0)
            assert await handle.result() == [7, 7]

    run(main)


# ── while it is blocked ──────────────────────────────────────────────────────────────────────────


def test_signals_to_a_blocked_run_are_accepted_once_and_delivered_in_order() -> None:
    """Each is durable when its sender is told; repeated ones count once; the code gets them in order of the acks."""

    async def main() -> None:
        store = await left_waiting()
        async with engine_with(changed(ended), store=store) as engine:
            handle = engine.get("o")
            await handle.signal(go)
            for value in range(1, 6):
                await handle.signal(item, value, request_id=f"r{value}")
                await handle.signal(item, value, request_id=f"r{value}")
        async with engine_with(changed(ended), store=store) as engine:
            for value in (5, 6):
                await engine.get("o").signal(item, value, request_id=f"r{value}")
            await engine.get("o").signal(item, 0)
        async with engine_with(original, store=store) as engine:
            handle = engine.get("o")

            assert await handle.result() == [7, 1, 2, 3, 4, 5, 6, 7]
            assert types(await handle.history())[6:] == [
                "WorkflowBlocked",
                "WorkflowUnblocked",
                *["SignalReceived"] * 8,
                "ActivityScheduled",
                "ActivityStarted",
                "ActivityCompleted",
                "WorkflowCompleted",
            ]

    run(main)


def test_the_inbox_of_a_blocked_run_is_bounded() -> None:
    """What is over the bound is refused to its sender, also by the next engine; what was acknowledged is delivered."""

    async def main() -> None:
        store = await left_waiting()
        limits = aion.Limits(unread_signals_max=3)
        async with engine_with(changed(ended), store=store, limits=limits) as engine:
            for value in (1, 2, 3):
                await engine.get("o").signal(item, value)
            with pytest.raises(LimitExceeded, match="blocked and has 3 inputs waiting"):
                await engine.get("o").signal(item, 4)
        async with engine_with(changed(ended), store=store, limits=limits) as engine:
            with pytest.raises(LimitExceeded):
                await engine.get("o").signal(item, 5)
        async with engine_with(original, store=store) as engine:
            await engine.get("o").signal(go)
            await engine.get("o").signal(item, 0)

            assert await engine.get("o").result() == [7, 1, 2, 3, 7]

    run(main)


def test_a_run_that_cannot_be_rebuilt_through_a_fault_of_ours_blocks_nobody_else(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It is blocked, its input waits, and the next engine, without the fault, lets it go on."""
    caplog.set_level(logging.CRITICAL)

    def fail(*_: object) -> None:
        raise ZeroDivisionError("a fault of ours")

    async def main() -> None:
        store = await left_waiting()
        with monkeypatch.context() as faulty:
            faulty.setattr(residency, "replay", fail)
            async with engine_with(original, store=store) as engine:
                await engine.get("o").signal(go)
                described = await engine.get("o").describe()
                restarts = engine._shards[0].restarts
        async with engine_with(original, store=store) as engine:
            await engine.get("o").signal(item, 0)
            result = await engine.get("o").result()

        assert (described.status, restarts, result) == ("blocked", 0, [7, 7])
        assert described.blocked_reason == "engine fault: ZeroDivisionError('a fault of ours')"

    run(main)


def test_a_timer_that_comes_due_while_its_run_is_blocked_is_not_lost() -> None:
    """It fires when the run goes on, once, and never before it was due."""

    async def main() -> None:
        store, clock = LastingStore(), VirtualClock()
        async with engine_with(original, store=store, clock=clock) as engine:
            handle = await engine.start(original(7), id="o")
            await seen(handle, "TimerStarted")
        async with engine_with(changed(other_name), store=store, clock=clock) as engine:
            handle = engine.get("o")
            await handle.signal(go)
            await engine.advance("10m")
            blocked = types(await handle.history())
            due = store.next_due(0)
        async with engine_with(original, store=store, clock=clock) as engine:
            handle = engine.get("o")
            await handle.signal(item, 0)

            assert await handle.result() == [7, 7]
            history = await handle.history()
        started = next(event for event in history if event.type == "TimerStarted")
        fired = [event for event in history if event.type == "TimerFired"]

        assert blocked[-1] == "WorkflowBlocked"
        assert due is None
        assert len(fired) == 1
        assert (fired[0].time - started.time).total_seconds() >= 60

    run(main)


def test_an_activity_that_reports_to_a_blocked_run_is_recorded_when_it_goes_on() -> None:
    """Its result is kept, so it is not done again."""

    async def main() -> None:
        store = LastingStore()
        release = asyncio.Event()
        calls: list[int] = []

        @aion.activity
        async def slow() -> str:
            calls.append(1)
            await release.wait()
            return "slow"

        @aion.workflow(name="slow_order")
        async def waits() -> str:
            first = asyncio.ensure_future(slow())
            await go.receive()
            return await first

        @aion.workflow(name="slow_order")
        async def otherwise() -> str:
            return await slow() + "!"

        async with testing.engine(register=[waits, slow], store=store) as engine:
            handle = await engine.start(waits(), id="o")
            await seen(handle, "ActivityStarted")
            await engine.register(otherwise)
            await handle.signal(go)
            assert (await handle.describe()).status == "blocked"
            release.set()
            await eventually(lambda: not scheduler_of(engine).residency.attempts)
            assert (await handle.describe()).status == "blocked"
            await engine.register(waits)

            assert await handle.result() == "slow"
            assert calls == [1]

    run(main)


def test_a_blocked_run_can_be_cancelled_when_it_goes_on() -> None:
    """The request waits in the inbox, in its place among the signals."""

    async def main() -> None:
        store = await left_waiting()
        async with engine_with(changed(ended), store=store) as engine:
            handle = engine.get("o")
            await handle.signal(go)
            await handle.cancel("enough")
            await handle.cancel("again")
            assert (await handle.describe()).status == "blocked"
            await engine.register(original)
            with pytest.raises(WorkflowCancelled, match="enough"):
                await handle.result()

            assert shape(await handle.history())[-4:] == [
                "WorkflowUnblocked",
                "SignalReceived name=go value=None",
                "WorkflowCancelRequested reason=enough",
                "WorkflowCancelled reason=enough",
            ]

    run(main)


@pytest.mark.parametrize("restarted", [False, True], ids=["at once", "after a restart"])
def test_a_blocked_run_can_be_terminated(restarted: bool) -> None:
    """It needs no code; what was accepted before enters the history first, and no row of the run is left behind."""

    async def main() -> None:
        store = await left_waiting()
        async with engine_with(changed(ended), store=store) as engine:
            await engine.get("o").signal(go)
            await engine.get("o").signal(item, 5)
            (number,) = (record.run for record in store.blocked_runs(0, -1, 9))
            if not restarted:
                await engine.get("o").terminate("enough")
        async with engine_with(store=store) as engine:
            handle = engine.get("o")
            if restarted:
                await handle.terminate("enough")
            with pytest.raises(WorkflowTerminated, match="enough"):
                await handle.result()

            assert shape(await handle.history())[-4:] == [
                f"WorkflowBlocked reason={'missing code' if restarted else 'nondeterminism'}",
                "SignalReceived name=go value=None",
                "SignalReceived name=item value=5",
                "WorkflowTerminated reason=enough",
            ]
            assert (store.inbox(number), store.busy_runs(0, -1, 9), store.next_due(0)) == ([], [], None)
            assert store.blocked_runs(0, -1, 9) == []

    run(main)


def test_a_blocked_run_answers_no_queries_and_says_why() -> None:
    """There is no code that fits; the block is named."""

    async def main() -> None:
        store = await left_waiting()
        async with engine_with(changed(ended), store=store) as engine:
            await engine.get("o").signal(go)
            with pytest.raises(InvalidState, match=r"blocked \(nondeterminism"):
                await engine.get("o").query(asked)

    run(main)
