"""Activities when their engine closes or is killed: finished, handed out again, or lost, and never failed."""

from __future__ import annotations

import asyncio
import threading
import time
from pathlib import Path
from typing import Any

import pytest

import aion
from aion import testing
from aion.errors import WorkflowFailed
from aion.testing import VirtualClock
from tests.runtime.activity_programs import CardRefused, awaiting, failing
from tests.runtime.worlds import LastingStore, crashing, eventually, run, seen, shape, types


@pytest.mark.parametrize("file", [False, True], ids=["memory", "sqlite"])
def test_a_back_off_survives_a_restart(file: bool, tmp_path: Path) -> None:
    """It is a row of the store: attempts go on counting, and the delay is not begun anew."""

    async def main() -> None:
        clock = VirtualClock()
        store: Any = f"sqlite:///{tmp_path}/store.db" if file else LastingStore()
        retry = aion.Retry(3, initial="1h", factor=2, max_interval="1d", jitter=0.0)
        activity = failing(2, lambda: CardRefused("no"), retry=retry)
        workflow = awaiting(activity)
        async with testing.engine(register=[workflow, activity], store=store, clock=clock) as engine:
            handle = await engine.start(workflow(), id="w")
            failed = await seen(handle, "ActivityFailed")
            await engine.advance("30m")
        async with testing.engine(register=[workflow, activity], store=store, clock=clock) as engine:
            handle = engine.get("w")
            await engine.advance("29m")
            waiting = types(await handle.history())
            assert await handle.result() == 3
            started = [event for event in await handle.history() if event.type == "ActivityStarted"]

        assert waiting[-1] == "ActivityFailed"
        assert [event.data.get("attempt", 1) for event in started] == [1, 2, 3]
        assert (started[1].time - failed.time).total_seconds() == 3600

    run(main)


@pytest.mark.parametrize(
    ("retry", "expected", "dispatches"),
    [
        (None, "done", [1, 2]),
        (aion.Retry(3), "done", [1, 2]),
        (aion.Retry(1), ["WorkerLost", "lost", 1], [1]),
    ],
)
def test_an_attempt_whose_process_was_killed_is_handed_out_again(
    retry: aion.Retry | None, expected: Any, dispatches: list[int]
) -> None:
    """The same attempt, under another dispatch number; with one attempt allowed at most, it is lost instead."""
    release = asyncio.Event

    async def main() -> None:
        blocked = release()
        calls: list[int] = []

        @aion.activity(name="work", retry=retry)
        async def work() -> str:
            calls.append(aion.activity_info().attempt)
            if len(calls) == 1:
                await blocked.wait()
            return "done"

        workflow = awaiting(work)
        store = LastingStore()
        async with crashing(store, register=[workflow, work]) as (engine, _):
            handle = await engine.start(workflow(), id="w")
            await eventually(lambda: calls)
        async with testing.engine(register=[workflow, work], store=store) as engine:
            handle = engine.get("w")
            result = await handle.result()
            started = [
                event.data.get("dispatch", 1) for event in await handle.history() if event.type == "ActivityStarted"
            ]

        assert (result[:3] if isinstance(result, list) else result) == expected
        assert started == dispatches
        assert set(calls) == {1}

    run(main)


