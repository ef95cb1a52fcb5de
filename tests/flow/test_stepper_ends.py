"""How a run ends: with a result, with an error, cancelled, or not at all."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from msgspec import Raw

import aion
from aion._core import events as ev
from aion._core.limits import Limits
from aion._flow.stepper import Stepper
from tests.flow.signals_and_steps import charge, go
from tests.flow.story import START, Story, replay_everywhere

LOG: list[str] = []
"""What workflows noted; tests that use it empty it first."""


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
