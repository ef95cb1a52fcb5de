"""One run moved by its events: what each of them does to the code, how the code ends, and what it may ask for."""

from __future__ import annotations

import asyncio
import sys
from asyncio import events as asyncio_events
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest
from msgspec import Raw

import aion
from aion._core import events as ev
from aion._core.limits import Limits
from aion._flow.loop import keep_generators
from aion._flow.stepper import REACTED, Stepper, reacts
from aion.errors import QueryFailed, UnknownQuery
from tests.flow.story import SECOND, START, Story, replay_everywhere, told

go = aion.Signal("go")
state = aion.Query("state", str)
LOG: list[str] = []
"""What workflows noted; tests that use it empty it first."""


@aion.activity
async def charge(amount: int) -> str:
    """Never runs here."""
    return str(amount)


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


# ── how it ends ──────────────────────────────────────────────────────────────────────────────────


def test_a_result_that_cannot_be_encoded_fails_the_run() -> None:
    """The error names the result; nothing else is lost."""

    @aion.workflow
    async def odd() -> Any:
        return object()

    @aion.workflow
    async def large() -> str:
        return "x" * 1_000

    assert Story(odd()).error.type == "InvalidInput"
    assert Story(large(), limits=Limits(payload_bytes_max=100)).error.type == "PayloadTooLarge"


@pytest.mark.parametrize(
    "error", [ValueError("no"), KeyError("k"), SystemExit(3), KeyboardInterrupt(), GeneratorExit(), StopIteration(1)]
)
def test_whatever_leaves_the_function_fails_the_run(error: BaseException) -> None:
    """Even what would end a process ends the run alone."""

    @aion.workflow
    async def raising() -> None:
        raise error

    story = Story(raising())

    # Python itself turns a StopIteration that leaves a coroutine into a RuntimeError.
    expected = "RuntimeError" if isinstance(error, StopIteration) else type(error).__name__
    assert story.error.type == expected
    assert story.shape() == ["WorkflowStarted", "WorkflowFailed"]


def test_an_application_error_keeps_its_type_and_details() -> None:
    """What the user said about it is what is recorded."""

    @aion.workflow
    async def refusing() -> None:
        raise aion.ApplicationError("no", "Refused", {"code": 51})

    error = Story(refusing()).error

    assert (error.type, error.message, bytes(error.details)) == ("Refused", "no", b'{"code":51}')


def test_a_cancel_request_raises_cancelled_error_with_its_reason() -> None:
    """The code may clean up, with activities of its own; then the run is cancelled."""

    @aion.workflow
    async def tidy() -> None:
        try:
            await go.receive()
        except asyncio.CancelledError as error:
            LOG.append(str(error.args))
            await charge(1)
            raise

    LOG.clear()
    story = Story(tidy())
    story.cancel("enough")
    waiting = story.outcome
    story.complete("1", "cleaned")
    replay_everywhere(story)

    assert waiting is None
    assert story.outcome == ev.WorkflowCancelled("enough")
    assert LOG[0] == "('enough',)"


@pytest.mark.parametrize("wrap", ["group", "timeout", "wait_for", "gather", "shield", "nested", "task"])
def test_the_reason_of_a_cancellation_survives_the_primitives(wrap: str) -> None:
    """Whatever the code waits in, the run is recorded as cancelled for the reason that was given."""

    @aion.workflow
    async def waiting() -> None:
        match wrap:
            case "group":
                async with asyncio.TaskGroup() as group:
                    group.create_task(go.receive())
            case "timeout":
                async with asyncio.timeout(60):
                    await go.receive()
            case "wait_for":
                await asyncio.wait_for(go.receive(), 60)
            case "gather":
                await asyncio.gather(go.receive(), go.receive())
            case "shield":
                await asyncio.shield(asyncio.ensure_future(go.receive()))
            case "nested":
                async with asyncio.timeout(60), asyncio.TaskGroup() as group:
                    group.create_task(asyncio.wait_for(go.receive(), 30))
            case _:
                await asyncio.create_task(go.receive())

    story = Story(waiting())
    story.cancel("enough")
    story.close()

    assert story.outcome == ev.WorkflowCancelled("enough")


