"""Turns: inputs are applied one at a time, so how they were split into turns never matters."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Raw

import aion
from aion._core import events as ev
from aion._core import inputs
from aion._core.history import first_digest
from aion._core.limits import Limits
from aion._core.state import RunState
from aion._runtime.resident import Delivery, Opening, ResidentRun
from aion._runtime.turn import Turn, TurnPorts, take_turn
from aion.errors import InvalidState, LimitExceeded
from aion.stores.base import RunRow

NOW = 1_893_456_000_000_000
item = aion.Signal("item", int)
done = aion.Signal("done")


@aion.activity
async def work(value: Any) -> Any:
    """Never runs here."""


@aion.workflow
async def busy() -> list[Any]:
    """Several tasks that wait for activities, timers and signals, and a condition over all of them."""
    got: list[Any] = []

    async def listen() -> None:
        async for value in item:
            got.append(await work(value))

    async def tick() -> None:
        for number in range(3):
            await asyncio.sleep(10)
            got.append(f"tick {number}")

    listener, ticker = asyncio.create_task(listen()), asyncio.create_task(tick())
    await aion.wait_until(lambda: len(got) >= 5)
    listener.cancel()
    await asyncio.wait([listener, ticker])
    await done.receive()
    return got


class FixedEntropy:
    """No randomness."""

    def bytes(self, n: int) -> bytes:
        """Zeros."""
        return bytes(n)

    def spread(self) -> float:
        """No jitter."""
        return 0.0


def ports(limits: Limits | None = None, *, hand_out: bool = True) -> TurnPorts:
    """What turns need."""
    numbers = iter(range(1, 1_000))
    return TurnPorts(limits or Limits(), FixedEntropy(), lambda: next(numbers), hand_out)


def new_run(definition: aion.Workflow[..., Any]) -> ResidentRun:
    """A run that is about to start."""
    payload, named = definition.signature.encode_call((), {}, 1_000)
    event = ev.WorkflowStarted(definition.name, "w", "r", "default", Raw(payload), named)
    row = RunRow(1, "default", "w", 1, "r", definition.name, None, None, NOW, b"{}", None)
    run = ResidentRun(1, "default", "w", 1, "r", definition.name, RunState(1, first_digest("default", "w", "r")))
    run.opening = Opening(row, event, None, None, None)
    return run


PLAYED: list[Played] = []
"""What a test plays; its code is closed when the test is over."""


@pytest.fixture(autouse=True)
def _closing() -> Iterator[None]:
    yield
    for played in PLAYED:
        if played.run.stepper is not None:
            played.run.stepper.close()
    PLAYED.clear()


class Played:
    """A run whose turns a test takes by hand; every turn is as good as committed."""

    def __init__(self, definition: aion.Workflow[..., Any], limits: Limits | None = None) -> None:
        PLAYED.append(self)
        self.definition = definition
        self.ports = ports(limits)
        self.run = new_run(definition)
        self.events: list[tuple[str, bytes]] = []
        self.now = NOW
        self.turn()

    def turn(self, *arrived: inputs.AnyInput) -> Turn:
        """One turn with these inputs."""
        self.run.queue.extend(Delivery(each) for each in arrived)
        turn = take_turn(self.run, self.definition, self.now, self.ports)
        self.events += [(kind, data) for kind, data, _ in turn.draft.events]
        return turn

    @property
    def types(self) -> list[str]:
        """The types of all events."""
        return [kind for kind, _ in self.events]


def reported(id: str, value: bytes = b"1") -> inputs.ActivityReported:
    """An activity gave a result."""
    return inputs.ActivityReported(id, 1, 1, Raw(value))


ARRIVALS: list[inputs.AnyInput] = [
    inputs.SignalArrived("item", Raw(b"1")),
    inputs.SignalArrived("item", Raw(b"2")),
    reported("1.1"),
    inputs.TimerDue(2, NOW),
    inputs.SignalArrived("item", Raw(b"3")),
    reported("1.2"),
    reported("1.2"),
    inputs.TimerDue(99, NOW),
    inputs.TimerDue(11, NOW),
    inputs.SignalArrived("done"),
    reported("1.3"),
    inputs.TimerDue(17, NOW),
    inputs.SignalArrived("late"),
    inputs.CancelRequested("late"),
]


def split(sizes: list[int]) -> list[list[inputs.AnyInput]]:
    """The arrivals in turns of these sizes, the last one as large as it takes."""
    turns: list[list[inputs.AnyInput]] = []
    rest = list(ARRIVALS)
    for size in sizes:
        turns.append(rest[:size])
        rest = rest[size:]
    return [*turns, rest]


def history_of(turns: list[list[inputs.AnyInput]]) -> list[tuple[str, bytes]]:
    """What is recorded when the inputs come in these turns."""
    played = Played(busy)
    for arrived in turns:
        played.turn(*arrived)
    if played.run.stepper is not None:
        played.run.stepper.close()
    PLAYED.remove(played)
    return played.events


def test_the_program_under_test_does_something() -> None:
    """One by one: activities, timers, a condition and a cancellation all take place."""
    types = [kind for kind, _ in history_of([[each] for each in ARRIVALS])]

    for expected in ("ActivityScheduled", "TimerFired", "ActivityCompleted", "SignalReceived", "WorkflowCompleted"):
        assert expected in types


@given(st.lists(st.integers(0, 5), max_size=14))
@settings(max_examples=60)
def test_how_inputs_are_split_into_turns_never_matters(sizes: list[int]) -> None:
    """One by one, all at once, or anything between: the history is the same, byte for byte."""
    assert history_of(split(sizes)) == history_of([[each] for each in ARRIVALS])


def test_all_at_once_is_one_turn() -> None:
    """The whole life of a run after its start, in one draft."""
    assert history_of([list(ARRIVALS)]) == history_of([[each] for each in ARRIVALS])


def test_commands_follow_their_input_before_the_next_input() -> None:
    """What an input led to is recorded right after it."""
    played = Played(busy)
    played.turn(*ARRIVALS[:3])

    assert played.types[2:] == [
        "SignalReceived",
        "ActivityScheduled",
        "ActivityStarted",
        "SignalReceived",
        "ActivityCompleted",
        "ActivityScheduled",
        "ActivityStarted",
    ]


def test_inputs_have_the_time_of_the_turn_and_never_an_earlier_one_than_before() -> None:
    """A clock that goes back does not take history back."""
    played = Played(busy)
    played.run.state.time = NOW
    played.now = NOW - 5_000_000
    turn = played.turn(ARRIVALS[0])

    assert [time for _, _, time in turn.draft.events] == [NOW, 0, 0]
    assert played.run.stepper is not None
    assert played.run.stepper.loop.now == NOW


def test_while_the_engine_drains_activities_are_recorded_and_not_handed_out() -> None:
    """The next engine hands them out."""
    played = Played(busy)
    played.ports.hand_out = False
    turn = played.turn(ARRIVALS[0])

    assert [kind for kind, _, _ in turn.draft.events] == ["SignalReceived", "ActivityScheduled"]
    assert turn.draft.handed_out == []


def test_a_signal_to_a_run_that_ends_in_the_same_turn_is_refused() -> None:
    """It was not acknowledged; one before the end is."""
    played = Played(busy)
    turn = played.turn(inputs.TerminateRequested("end"), inputs.SignalArrived("item", Raw(b"1")))

    assert [type(delivery.input).__name__ for delivery in turn.taken] == ["TerminateRequested"]
    assert [type(error) for _, error in turn.refused] == [InvalidState]
    assert played.types[-1] == "WorkflowTerminated"


def test_signals_over_the_limit_are_refused_one_by_one() -> None:
    """Those that fit are accepted, the rest told so; what the code takes makes room."""

    @aion.workflow
    async def slow() -> list[int]:
        await done.receive()
        return [await item.receive() for _ in range(3)]

    played = Played(slow, Limits(unread_signals_max=2))
    signals = [inputs.SignalArrived("item", Raw(str(number).encode())) for number in range(3)]
    turn = played.turn(*signals)
    played.turn(inputs.SignalArrived("done"), signals[2])

    assert [type(error) for _, error in turn.refused] == [LimitExceeded]
    assert "2 unread signals named 'item'" in str(turn.refused[0][1])
    assert played.types[-1] == "WorkflowCompleted"


def test_a_run_that_cannot_move_puts_its_inputs_aside() -> None:
    """Each becomes an inbox row with an id of its own, in order; one that has a row keeps it."""
    played = Played(busy)
    assert played.run.stepper is not None
    played.run.stepper.close()
    played.run.stepper = None
    played.run.block = played.run.note = ev.WorkflowBlocked("nondeterminism", "c1")
    played.run.queue.append(Delivery(inputs.SignalArrived("old"), inbox=77))
    turn = played.turn(ARRIVALS[0], inputs.TimerDue(4, NOW + 10), reported("1.1"))

    assert [kind for kind, _, _ in turn.draft.events] == ["WorkflowBlocked"]
    assert [row.id for row in turn.inbox] == [1, 2, 3]
    assert [type(inputs.decode_input(row.data)).__name__ for row in turn.inbox] == [
        "SignalArrived",
        "TimerDue",
        "ActivityReported",
    ]
    assert turn.draft.disarmed == [(NOW + 10, 1, 4)]
    assert [delivery.inbox for delivery in turn.taken] == [None] * 4


def test_ending_a_run_that_cannot_move_records_what_waits_first() -> None:
    """Terminating needs no code."""
    played = Played(busy)
    assert played.run.stepper is not None
    played.run.stepper.close()
    played.run.stepper = None
    turn = played.turn(ARRIVALS[0], inputs.CancelRequested("c"), inputs.TerminateRequested("end"))

    assert [kind for kind, _, _ in turn.draft.events] == [
        "SignalReceived",
        "WorkflowCancelRequested",
        "WorkflowTerminated",
    ]
    assert turn.inbox == []


@pytest.mark.parametrize("seed", range(3))
def test_inputs_that_come_twice_change_nothing(seed: int) -> None:
    """Results, timers and cancellations may be given again, in any later turn."""
    source = random.Random(seed)
    plain = history_of([[each] for each in ARRIVALS])
    doubled: list[list[inputs.AnyInput]] = []
    for position, each in enumerate(ARRIVALS):
        earlier = [old for old in ARRIVALS[: position + 1] if not isinstance(old, inputs.SignalArrived)]
        doubled.append([each, *source.sample(earlier, min(2, len(earlier)))])

    assert history_of(doubled) == plain
