"""One run moved by its events: its start, its activities, and what it may ask for."""

from __future__ import annotations

import asyncio
import sys
from asyncio import events as asyncio_events
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import aion
from aion._core import events as ev
from aion._core.limits import Limits
from aion._flow.loop import keep_generators
from aion._flow.stepper import REACTED, reacts
from tests.flow.signals_and_steps import charge, go, state
from tests.flow.story import SECOND, START, Story, replay_everywhere, told

LOG: list[str] = []
"""What workflows noted; tests that use it empty it first."""


@dataclass
class Receipt:
    """A typed result."""

    number: int


@aion.activity
async def receipt(number: int) -> Receipt:
    """Never runs here."""
    return Receipt(number)


# ── the start ────────────────────────────────────────────────────────────────────────────────────


def test_a_run_starts_with_the_arguments_that_were_recorded() -> None:
    """Values come decoded by the types of the parameters; defaults fill what was not passed."""

    @aion.workflow
    async def add(receipt: Receipt, more: int = 5) -> int:
        return receipt.number + more

    one, both = Story(add(Receipt(1))), Story(add(Receipt(1), more=2))

    assert (one.result, both.result) == (6, 3)


def test_arguments_that_no_longer_decode_fail_the_run() -> None:
    """The failure says which argument, and no code has run."""

    @aion.workflow(name="typed")
    async def old(number: str) -> None:
        """Takes text."""

    @aion.workflow(name="typed")
    async def new(number: int) -> None:
        LOG.append("ran")

    LOG.clear()
    story = Story(old("seven"))
    stepper = Story(new(1)).stepper
    stepper.started = story.started
    stepper.outcome = None
    stepper.react(story.started, START, 1, 10)
    LOG.clear()

    assert isinstance(stepper.outcome, ev.WorkflowFailed)
    assert stepper.outcome.error.type == "InvalidInput"
    assert "number" in stepper.outcome.error.message
    assert LOG == []


# ── activities ───────────────────────────────────────────────────────────────────────────────────


def test_an_activity_is_asked_for_with_its_options_and_line() -> None:
    """Name, arguments, options and the line of the call are the command."""

    @aion.workflow
    async def one() -> str:
        return await charge.options(timeout="5s", queue="cards", retry=aion.Retry(3))(7)

    story = Story(one())
    scheduled = story.history[1].event
    story.close()

    assert isinstance(scheduled, ev.ActivityScheduled)
    assert (scheduled.id, scheduled.name, bytes(scheduled.input), scheduled.named) == ("1", "charge", b"7", False)
    assert (scheduled.timeout, scheduled.queue, scheduled.retry) == (5 * SECOND, "cards", aion.Retry(3).policy)
    assert scheduled.at.startswith("flow/test_stepper.py:")


def test_a_result_is_decoded_by_the_type_of_the_activity() -> None:
    """Live as on replay it is made from the recorded bytes, so nothing is aliased."""

    @aion.workflow
    async def one() -> int:
        return (await receipt(7)).number

    story = Story(one())
    story.complete("1", {"number": 8})

    assert story.result == 8


def test_a_result_that_does_not_decode_raises_where_it_is_awaited() -> None:
    """The workflow may handle it; the value stays in the history."""

    @aion.workflow
    async def one() -> str:
        try:
            await receipt(7)
        except aion.InvalidInput as error:
            return str(error)
        return "fine"

    story = Story(one())
    story.complete("1", {"number": "eight"})

    assert "result of receipt()" in story.result


def test_a_failed_activity_raises_what_history_keeps_of_its_exception() -> None:
    """Type, message, kind and attempt, and whether it was of a given type."""

    @aion.workflow
    async def one() -> list[Any]:
        try:
            await charge(7)
        except aion.ActivityFailed as error:
            return [error.activity, error.type, error.message, error.kind, error.attempt, error.is_a(Exception)]
        return []

    story = Story(one())
    story.fail("1", "CardRefused", "no money", attempt=3, kind="timeout")

    assert story.result == ["charge", "CardRefused", "no money", "timeout", 3, True]


def test_a_failed_attempt_that_is_retried_does_not_reach_the_code() -> None:
    """Only the outcome does; hand-outs and back-offs are the engine's."""

    @aion.workflow
    async def one() -> str:
        return await charge(7)

    story = Story(one())
    retried = ev.ActivityFailed("1", ev.ErrorInfo("E", "m"), 1, "error", SECOND)
    story.give(ev.ActivityStarted("1"))
    story.give(retried)
    story.give(ev.ActivityStarted("1", 2), 1)
    story.complete("1", "done")

    assert story.result == "done"
    assert [reacts(event) for event in (retried, ev.ActivityFailed("1", ev.ErrorInfo("E", "m")))] == [False, True]