def test_a_swallowed_cancellation_lets_the_run_go_on() -> None:
    """Cancelling is a request; code that has something better to do completes."""

    @aion.workflow
    async def stubborn() -> str:
        try:
            await go.receive()
        except asyncio.CancelledError:
            return await charge(1)
        return "signalled"

    story = Story(stubborn())
    story.cancel()
    story.complete("1", "kept going")

    assert story.result == "kept going"


def test_an_exception_during_clean_up_fails_the_run() -> None:
    """What leaves the function last is what is recorded."""

    @aion.workflow
    async def clumsy() -> None:
        try:
            await go.receive()
        finally:
            raise ValueError("in clean-up")

    story = Story(clumsy())
    story.cancel("enough")

    assert story.error.type == "ValueError"


def test_cancelling_a_run_that_has_no_code_to_cancel_is_harmless() -> None:
    """Its arguments did not decode, so there is no task."""

    @aion.workflow(name="typed2")
    async def typed(number: int) -> None:
        """Takes a number."""

    story = Story(typed(1))
    stepper = story.stepper
    stepper.root = None
    stepper.react(ev.WorkflowCancelRequested(), START, 2, 0)

    assert stepper.outcome == ev.WorkflowCompleted(stepper.outcome.result)  # type: ignore[union-attr]


def test_a_run_without_code_waits() -> None:
    """An input that comes before the start finds nothing to move, and nothing that has ended."""

    @aion.workflow
    async def one() -> None:
        await go.receive()

    stepper = Stepper(one, Story(one()).started, START, Limits())
    stepper.react(ev.SignalReceived("go"), START, 1, 0)

    assert stepper.outcome is None
    stepper.close()


def test_code_that_raises_cancelled_error_by_itself_is_cancelled() -> None:
    """With its own message as the reason, if that is a text."""

    @aion.workflow
    async def leaving(reason: str) -> None:
        raise asyncio.CancelledError(*([reason] if reason else []))

    @aion.workflow
    async def numbered() -> None:
        raise asyncio.CancelledError(3)

    assert Story(leaving("my own")).outcome == ev.WorkflowCancelled("my own")
    assert Story(leaving("")).outcome == ev.WorkflowCancelled()
    assert Story(numbered()).outcome == ev.WorkflowCancelled()


def test_tasks_that_are_left_when_the_function_returns_are_dropped_without_a_record() -> None:
    """Neither their timers nor their activities are cancelled by commands: the end of the run ends them."""

    @aion.workflow
    async def leaving() -> str:
        tasks = [asyncio.create_task(asyncio.sleep(60)), asyncio.ensure_future(charge(1))]
        await asyncio.sleep(0)
        return f"left {len(tasks)}"

    story = Story(leaving())

    assert story.shape() == ["WorkflowStarted", "TimerStarted:1.1", "ActivityScheduled:2.1", "WorkflowCompleted"]
    assert (story.state.timers, story.state.activities) == ({}, {})
    story.close()


def test_nothing_moves_after_the_end() -> None:
    """An event that is given to a finished run has no effect on its outcome."""

    @aion.workflow
    async def short() -> int:
        return 1

    story = Story(short())
    outcome = story.stepper.outcome
    story.stepper.react(ev.SignalReceived("go", Raw(b"1")), START, 3, 0)

    assert story.stepper.outcome is outcome
    story.close()


# ── queries ──────────────────────────────────────────────────────────────────────────────────────


@aion.workflow
async def answering() -> None:
    """Answers queries of several kinds."""
    phase = "waiting"
    state.answer(lambda: phase)
    aion.Query("echo", int, arg=int).answer(lambda number: number + 1)
    aion.Query("raising").answer(lambda: 1 / 0)
    aion.Query("typed", int).answer(lambda: object())  # type: ignore[arg-type, return-value]
    aion.Query("activity").answer(lambda: charge(1).send(None))
    aion.Query("timer").answer(lambda: asyncio.get_running_loop().call_later(5, print))
    aion.Query("task").answer(lambda: asyncio.create_task(go.receive()))
    aion.Query("effect").answer(lambda: aion.side_effect(lambda: LOG.append("ran")))
    aion.Query("patch").answer(lambda: aion.patched("new"))
    aion.Query("when").answer(lambda: str(aion.now()))
    await go.receive()
    phase = "done"