@pytest.mark.parametrize("executor", ["inline", "thread"])
def test_closing_lets_activities_finish(executor: str) -> None:
    """What ends within the grace is recorded, and not done again; what it leads to is left to the next engine."""

    async def main() -> None:
        calls: list[str] = []
        started = threading.Event()

        @aion.activity(name="async_work")
        async def async_work() -> str:
            calls.append("one")
            started.set()
            await asyncio.sleep(0.03)
            return "one"

        @aion.activity(name="thread_work")
        def thread_work() -> str:
            calls.append("one")
            started.set()
            time.sleep(0.03)
            return "one"

        @aion.activity(name="next")
        async def following() -> str:
            calls.append("two")
            return "two"

        first: Any = async_work if executor == "inline" else thread_work

        @aion.workflow
        async def both() -> list[str]:
            return [await first(), await following()]

        store = LastingStore()
        register = [both, first, following]
        async with testing.engine(register=register, store=store) as engine:
            handle = await engine.start(both(), id="b")
            await eventually(started.is_set)
        at_close = list(calls)
        (number,) = store._runs
        left = [row.type for row in store.history(number)]
        async with testing.engine(register=register, store=store) as engine:
            handle = engine.get("b")
            assert await handle.result() == ["one", "two"]
            history = shape(await handle.history())

        assert at_close == ["one"]
        assert left[3:] == ["ActivityCompleted", "ActivityScheduled"]
        assert calls == ["one", "two"]
        assert [line for line in history if line.startswith("ActivityStarted")] == [
            "ActivityStarted id=1",
            "ActivityStarted id=2",
        ]

    run(main)


def test_what_outlives_the_grace_is_cancelled_and_not_recorded_as_failed() -> None:
    """It is handed out again by the next engine, also what ignores its cancellation."""

    async def main() -> None:
        calls: list[str] = []

        @aion.activity
        async def slow() -> str:
            calls.append("slow")
            if len(calls) < 4:
                await asyncio.sleep(3600)
            return "slow"

        @aion.activity
        async def stubborn() -> str:
            calls.append("stubborn")
            if len(calls) < 4:
                try:
                    await asyncio.sleep(3600)
                except asyncio.CancelledError:
                    return "not to be recorded"
            return "stubborn"

        @aion.activity
        async def clumsy() -> str:
            calls.append("clumsy")
            if len(calls) < 4:
                try:
                    await asyncio.sleep(3600)
                finally:
                    raise ValueError("not to be recorded")
            return "clumsy"

        @aion.workflow
        async def both() -> list[str]:
            return list(await asyncio.gather(slow(), stubborn(), clumsy()))

        store = LastingStore()
        register = [both, slow, stubborn, clumsy]
        engine = testing.engine(register=register, store=store)
        await engine.start_serving()
        await engine.start(both(), id="b")
        await eventually(lambda: len(calls) == 3)
        await engine.close(grace="10ms")
        (number,) = store._runs
        left = [row.type for row in store.history(number)]
        async with testing.engine(register=register, store=store) as engine:
            assert await engine.get("b").result() == ["slow", "stubborn", "clumsy"]

        assert [type for type in left if type in ("ActivityCompleted", "ActivityFailed")] == []
        assert sorted(calls) == ["clumsy", "clumsy", "slow", "slow", "stubborn", "stubborn"]

    run(main)


def test_a_thread_that_never_ends_does_not_keep_an_engine_from_closing() -> None:
    """It is given up; threads of activities do not keep the process alive either."""
    release = threading.Event()

    @aion.activity
    def endless() -> None:
        release.wait(30)

    async def main() -> None:
        workflow = awaiting(endless)
        engine = testing.engine(register=[workflow, endless])
        await engine.start_serving()
        handle = await engine.start(workflow())
        await seen(handle, "ActivityStarted")
        await engine.close(grace="10ms")

    try:
        run(main)
        assert all(thread.daemon for thread in threading.enumerate() if thread.name.startswith("aion-"))
    finally:
        release.set()


def test_a_failed_workflow_shows_the_failure_of_its_activity() -> None:
    """Unhandled, it is what the workflow failed with, and its cause is kept."""

    @aion.workflow
    async def careless() -> None:
        await failing(1, lambda: CardRefused("no money"))()

    async def main() -> None:
        async with testing.engine(register=[careless]) as engine:
            with pytest.raises(
                WorkflowFailed, match=r"ActivityFailed: activity 'flaky' failed .*CardRefused: no money"
            ):
                await engine.execute(careless())

    run(main)
