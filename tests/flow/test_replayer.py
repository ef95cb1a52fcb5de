"""A history against the code: the same code fits, and every kind of change is found, named, and located."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

import pytest

import aion
from aion._core import events as ev
from aion._flow.definitions import Workflow
from aion._flow.replayer import Recorded
from aion.errors import NonDeterminism
from tests.flow.signals_and_steps import charge, go
from tests.flow.story import Story, inputs_of, replay_everywhere


@aion.activity
async def ship(amount: int) -> str:
    """Never runs here."""
    return str(amount)


@aion.workflow(name="order")
async def original(number: int) -> str:
    """An activity, a timer, a signal, two activities at once, the end."""
    paid = await charge(number)
    await asyncio.sleep(60)
    await go.receive()
    await asyncio.gather(charge(1), ship(2))
    return paid


def recorded_story() -> Story:
    """The whole of the original."""
    story = Story(original(7))
    story.go()
    story.signal("go")
    story.go()
    return story


def test_the_same_code_fits_at_every_cut() -> None:
    """Nothing is issued, and the code stands where it stood."""
    story = recorded_story()

    assert replay_everywhere(story) == 6
    stepper = story.replayed()
    assert (stepper.loop.commands, stepper.loop.expected) == ([], None)
    assert type(stepper.outcome) is ev.WorkflowCompleted


def test_replay_never_asks_for_anything() -> None:
    """While it runs no command is collected, so that no effect could follow."""
    story = recorded_story()
    for cut in inputs_of(story.history):
        stepper = story.replayed(cut)

        assert stepper.loop.commands == []
        stepper.close()


CHANGES: dict[str, tuple[Any, str, str]] = {}
"""What was changed → the changed workflow, and what the error says of both sides."""


def change(what: str, recorded: str, attempted: str) -> Any:
    """Note a changed workflow under the name of the change."""

    def note(fn: Any) -> Any:
        CHANGES[what] = (aion.workflow(name="order")(fn), recorded, attempted)
        return fn

    return note


@change(
    "another activity", "ActivityScheduled(name=charge, id=1, input=7)", "ScheduleActivity(name=ship, id=1, input=7)"
)
async def _renamed(number: int) -> str:
    paid = await ship(number)
    await asyncio.sleep(60)
    await go.receive()
    await asyncio.gather(charge(1), ship(2))
    return paid


@change(
    "another argument", "ActivityScheduled(name=charge, id=1, input=7)", "ScheduleActivity(name=charge, id=1, input=8)"
)
async def _other_argument(number: int) -> str:
    paid = await charge(number + 1)
    await asyncio.sleep(60)
    await go.receive()
    await asyncio.gather(charge(1), ship(2))
    return paid


@change("another delay", "TimerStarted(id=2, delay=60s)", "ArmTimer(id=2, delay=61s)")
async def _other_delay(number: int) -> str:
    paid = await charge(number)
    await asyncio.sleep(61)
    await go.receive()
    await asyncio.gather(charge(1), ship(2))
    return paid


@change(
    "another order", "ActivityScheduled(name=charge, id=3.1, input=1)", "ScheduleActivity(name=ship, id=3.1, input=2)"
)
async def _other_order(number: int) -> str:
    paid = await charge(number)
    await asyncio.sleep(60)
    await go.receive()
    await asyncio.gather(ship(2), charge(1))
    return paid


@change("a command less", "TimerStarted(id=2, delay=60s)", "nothing: the code waits for something else")
async def _without_the_timer(number: int) -> str:
    paid = await charge(number)
    await go.receive()
    await asyncio.gather(charge(1), ship(2))
    return paid


@change(
    "a command more before",
    "ActivityScheduled(name=charge, id=1, input=7)",
    "ScheduleActivity(name=ship, id=1, input=0)",
)
async def _with_another_first(number: int) -> str:
    await ship(0)
    paid = await charge(number)
    await asyncio.sleep(60)
    await go.receive()
    await asyncio.gather(charge(1), ship(2))
    return paid


@change("a command more after", "nothing more here", "ScheduleActivity(name=ship, id=5, input=9)")
async def _with_another_last(number: int) -> str:
    paid = await charge(number)
    await asyncio.sleep(60)
    await go.receive()
    await asyncio.gather(charge(1), ship(2))
    await ship(9)
    return paid


@change("an earlier end", "ActivityScheduled(name=charge, id=3.1, input=1)", "WorkflowCompleted()")
async def _ends_early(number: int) -> str:
    paid = await charge(number)
    await asyncio.sleep(60)
    await go.receive()
    return paid


@change("a later end", "WorkflowCompleted()", "nothing: the code waits for something else")
async def _ends_late(number: int) -> str:
    paid = await charge(number)
    await asyncio.sleep(60)
    await go.receive()
    await asyncio.gather(charge(1), ship(2))
    await go.receive()
    return paid


@change("another result", "WorkflowCompleted()", "WorkflowCompleted()")
async def _other_result(number: int) -> str:
    paid = await charge(number)
    await asyncio.sleep(60)
    await go.receive()
    await asyncio.gather(charge(1), ship(2))
    return paid + "!"


@change("a failure", "TimerStarted(id=2, delay=60s)", "WorkflowFailed() with ValueError: a bug")
async def _fails(number: int) -> str:
    await charge(number)
    raise ValueError("a bug")


@change("a failure at the end", "WorkflowCompleted()", "WorkflowFailed() with ValueError: a bug")
async def _fails_late(number: int) -> str:
    await charge(number)
    await asyncio.sleep(60)
    await go.receive()
    await asyncio.gather(charge(1), ship(2))
    raise ValueError("a bug")


@pytest.mark.parametrize("what", CHANGES)
def test_every_change_is_found_at_the_first_difference(what: str) -> None:
    """The error names both commands, each with file and line, and the place in history where they differ."""
    definition, recorded, attempted = CHANGES[what]
    story = recorded_story()
    with pytest.raises(NonDeterminism) as caught:
        story.replayed(definition=definition)
    error = caught.value
    event = story.history[error.seq - 1].event if error.seq <= len(story.history) else None

    assert error.recorded.startswith(recorded)
    assert error.attempted.startswith(attempted)
    assert f"differ at event {error.seq}" in str(error)
    for side in (error.recorded, error.attempted):
        if "(" in side and not side.startswith("Workflow"):
            assert " at flow/test_replayer.py:" in side
    assert recorded == "nothing more here" or recorded.startswith(type(event).__name__)


def test_the_line_of_a_failure_is_shown() -> None:
    """Where code raises instead of going on, its traceback says where."""
    story = recorded_story()
    with pytest.raises(NonDeterminism) as caught:
        story.replayed(definition=CHANGES["a failure"][0])

    assert 'raise ValueError("a bug")' in caught.value.attempted
    assert "flow/test_replayer.py:" in caught.value.attempted


def test_an_end_without_a_record_of_it_is_found() -> None:
    """The history goes on with an input, but the code has ended before it."""

    @aion.workflow(name="waits")
    async def waits() -> None:
        await go.receive()
        await go.receive()

    @aion.workflow(name="waits")
    async def returns() -> str:
        await go.receive()
        return "early"

    story = Story(waits())
    story.signal("go")
    story.signal("go")
    with pytest.raises(NonDeterminism, match="nothing more here: the run went on") as caught:
        story.replayed(definition=returns)

    assert caught.value.seq == 3


def test_an_end_that_code_did_not_reach_is_found_where_it_stands() -> None:
    """A terminal event of the code right at the beginning fits no code at all."""
    story = recorded_story()
    broken = [story.history[-1]._replace(seq=1)]
    with pytest.raises(NonDeterminism, match="nothing: the code still waits"):
        story.history[:] = broken
        story.replayed()


def test_what_stands_before_the_first_input_is_passed_over() -> None:
    """An event of the engine moves no code, wherever it stands."""
    story = recorded_story()
    story.history.insert(0, story.history[0]._replace(event=ev.WorkflowUnblocked("c1")))
    stepper = story.replayed()

    assert type(stepper.outcome) is ev.WorkflowCompleted


def test_texts_of_errors_may_change() -> None:
    """A failed run replays as long as the type of its error is the same."""

    @aion.workflow(name="failing")
    async def before() -> None:
        raise ValueError("one text")

    @aion.workflow(name="failing")
    async def reworded() -> None:
        raise ValueError("another text")

    @aion.workflow(name="failing")
    async def retyped() -> None:
        raise KeyError("one text")

    story = Story(before())
    story.replayed(definition=reworded).close()

    with pytest.raises(NonDeterminism, match="with KeyError"):
        story.replayed(definition=retyped)


def test_a_cancelled_run_replays_whatever_its_reason() -> None:
    """The reason came from outside; only that the code ended that way counts."""

    @aion.workflow
    async def waiting() -> None:
        await go.receive()

    story = Story(waiting())
    story.cancel("enough")

    assert replay_everywhere(story) == 2


def test_what_the_engine_recorded_is_passed_over() -> None:
    """Blocks, hand-outs, retried failures and terminations are no commands."""

    @aion.workflow
    async def one() -> str:
        return await charge(1)

    story = Story(one())
    story.give(ev.ActivityStarted("1"))
    story.give(ev.WorkflowBlocked("nondeterminism", "c1"))
    story.give(ev.WorkflowUnblocked("c2"))
    story.give(ev.ActivityFailed("1", ev.ErrorInfo("E", "m"), 1, "error", 5))
    story.give(ev.ActivityStarted("1", 2))
    story.give(ev.WorkflowTerminated("end"))
    stepper = story.replayed()

    assert (stepper.outcome, list(stepper.waiting)) == (None, ["1"])
    stepper.close()


@dataclass
class Old:
    """An argument as it was."""

    id: str


@dataclass
class New:
    """The argument with a field more."""

    id: str
    note: str | None = None


def test_a_field_with_a_default_may_be_added() -> None:
    """Arguments are compared field by field where their bytes differ: only what was recorded counts."""

    @aion.activity(name="send")
    async def send_old(what: Old) -> None:
        """Never runs."""

    @aion.activity(name="send")
    async def send_new(what: New, again: bool = False) -> None:
        """Never runs."""

    @aion.workflow(name="sends")
    async def before() -> None:
        await send_old(Old("17"))

    @aion.workflow(name="sends")
    async def after(id: str = "17") -> None:
        await send_new(New(id))

    @aion.workflow(name="sends")
    async def other() -> None:
        await send_new(New("18"))

    story = Story(before())
    story.go()
    story.replayed(definition=after).close()

    with pytest.raises(NonDeterminism):
        story.replayed(definition=other)


def test_code_that_swallows_everything_cannot_hide_a_difference() -> None:
    """The first difference counts, whatever the code does with what stopped it."""

    @aion.workflow(name="order")
    async def hiding(number: int) -> str:
        while True:
            try:
                await ship(number)
            except BaseException:
                break
        return await charge(number)

    story = recorded_story()
    with pytest.raises(NonDeterminism, match="name=ship, id=1"):
        story.replayed(definition=hiding)


def test_is_replaying_is_told_to_the_code() -> None:
    """`aion.info().is_replaying` is true exactly while a history is gone through."""
    seen: list[bool] = []

    @aion.workflow
    async def looking() -> None:
        seen.append(aion.info().is_replaying)
        await go.receive()
        seen.append(aion.info().is_replaying)

    story = Story(looking())
    stepper = story.replayed()
    story.signal("go")
    stepper.close()
    story.replayed().close()

    assert seen == [False, True, False, True, True]


def test_a_history_of_several_thousand_events_replays() -> None:
    """Nothing in replay is recursive, or grows faster than the history."""

    @aion.workflow
    async def long() -> int:
        for number in range(2_000):
            await charge(number)
        return 2_000

    story = Story(long())
    story.go()
    stepper = story.replayed()

    assert (story.result, len(story.history), stepper.history_length) == (2_000, 4_002, 4_001)


def test_recorded_events_are_told_with_their_size() -> None:
    """`history_bytes` counts up to what the code reacts to, live as on replay."""
    seen: list[tuple[int, int]] = []

    @aion.workflow
    async def looking() -> None:
        for _ in range(2):
            seen.append((aion.info().history_length, aion.info().history_bytes))
            await go.receive()

    story = Story(looking())
    story.signal("go")
    stepper = story.replayed()
    stepper.close()
    story.close()
    first, second = story.history[0], story.history[1]

    assert isinstance(first, Recorded)
    assert seen == [(1, first.size), (2, second.size)] * 2


def test_a_definition_of_another_name_can_replay_too() -> None:
    """What counts is what the code does, not what it is called."""
    renamed: Workflow[..., Any] = aion.workflow(name="order2")(original.fn)
    stepper = recorded_story().replayed(definition=renamed)

    assert type(stepper.outcome) is ev.WorkflowCompleted
