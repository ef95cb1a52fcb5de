"""Activities as they are run: inline and in threads, retried, timed out, cancelled, lost, and each recorded once."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import aion
from aion import testing
from aion._core.limits import Limits
from aion.errors import ActivityFailed, WorkflowFailed
from aion.testing import VirtualClock
from tests.runtime.worlds import LastingStore, crashing, eventually, run, scheduler_of, seen, shape, types

go = aion.Signal("go")


class CardRefused(ValueError):
    """An error of users."""


def failing(times: int, error: Callable[[], BaseException], **options: Any) -> Any:
    """An activity that fails so many times, then gives the number of the attempt."""

    @aion.activity(name="flaky", **options)
    async def flaky() -> int:
        if aion.activity_info().attempt <= times:
            raise error()
        return aion.activity_info().attempt

    return flaky


def awaiting(activity: Any) -> aion.Workflow[[], Any]:
    """A workflow that awaits an activity and tells what came of it."""

    @aion.workflow(name="awaiting")
    async def awaiting_() -> Any:
        try:
            return await activity()
        except ActivityFailed as error:
            return [error.type, error.kind, error.attempt, error.message]

    return awaiting_


async def done_by(activity: Any, **options: Any) -> tuple[Any, list[str]]:
    """What came of one activity, and the history."""
    workflow = awaiting(activity)
    async with testing.engine(register=[workflow, activity], **options) as engine:
        handle = await engine.start(workflow(), id="w")
        result = await handle.result()
        return result, shape(await handle.history())


# ── the plain way ────────────────────────────────────────────────────────────────────────────────


def test_an_activity_is_scheduled_started_and_completed() -> None:
    """Five events from the start of the run to its end."""

    @aion.activity
    async def greet() -> str:
        return "hello"

    result, history = run(lambda: done_by(greet))

    assert result == "hello"
    assert history == [
        "WorkflowStarted input={}",
        "ActivityScheduled id=1 name=greet input={}",
        "ActivityStarted id=1",
        "ActivityCompleted id=1 result=hello",
        "WorkflowCompleted result=hello",
    ]


@pytest.mark.parametrize("executor", ["inline", "thread"])
def test_a_plain_function_runs_where_it_was_told_to(executor: Any) -> None:
    """In a thread by default, or on the loop."""
    threads: list[int] = []

    @aion.activity(executor=executor)
    def where() -> str:
        threads.append(threading.get_ident())
        return aion.activity_info().name

    result, _ = run(lambda: done_by(where))

    assert result == "where"
    assert (threads[0] == threading.get_ident()) == (executor == "inline")


def test_options_of_a_call_hold_for_that_call() -> None:
    """Also the executor, which is no part of the record."""
    threads: list[int] = []

    @aion.activity
    def where() -> None:
        threads.append(threading.get_ident())

    @aion.workflow
    async def both() -> None:
        await where.options(executor="inline")()
        await where()

    async def main() -> None:
        async with testing.engine(register=[both, where]) as engine:
            await engine.execute(both())

    run(main)

    assert [thread == threading.get_ident() for thread in threads] == [True, False]


def test_an_activity_knows_its_attempt() -> None:
    """Names, ids, deadline, and a key that is the same in all attempts."""
    infos: list[Any] = []

    @aion.activity(timeout="1h", retry=aion.Retry(3, initial="1m", max_interval="1h", jitter=0.0))
    async def telling() -> None:
        info = aion.activity_info()
        infos.append(info)
        if info.attempt < 3:
            raise ValueError("again")

    async def main() -> None:
        workflow = awaiting(telling)
        async with testing.engine(register=[workflow, telling], namespace="shop") as engine:
            handle = await engine.start(workflow(), id="w")
            await handle.result()

            assert [info.attempt for info in infos] == [1, 2, 3]
            assert {info.idempotency_key for info in infos} == {f"shop/{handle.run_id}/1"}
            assert {(info.name, info.id, info.workflow_id, info.run_id) for info in infos} == {
                ("telling", "1", "w", handle.run_id)
            }
            spans = [
                (later.deadline - info.deadline).total_seconds() for info, later in zip(infos, infos[1:], strict=False)
            ]
            assert spans == [60.0, 120.0]

    run(main)


def test_what_an_activity_gets_and_gives_is_encoded_once() -> None:
    """Its arguments are copies, and what it returns is read back by its type."""

    @aion.activity
    async def changing(values: list[int]) -> tuple[int, ...]:
        values.append(4)
        return tuple(values)

    @aion.workflow
    async def looking() -> list[Any]:
        mine = [1, 2, 3]
        theirs = await changing(mine)
        return [mine, list(theirs), type(theirs).__name__]

    async def main() -> None:
        async with testing.engine(register=[looking, changing]) as engine:
            assert await engine.execute(looking()) == [[1, 2, 3], [1, 2, 3, 4], "tuple"]

    run(main)


# ── failures and retries ─────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("retry", "times", "expected"),
    [
        (None, 1, ["CardRefused", "error", 1, "no"]),
        (aion.Retry(1), 1, ["CardRefused", "error", 1, "no"]),
        (aion.Retry(3), 2, 3),
        (aion.Retry(3), 3, ["CardRefused", "error", 3, "no"]),
        (aion.Retry(), 12, 13),
        (aion.Retry(non_retryable=(CardRefused,)), 1, ["CardRefused", "error", 1, "no"]),
        (aion.Retry(non_retryable=("ValueError",)), 1, ["CardRefused", "error", 1, "no"]),
        (aion.Retry(2, non_retryable=("OSError",)), 1, 2),
    ],
)
def test_attempts_follow_the_policy(retry: aion.Retry | None, times: int, expected: Any) -> None:
    """None, one, several, without end; errors that are not retried; the last reason is the outcome."""
    result, history = run(lambda: done_by(failing(times, lambda: CardRefused("no"), retry=retry)))

    assert result == expected
    failures = [line for line in history if line.startswith("ActivityFailed")]
    assert len(failures) == times


def test_an_activity_that_says_so_is_never_retried() -> None:
    """`Terminal` ends the attempts, whatever the policy."""
    result, _ = run(lambda: done_by(failing(5, lambda: aion.Terminal("never"), retry=aion.Retry())))

    assert result == ["Terminal", "error", 1, "never"]


def test_back_off_is_a_durable_timer() -> None:
    """Exponential, capped, and the attempt starts when it is due, not before."""

    async def main() -> None:
        retry = aion.Retry(5, initial="1s", factor=10, max_interval="1m", jitter=0.0)
        activity = failing(4, lambda: CardRefused("no"), retry=retry)
        workflow = awaiting(activity)
        async with testing.engine(register=[workflow, activity]) as engine:
            handle = await engine.start(workflow())
            await handle.result()
            history = await handle.history()
        failed = [event for event in history if event.type == "ActivityFailed"]
        started = [event for event in history if event.type == "ActivityStarted"]
        waits = [(begin.time - end.time).total_seconds() for end, begin in zip(failed, started[1:], strict=True)]

        assert [event.data["retry_in"] for event in failed] == [1_000_000, 10_000_000, 60_000_000, 60_000_000]
        assert waits == [1.0, 10.0, 60.0, 60.0]

    run(main)


def test_jitter_keeps_to_its_share() -> None:
    """Every delay differs, within the bounds."""

    async def main() -> None:
        activity = failing(20, lambda: CardRefused("no"), retry=aion.Retry(initial="10s", factor=1, jitter=0.5))
        workflow = awaiting(activity)
        async with testing.engine(register=[workflow, activity]) as engine:
            handle = await engine.start(workflow())
            await handle.result()
            delays = [event.data["retry_in"] for event in await handle.history() if event.type == "ActivityFailed"]

        assert all(5_000_000 <= delay <= 15_000_000 for delay in delays)
        assert len(set(delays)) > 10

    run(main)


@pytest.mark.parametrize(
    ("executor", "error"),
    [
        ("inline", ValueError("no")),
        ("inline", asyncio.CancelledError("own")),
        ("thread", ValueError("no")),
        ("thread", asyncio.CancelledError("own")),
        # On the loop of the user's program these would end the program, as from any of its tasks.
        ("thread", SystemExit(3)),
        ("thread", KeyboardInterrupt()),
    ],
)
def test_whatever_an_activity_raises_is_its_failure(executor: Any, error: BaseException) -> None:
    """It ends the attempt, not the engine, its threads or its loop."""

    @aion.activity(executor=executor)
    def raising() -> None:
        raise error

    result, _ = run(lambda: done_by(raising))

    assert result[:3] == [type(error).__name__, "error", 1]


def test_a_result_that_cannot_be_recorded_fails_the_attempt_for_good() -> None:
    """Trying again would give the same; the error says what is wrong."""
    calls: list[int] = []

    @aion.activity(retry=aion.Retry())
    async def odd() -> Any:
        calls.append(1)
        return object()

    @aion.activity(retry=aion.Retry())
    async def large() -> str:
        calls.append(1)
        return "x" * 1_000

    odd_result, _ = run(lambda: done_by(odd))
    large_result, _ = run(lambda: done_by(large, limits=Limits(payload_bytes_max=500)))

    assert (odd_result[0], large_result[0], len(calls)) == ("InvalidInput", "PayloadTooLarge", 2)


def test_a_workflow_may_retry_by_itself() -> None:
    """Each try is an activity of its own, with sleeps between."""

    async def main() -> None:
        activity = failing(9, lambda: CardRefused("no"))

        @aion.workflow
        async def insisting() -> int:
            for number in range(3):
                try:
                    await activity()
                except ActivityFailed:
                    await asyncio.sleep(10)
                    continue
                return number
            return -1

        async with testing.engine(register=[insisting, activity]) as engine:
            handle = await engine.start(insisting())
            assert await handle.result() == -1
            assert types(await handle.history()).count("ActivityScheduled") == 3
            attempts = {
                event.data.get("attempt", 1) for event in await handle.history() if event.type == "ActivityFailed"
            }
            assert attempts == {1}

    run(main)


# ── time ─────────────────────────────────────────────────────────────────────────────────────────


def test_an_attempt_that_takes_too_long_times_out() -> None:
    """The code is cancelled, the kind is `timeout`, and the policy decides about another."""
    cancelled: list[int] = []

    @aion.activity(timeout="20ms", retry=aion.Retry(2, initial="1h", jitter=0.0))
    async def slow() -> str:
        if aion.activity_info().attempt == 2:
            return "in time"
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            cancelled.append(1)
            raise
        return "late"

    result, history = run(lambda: done_by(slow))

    assert (result, cancelled) == ("in time", [1])
    assert [line for line in history if "kind=timeout" in line] != []


def test_a_timeout_error_of_the_activitys_own_is_an_error() -> None:
    """Only the attempt's own deadline is a timeout."""

    @aion.activity(timeout="1h")
    async def raising() -> None:
        raise TimeoutError("mine")

    result, _ = run(lambda: done_by(raising))

    assert result == ["TimeoutError", "error", 1, "mine"]


