"""Activities that fail or take too long: attempts, back-off, timeouts."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

import aion
from aion import testing
from aion._core.limits import Limits
from aion.errors import ActivityFailed
from tests.runtime.activity_programs import CardRefused, awaiting, done_by, failing
from tests.runtime.worlds import eventually, run, seen, types

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