def test_a_query_is_answered_from_the_state_the_code_has_reached() -> None:
    """At any await, with the present values, and nothing is recorded."""
    story = Story(answering())
    stepper = story.stepper
    answers = [stepper.query("state", None), stepper.query("echo", b"4"), stepper.query("when", None)]
    length = len(story.history)
    story.signal("go")

    assert answers == [b'"waiting"', b"5", b'"2023-11-14 22:13:20+00:00"']
    assert (length, stepper.query("state", None)) == (1, b'"done"')


def test_an_unknown_query_names_those_there_are() -> None:
    """So that a typing error is seen at once."""

    @aion.workflow
    async def silent() -> None:
        await go.receive()

    story, other = Story(answering()), Story(silent())

    with pytest.raises(UnknownQuery, match="answers no query 'nope'; it answers: activity, echo, "):
        story.stepper.query("nope", None)
    with pytest.raises(UnknownQuery, match="it answers: none"):
        other.stepper.query("nope", None)
    story.close()
    other.close()


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("raising", "the handler of query 'raising' raised ZeroDivisionError"),
        ("typed", "the handler of query 'typed' raised"),
        ("activity", "a query handler may not record anything"),
        ("timer", "a query handler may not record anything"),
        ("effect", "a query handler may not record anything"),
        ("patch", "a query handler may not record anything"),
    ],
)
def test_a_handler_that_raises_or_records_fails_the_query_alone(name: str, says: str) -> None:
    """Nothing is recorded, the run is as it was, and what it asks for next has the id it would have had."""
    LOG.clear()
    story = Story(answering())
    with pytest.raises(QueryFailed, match=says):
        story.stepper.query(name, None)
    story.signal("go")

    assert story.shape() == ["WorkflowStarted", "SignalReceived:go", "WorkflowCompleted"]
    assert LOG == []
    replay_everywhere(story)


def test_a_handler_may_not_start_tasks() -> None:
    """The coroutine it made is closed without having run."""
    story = Story(answering())

    with pytest.raises(QueryFailed, match="may not start tasks"):
        story.stepper.query("task", None)
    story.close()


def test_an_argument_of_the_wrong_type_fails_the_query() -> None:
    """It is decoded by the type that the workflow declared."""
    story = Story(answering())

    with pytest.raises(QueryFailed, match="echo"):
        story.stepper.query("echo", b'"four"')
    with pytest.raises(QueryFailed, match="echo"):
        story.stepper.query("echo", None)
    story.close()


def test_queries_change_neither_ids_nor_random_numbers() -> None:
    """A run that was asked a hundred times does the same as one that never was."""

    @aion.workflow
    async def drawing() -> list[float]:
        aion.Query("draw").answer(lambda: aion.random().random())
        await go.receive()
        loop = asyncio.get_running_loop()
        timer = loop.create_future()
        loop.call_soon(loop.call_later, 5, timer.set_result, None)
        await timer
        return [aion.random().random(), aion.random().random()]

    asked, left_alone = Story(drawing()), Story(drawing())
    answers = {asked.stepper.query("draw", None) for _ in range(100)}
    for story in (asked, left_alone):
        story.signal("go")
        story.fire()

    assert len(answers) == 100
    assert asked.result == left_alone.result
    assert asked.shape() == left_alone.shape()
    replay_everywhere(asked)


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
    story = Story(answering())
    story.close()
    stepper = story.stepper

    assert (stepper.waiting, stepper.signals, stepper.queries, stepper.root) == ({}, {}, {}, None)
    assert told(story.history[0].event) == "WorkflowStarted"