def test_a_thread_that_takes_too_long_is_given_up_and_its_late_result_counts_for_nothing() -> None:
    """It cannot be stopped, but sees that it was cancelled; what it returns leaves only a counter."""
    release = threading.Event()
    seen_cancelled: list[bool] = []

    @aion.activity(timeout="20ms", retry=aion.Retry(2, initial="1h", jitter=0.0))
    def slow() -> str:
        info = aion.activity_info()
        if info.attempt == 1:
            release.wait(10)
            seen_cancelled.append(info.cancelled)
            return "late"
        return "in time"

    async def main() -> None:
        workflow = awaiting(slow)
        async with testing.engine(register=[workflow, slow]) as engine:
            handle = await engine.start(workflow())
            assert await handle.result() == "in time"
            before = await handle.history()
            release.set()
            await eventually(lambda: seen_cancelled)
            await asyncio.sleep(0.01)

            assert await handle.history() == before
            assert seen_cancelled == [True]

    run(main)


def test_waiting_for_a_thread_does_not_use_up_the_attempts_time() -> None:
    """The timeout bounds the attempt, not the queue before it."""
    release = threading.Event()

    @aion.activity(name="first")
    def first() -> str:
        release.wait(10)
        return "first"

    @aion.activity(name="second", timeout="30ms")
    def second() -> str:
        return "second"

    @aion.workflow
    async def both() -> list[str]:
        return list(await asyncio.gather(first(), second()))

    async def main() -> None:
        async with testing.engine(register=[both, first, second], activity_threads_max=1) as engine:
            handle = await engine.start(both())
            await seen(handle, "ActivityStarted", 2)
            await asyncio.sleep(0.06)
            release.set()
            assert await handle.result() == ["first", "second"]

    run(main)


