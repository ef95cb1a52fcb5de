"""Signals and queries as workflow code sees them: in order, each once, typed, and none lost."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

import pytest

import aion
from aion._core import events as ev
from aion._flow.messages import seconds
from aion.errors import InvalidInput, InvalidState
from tests.flow.story import SECOND, Story, replay_everywhere


@dataclass
class Approval:
    """A typed signal value."""

    by: str


approval = aion.Signal("approval", Approval)
number = aion.Signal("number", int)
done = aion.Signal("done")


@aion.activity
async def note(what: Any) -> None:
    """Never runs here."""


def test_a_value_comes_as_the_declared_type() -> None:
    """What was sent as JSON is received as the dataclass."""

    @aion.workflow
    async def waiting() -> str:
        return (await approval.receive()).by

    story = Story(waiting())
    story.signal("approval", {"by": "ada"})

    assert story.result == "ada"


def test_values_wait_in_order_until_they_are_received() -> None:
    """Those sent before anybody asks are not lost, and each is received once."""

    @aion.workflow
    async def late() -> list[int]:
        await asyncio.sleep(60)
        got = [await number.receive(), await number.receive()]
        await asyncio.sleep(60)
        return [*got, await number.receive()]

    story = Story(late())
    story.signal("number", 1)
    story.signal("number", 2)
    story.fire()
    story.signal("number", 3)
    story.fire()

    assert story.result == [1, 2, 3]
    replay_everywhere(story)


def test_receivers_are_served_in_the_order_in_which_they_asked() -> None:
    """First come, first served, whatever tasks they are in."""

    @aion.workflow
    async def several() -> list[list[int]]:
        got: list[list[int]] = []

        async def receive(name: int) -> None:
            got.append([name, await number.receive()])

        await asyncio.gather(*(receive(name) for name in range(3)))
        return got

    story = Story(several())
    for value in (10, 11, 12):
        story.signal("number", value)

    assert story.result == [[0, 10], [1, 11], [2, 12]]
    replay_everywhere(story)


def test_a_receiver_that_gives_up_takes_no_value_with_it() -> None:
    """The next in line gets what the one that was cancelled would have got."""

    @aion.workflow
    async def impatient() -> list[Any]:
        first = asyncio.create_task(number.receive())
        second = asyncio.create_task(number.receive())
        await done.receive()
        first.cancel()
        return [await second, first.cancelled()]

    story = Story(impatient())
    story.signal("done")
    story.signal("number", 7)

    assert story.result == [7, True]
    replay_everywhere(story)


@pytest.mark.parametrize("cancelled_first", [False, True])
def test_a_receiver_that_is_cancelled_as_its_value_comes_passes_it_on(cancelled_first: bool) -> None:
    """Woken and cancelled in one step, in either order, it leaves the value to the next."""

    @aion.workflow
    async def together() -> list[Any]:
        first = asyncio.create_task(number.receive())
        second = asyncio.create_task(number.receive())

        def cancel_first(value: int) -> None:
            number_box = asyncio.get_running_loop().world.signals["number"]  # type: ignore[attr-defined]
            number_box.buffer.append(str(value).encode())
            if cancelled_first:
                first.cancel()
            number_box.wake_one()
            first.cancel()

        aion.Signal("trick", int).on(cancel_first)
        return [await second, first.cancelled()]

    story = Story(together())
    story.signal("trick", 5)

    assert story.result == [5, True]


def test_a_receiver_whose_value_was_taken_waits_for_the_next() -> None:
    """Somebody polled between its waking and its step."""

    @aion.workflow
    async def overtaken() -> list[Any]:
        receiving = asyncio.create_task(number.receive())

        def take(value: int) -> None:
            number_box = asyncio.get_running_loop().world.signals["number"]  # type: ignore[attr-defined]
            number_box.buffer.append(str(value).encode())
            number_box.wake_one()
            assert number.poll() == value

        aion.Signal("trick", int).on(take)
        return [await receiving]

    story = Story(overtaken())
    story.signal("trick", 5)
    waiting = story.outcome
    story.signal("number", 6)

    assert (waiting, story.result) == (None, [6])


def test_one_that_comes_later_waits_behind_those_who_wait_already() -> None:
    """A value does not go to whoever asks at the right moment."""

    @aion.workflow
    async def queueing() -> list[list[Any]]:
        got: list[list[Any]] = []

        async def receive(name: str) -> None:
            got.append([name, await number.receive()])

        async def receive_after_event() -> None:
            await done.receive()
            await receive("late")

        tasks = [asyncio.create_task(receive("early")), asyncio.create_task(receive_after_event())]
        await asyncio.gather(*tasks)
        return got

    story = Story(queueing())
    story.signal("done")
    story.signal("number", 1)
    story.signal("number", 2)

    assert story.result == [["early", 1], ["late", 2]]


def test_receiving_with_a_timeout_is_a_durable_deadline() -> None:
    """A value in time disarms the timer; past it, `TimeoutError`, and a later value is not lost."""

    @aion.workflow
    async def patient() -> list[Any]:
        got: list[Any] = [await number.receive(timeout="1m")]
        try:
            await number.receive(timeout=5)
        except TimeoutError:
            got.append("late")
        return [*got, await number.receive(timeout=None)]

    story = Story(patient())
    story.signal("number", 1)
    story.fire()
    story.signal("number", 2)

    assert story.result == [1, "late", 2]
    assert [word for word in story.shape() if word.startswith("Timer")] == [
        "TimerStarted:1",
        "TimerCancelled:1",
        "TimerStarted:2",
        "TimerFired:2",
    ]
    replay_everywhere(story)


def test_polling_takes_a_value_or_none_and_does_not_wait() -> None:
    """It is a plain call."""

    @aion.workflow
    async def polling() -> list[Any]:
        first = number.poll()
        await done.receive()
        return [first, number.poll(), number.poll(), number.poll()]

    story = Story(polling())
    story.signal("number", 1)
    story.signal("number", 2)
    story.signal("done")

    assert story.result == [None, 1, 2, None]


def test_async_for_goes_through_the_values_and_may_be_left() -> None:
    """Leaving the loop leaves the values that have not come."""

    @aion.workflow
    async def looping() -> list[int]:
        got: list[int] = []
        for _ in range(2):
            async for value in number:
                got.append(value)
                if value % 2 == 0:
                    break
        return got

    story = Story(looping())
    for value in (1, 2, 3, 4):
        story.signal("number", value)
    held = len(story.stepper.loop._generators)

    assert (story.result, held) == ([1, 2, 3, 4], 0)
    replay_everywhere(story)


def test_a_value_of_another_type_raises_where_it_is_received() -> None:
    """A sender that declared another type does not break the run for good: the next value comes."""

    @aion.workflow
    async def strict() -> list[Any]:
        got: list[Any] = []
        for _ in range(2):
            try:
                got.append(await number.receive())
            except aion.InvalidInput as error:
                got.append(type(error).__name__)
        await done.receive()
        try:
            number.poll()
        except aion.InvalidInput:
            got.append("polled")
        return got

    story = Story(strict())
    story.signal("number", "one")
    story.signal("number", 2)
    story.signal("number", None)
    story.signal("done")

    assert story.result == ["InvalidInput", 2, "polled"]
    replay_everywhere(story)


# ── handlers ─────────────────────────────────────────────────────────────────────────────────────


def test_a_handler_gets_every_value_in_a_task_of_its_own() -> None:
    """Beginning with those that wait already; ids come from name and ordinal, so nothing else shifts them."""

    @aion.workflow
    async def handling() -> list[int]:
        got: list[int] = []
        await done.receive()

        async def handle(value: int) -> None:
            await note(value)
            got.append(value)

        number.on(handle)
        await done.receive()
        return got

    story = Story(handling())
    story.signal("number", 1)
    story.signal("number", 2)
    story.signal("done")
    story.signal("number", 3)
    asked = [word for word in story.shape() if word.startswith("ActivityScheduled")]
    for id in ("signal:number:2.1", "signal:number:1.1", "signal:number:3.1"):
        story.complete(id)
    story.signal("done")

    assert asked == [f"ActivityScheduled:signal:number:{ordinal}.1" for ordinal in (1, 2, 3)]
    assert story.result == [2, 1, 3]
    replay_everywhere(story)


def test_a_handler_may_be_a_plain_function_and_a_decorator() -> None:
    """`on` gives the function back."""

    @aion.workflow
    async def handling() -> list[int]:
        got: list[int] = []

        @number.on
        def handle(value: int) -> None:
            got.append(value)

        assert callable(handle)
        await done.receive()
        return got

    story = Story(handling())
    story.signal("number", 1)
    story.signal("done")

    assert story.result == [1]


def test_the_latest_handler_gets_the_values() -> None:
    """Setting another one replaces the first; ordinals go on."""

    @aion.workflow
    async def replacing() -> list[str]:
        got: list[str] = []
        number.on(lambda value: got.append(f"first {value}"))
        await done.receive()
        number.on(lambda value: got.append(f"second {value}"))
        await done.receive()
        return got

    story = Story(replacing())
    story.signal("number", 1)
    story.signal("done")
    story.signal("number", 2)
    story.signal("done")

    assert story.result == ["first 1", "second 2"]


@pytest.mark.parametrize("value", [1, "not a number"])
def test_an_exception_in_a_handler_counts_as_raised_by_the_workflow(value: Any) -> None:
    """Its own, or that of a value that does not decode: the run fails, the first one counts."""

    @aion.workflow
    async def failing() -> None:
        def handle(value: int) -> None:
            raise ValueError(value)

        number.on(handle)
        await done.receive()

    story = Story(failing())
    story.signal("number", value)
    story.close()

    assert story.error.type == ("ValueError" if value == 1 else "InvalidInput")


def test_only_the_first_exception_of_handlers_counts() -> None:
    """Two that fail in one step fail the run once."""

    @aion.workflow
    async def failing() -> None:
        await done.receive()

        def handle(value: int) -> None:
            raise ValueError(value)

        number.on(handle)
        await done.receive()

    story = Story(failing())
    story.signal("number", 1)
    story.signal("number", 2)
    story.signal("done")
    story.close()

    assert (story.error.type, story.error.message) == ("ValueError", "1")
    assert isinstance(story.outcome, ev.WorkflowFailed)


# ── declarations ─────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("make", [aion.Signal, aion.Query])
@pytest.mark.parametrize("name", ["", "a\nb", "aion:mine", "x" * 256, None, 3, "\ud800"])
def test_a_message_needs_a_proper_name(make: Any, name: Any) -> None:
    """Empty, control characters, our own prefix, too long, no text: refused at the declaration."""
    with pytest.raises(InvalidInput, match="name"):
        make(name)


def test_messages_show_their_names() -> None:
    """In errors and logs people see which one is meant."""
    assert (repr(number), repr(aion.Query("stage"))) == ("Signal('number')", "Query('stage')")


def test_a_query_handler_can_be_a_decorated_function() -> None:
    """`answer` gives the function back; the latest one answers."""

    @aion.workflow
    async def answering() -> None:
        stage = aion.Query("stage", str)

        @stage.answer
        def first() -> str:
            return "first"

        assert first() == "first"
        await done.receive()
        stage.answer(lambda: "second")
        await done.receive()

    story = Story(answering())
    before = story.stepper.query("stage", None)
    story.signal("done")
    after = story.stepper.query("stage", None)
    story.close()

    assert (before, after) == (b'"first"', b'"second"')


def test_a_query_handler_answers_at_once() -> None:
    """An `async def` one is refused where it is set, instead of when somebody asks."""

    @aion.workflow
    async def answering() -> str:
        async def handler() -> str:
            return "later"

        try:
            aion.Query("stage", str).answer(handler)  # type: ignore[arg-type]
        except aion.InvalidInput as error:
            return str(error)
        return "no"

    assert "answered by a plain function" in Story(answering()).result


def test_messages_work_inside_workflows_only() -> None:
    """Elsewhere they say what to use, and nothing hangs."""

    async def outside() -> None:
        await number.receive()

    for call, what in (
        (number.poll, "Signal.poll()"),
        (lambda: number.on(print), "Signal.on()"),
        (lambda: aion.Query("q").answer(print), "Query.answer()"),
        (lambda: asyncio.run(outside()), "Signal.receive()"),
    ):
        with pytest.raises(InvalidState) as caught:
            call()
        assert str(caught.value).startswith(what)


def test_durations_become_seconds() -> None:
    """Whatever form they were given in."""
    assert [seconds("1m30s"), seconds(2), seconds("250ms")] == [90.0, 2.0, 0.25]
    assert SECOND == 1_000_000