def test_only_the_events_that_code_reacts_to_are_reacted_to() -> None:
    """All others are the engine's own."""
    assert {type_.__name__ for type_ in REACTED} == {
        "WorkflowStarted",
        "ActivityCompleted",
        "ActivityFailed",
        "TimerFired",
        "SignalReceived",
        "WorkflowCancelRequested",
    }


def test_an_outcome_nobody_waits_for_changes_nothing() -> None:
    """Of an activity that was cancelled in this very turn, or of one that is unknown."""

    @aion.workflow
    async def one() -> str:
        await go.receive()
        return "done"

    story = Story(one())
    for event in (ev.ActivityCompleted("9"), ev.ActivityFailed("9", ev.ErrorInfo("E", "m"))):
        story.stepper.react(event, story.now, 2, 0)
    story.signal("go")

    assert story.result == "done"


def test_cancelling_what_awaits_an_activity_cancels_the_activity() -> None:
    """Once, with the line of the code that did it; when it has an outcome already, not at all."""

    @aion.workflow
    async def one() -> None:
        task = asyncio.ensure_future(charge(1))
        other = asyncio.ensure_future(charge(2))
        await other
        task.cancel()
        task.cancel()
        other.cancel()
        await asyncio.wait([task])

    story = Story(one())
    story.complete("2.1", "done")

    assert story.shape() == [
        "WorkflowStarted",
        "ActivityScheduled:1.1",
        "ActivityScheduled:2.1",
        "ActivityCompleted:2.1",
        "ActivityCancelled:1.1",
        "WorkflowCompleted",
    ]
    replay_everywhere(story)


def test_cancelling_what_is_left_of_a_closed_run_asks_for_nothing() -> None:
    """Somebody may still hold the future of an activity."""

    @aion.workflow
    async def one() -> None:
        await charge(1)

    story = Story(one())
    future = story.stepper.waiting["1"]
    story.close()

    assert future.cancel()
    assert story.stepper.loop.commands == []


def test_a_fan_out_over_the_limit_is_refused() -> None:
    """Before anything is recorded of the one too many, with the way to bound it."""

    @aion.workflow
    async def wide(count: int) -> str:
        try:
            await asyncio.gather(*(charge(number) for number in range(count)))
        except aion.LimitExceeded as error:
            return str(error)
        return "fine"

    limits = Limits(pending_activities_max=3)
    fits, over = Story(wide(3), limits=limits), Story(wide(4), limits=limits)
    fits.go()
    over.go()

    assert fits.result == "fine"
    assert "3 activities of this run are pending" in over.result
    assert "Semaphore" in over.result
    assert [word for word in over.shape() if word.startswith("ActivityScheduled")] == [
        "ActivityScheduled:1.1",
        "ActivityScheduled:2.1",
        "ActivityScheduled:3.1",
    ]


# ── the running loop ─────────────────────────────────────────────────────────────────────────────


def test_the_loop_of_the_thread_is_put_back_after_each_step() -> None:
    """A step inside another loop's callback leaves that loop as it was, hooks and all."""

    @aion.workflow
    async def waiting() -> None:
        state.answer(lambda: "fine")
        await go.receive()

    async def main() -> list[bool]:
        outside = asyncio.get_running_loop()
        same: list[bool] = []

        def step() -> None:
            story = Story(waiting())
            same.append(asyncio_events._get_running_loop() is outside)
            story.stepper.query("state", None)
            same.append(asyncio_events._get_running_loop() is outside)
            story.close()
            same.append(asyncio_events._get_running_loop() is outside)

        outside.call_soon(step)
        await asyncio.sleep(0.01)
        return same

    assert asyncio.run(main()) == [True, True, True]


def test_a_thread_that_does_nothing_else_sets_its_hooks_once() -> None:
    """They are left as they are, and hold the generators of the run that is stepped."""

    @aion.workflow
    async def generating() -> None:
        async def values() -> AsyncIterator[int]:
            yield 1

        async for _ in values():
            await go.receive()

    before = sys.get_asyncgen_hooks()
    sys.set_asyncgen_hooks(keep_generators, None)
    try:
        story = Story(generating())
        after = sys.get_asyncgen_hooks()
    finally:
        sys.set_asyncgen_hooks(*before)

    assert after.firstiter is keep_generators
    assert len(story.stepper.loop._generators) == 1


def test_a_closed_run_refers_to_nothing() -> None:
    """Futures, signals, queries and the code itself are let go."""

    @aion.workflow
    async def busy() -> None:
        state.answer(lambda: "fine")
        await asyncio.gather(charge(1), go.receive())

    story = Story(busy())
    story.close()
    stepper = story.stepper

    assert (stepper.waiting, stepper.signals, stepper.queries, stepper.root) == ({}, {}, {}, None)
    assert told(story.history[0].event) == "WorkflowStarted"