# ── cancelling ───────────────────────────────────────────────────────────────────────────────────


def test_an_activity_nobody_waits_for_any_more_is_cancelled() -> None:
    """Async code gets `CancelledError`, a thread sees it; what they still do is not recorded."""
    told: list[str] = []
    stop = threading.Event()

    @aion.activity
    async def inline() -> str:
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            told.append("inline")
            return "too late"
        return "no"

    @aion.activity
    def thread() -> str:
        while not aion.activity_info().cancelled:
            if stop.wait(0.001):
                return "stopped"
        told.append("thread")
        return "too late"

    @aion.workflow
    async def racing() -> int:
        index, _ = await aion.race(inline(), thread(), go.receive())
        return index

    async def main() -> None:
        async with testing.engine(register=[racing, inline, thread]) as engine:
            handle = await engine.start(racing())
            await seen(handle, "ActivityStarted", 2)
            await handle.signal(go)
            assert await handle.result() == 2
            await eventually(lambda: len(told) == 2)
            await asyncio.sleep(0.01)

            assert sorted(told) == ["inline", "thread"]
            assert types(await handle.history())[-3:] == ["ActivityCancelled", "ActivityCancelled", "WorkflowCompleted"]
            assert scheduler_of(engine).residency.attempts == {}

    try:
        run(main)
    finally:
        stop.set()


def test_an_activity_that_is_cancelled_by_somebody_else_is_handed_out_again() -> None:
    """Its task was cancelled from outside, which says nothing about the work."""
    tasks: list[Any] = []

    @aion.activity
    async def victim() -> int:
        tasks.append(asyncio.current_task())
        if len(tasks) == 1:
            await asyncio.sleep(3600)
        return len(tasks)

    async def main() -> None:
        workflow = awaiting(victim)
        async with testing.engine(register=[workflow, victim]) as engine:
            handle = await engine.start(workflow())
            await eventually(lambda: tasks)
            tasks[0].cancel()
            assert await handle.result() == 2
            started = [event.data for event in await handle.history() if event.type == "ActivityStarted"]

            assert started == [{"id": "1"}, {"id": "1", "dispatch": 2}]

    run(main)


# ── bounds ───────────────────────────────────────────────────────────────────────────────────────


def test_only_so_many_inline_activities_run_at_once() -> None:
    """The others wait for their turn, in order."""
    running, most, order = 0, 0, list[int]()

    @aion.activity
    async def counted(number: int) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        order.append(number)
        await asyncio.sleep(0.001)
        running -= 1

    @aion.workflow
    async def many() -> None:
        await asyncio.gather(*(counted(number) for number in range(20)))

    async def main() -> None:
        async with testing.engine(register=[many, counted], inline_activities_max=3) as engine:
            await engine.execute(many())

    run(main)

    assert (most, order) == (3, list(range(20)))


def test_only_so_many_threads_are_used() -> None:
    """And not more than there is work for."""
    lock, threads = threading.Lock(), set[int]()

    @aion.activity
    def counted(number: int) -> None:
        with lock:
            threads.add(threading.get_ident())
        time.sleep(0.001)

    @aion.workflow
    async def many() -> None:
        await asyncio.gather(*(counted(number) for number in range(20)))

    async def main() -> None:
        async with testing.engine(register=[many, counted], activity_threads_max=2) as engine:
            await engine.execute(many())

    run(main)

    assert 1 <= len(threads) <= 2


# ── crashes and closing ──────────────────────────────────────────────────────────────────────────


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
