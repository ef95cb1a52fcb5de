"""What each input means in each state: events to record, or nothing at all."""

from __future__ import annotations

import typing

import pytest
from msgspec import Raw

from aion._core import events as ev
from aion._core import inputs
from aion._core.decide import decide
from aion._core.state import RunState

ERROR = ev.ErrorInfo("E", "m")
STARTED = ev.WorkflowStarted("fulfil", "order-17", "r1", "default", Raw(b"{}"))
TWICE = ev.RetryPolicy(2, 1_000_000, 2.0, 60_000_000, 0.5)
ONCE = ev.RetryPolicy(1)


def scheduled(retry: ev.RetryPolicy | None = None) -> ev.ActivityScheduled:
    """The request for activity 1."""
    return ev.ActivityScheduled("1", "charge", Raw(b"{}"), retry=retry)


STATES: dict[str, tuple[ev.AnyEvent, ...]] = {
    "waiting for nothing": (),
    "asked for": (scheduled(),),
    "handed out": (scheduled(), ev.ActivityStarted("1")),
    "handed out, twice allowed": (scheduled(TWICE), ev.ActivityStarted("1")),
    "handed out, once allowed": (scheduled(ONCE), ev.ActivityStarted("1")),
    "handed out again": (scheduled(), ev.ActivityStarted("1"), ev.ActivityStarted("1", 1, 2)),
    "backing off": (scheduled(TWICE), ev.ActivityStarted("1"), ev.ActivityFailed("1", ERROR, 1, "error", 5)),
    "second attempt": (
        scheduled(TWICE),
        ev.ActivityStarted("1"),
        ev.ActivityFailed("1", ERROR, 1, "error", 5),
        ev.ActivityStarted("1", 2),
    ),
    "activity done": (scheduled(), ev.ActivityStarted("1"), ev.ActivityCompleted("1")),
    "activity cancelled": (scheduled(), ev.ActivityStarted("1"), ev.ActivityCancelled("1")),
    "timer armed": (ev.TimerStarted("t", 500),),
    "timer fired": (ev.TimerStarted("t", 500), ev.TimerFired("t")),
    "cancel requested": (ev.WorkflowCancelRequested("first"),),
    "completed": (ev.WorkflowCompleted(),),
    "failed": (ev.WorkflowFailed(ERROR),),
    "cancelled": (ev.WorkflowCancelled(),),
    "terminated": (ev.WorkflowTerminated(),),
}

INPUTS: dict[str, inputs.AnyInput] = {
    "result": inputs.ActivityReported("1", 1, 1, Raw(b"7")),
    "result of dispatch 2": inputs.ActivityReported("1", 1, 2, Raw(b"7")),
    "result of attempt 2": inputs.ActivityReported("1", 2, 1, Raw(b"7")),
    "error": inputs.ActivityReported("1", 1, 1, error=ERROR),
    "last error": inputs.ActivityReported("1", 1, 1, error=ERROR, non_retryable=True),
    "timeout": inputs.ActivityReported("1", 1, 1, error=ERROR, kind="timeout"),
    "error of attempt 2": inputs.ActivityReported("1", 2, 1, error=ERROR),
    "result of another": inputs.ActivityReported("9", 1, 1, Raw(b"7")),
    "lost": inputs.AttemptLost("1"),
    "another lost": inputs.AttemptLost("9"),
    "due 2": inputs.TimerDue(2, 600),
    "due 4": inputs.TimerDue(4, 600),
    "due 99": inputs.TimerDue(99, 600),
    "signal": inputs.SignalArrived("s", Raw(b"1")),
    "cancel": inputs.CancelRequested("second"),
    "terminate": inputs.TerminateRequested("end"),
}

COMPLETED = ev.ActivityCompleted("1", Raw(b"7"), 1)
LOST = ev.ErrorInfo("WorkerLost", "the process that ran the only allowed attempt is gone")

# Of activities and timers: state → input → events. What is not here means nothing in that state.
MEANING: dict[str, dict[str, tuple[ev.AnyEvent, ...]]] = {
    "asked for": {"lost": (ev.ActivityStarted("1"),)},
    "handed out": {
        "result": (COMPLETED,),
        "error": (ev.ActivityFailed("1", ERROR),),
        "last error": (ev.ActivityFailed("1", ERROR),),
        "timeout": (ev.ActivityFailed("1", ERROR, 1, "timeout"),),
        "lost": (ev.ActivityStarted("1", 1, 2),),
    },
    "handed out, twice allowed": {
        "result": (COMPLETED,),
        "error": (ev.ActivityFailed("1", ERROR, 1, "error", 1_500_000),),
        "last error": (ev.ActivityFailed("1", ERROR),),
        "timeout": (ev.ActivityFailed("1", ERROR, 1, "timeout", 1_500_000),),
        "lost": (ev.ActivityStarted("1", 1, 2),),
    },
    "handed out, once allowed": {
        "result": (COMPLETED,),
        "error": (ev.ActivityFailed("1", ERROR),),
        "last error": (ev.ActivityFailed("1", ERROR),),
        "timeout": (ev.ActivityFailed("1", ERROR, 1, "timeout"),),
        "lost": (ev.ActivityFailed("1", LOST, 1, "lost"),),
    },
    "handed out again": {
        "result of dispatch 2": (COMPLETED,),
        "lost": (ev.ActivityStarted("1", 1, 3),),
    },
    "backing off": {"due 4": (ev.ActivityStarted("1", 2),)},
    "second attempt": {
        "result of attempt 2": (ev.ActivityCompleted("1", Raw(b"7"), 2),),
        "error of attempt 2": (ev.ActivityFailed("1", ERROR, 2),),
        "lost": (ev.ActivityStarted("1", 2, 2),),
    },
    "timer armed": {"due 2": (ev.TimerFired("t"),)},
}

# What arrives from people means the same in every open state, but for a second cancel request.
FROM_PEOPLE: dict[str, tuple[ev.AnyEvent, ...]] = {
    "signal": (ev.SignalReceived("s", Raw(b"1")),),
    "cancel": (ev.WorkflowCancelRequested("second"),),
    "terminate": (ev.WorkflowTerminated("end"),),
}
CLOSED = ("completed", "failed", "cancelled", "terminated")


def expected(state: str, arrived: str) -> tuple[ev.AnyEvent, ...]:
    """What the tables above say."""
    if state in CLOSED or (state == "cancel requested" and arrived == "cancel"):
        return ()
    return FROM_PEOPLE.get(arrived) or MEANING.get(state, {}).get(arrived, ())


def state_of(name: str) -> RunState:
    """The state of that name."""
    state = RunState(7, b"")
    for number, event in enumerate((STARTED, *STATES[name])):
        state.apply(event, 100 + number)
    return state


@pytest.mark.parametrize("arrived", INPUTS)
@pytest.mark.parametrize("name", STATES)
def test_every_input_means_in_every_state_what_the_table_says(name: str, arrived: str) -> None:
    """Late, doubled and forged inputs mean nothing; all others lead to exactly these events."""
    decided = decide(state_of(name), INPUTS[arrived], lambda: 1.0)

    assert [_plain(event) for event in decided] == [_plain(event) for event in expected(name, arrived)]


@pytest.mark.parametrize("arrived", INPUTS)
@pytest.mark.parametrize("name", STATES)
def test_what_is_decided_always_follows_from_the_state(name: str, arrived: str) -> None:
    """The events of a decision can be applied to the state they were decided on."""
    state = state_of(name)
    before = state.seq
    decided = decide(state, INPUTS[arrived], lambda: 1.0)
    for event in decided:
        state.apply(event, 200)

    assert state.seq == before + len(decided)


@pytest.mark.parametrize(
    "arrived", [name for name, each in INPUTS.items() if not isinstance(each, inputs.SignalArrived)]
)
@pytest.mark.parametrize("name", [name for name in STATES if name not in CLOSED])
def test_no_input_but_a_signal_counts_twice(name: str, arrived: str) -> None:
    """An input that comes again after it was recorded, as happens when a commit's outcome was unknown, means nothing;
    only of a lost attempt every loss counts.
    """
    state = state_of(name)
    for event in decide(state, INPUTS[arrived], lambda: 1.0):
        state.apply(event, 200)

    assert arrived == "lost" or decide(state, INPUTS[arrived], lambda: 1.0) == ()


def test_the_tables_cover_every_kind_of_input() -> None:
    """No input can be added without saying here what it means."""
    assert {type(each) for each in INPUTS.values()} == set(typing.get_args(inputs.AnyInput))


def _plain(event: ev.AnyEvent) -> tuple[object, ...]:
    """An event for comparing; raw values compare by identity."""
    fields = [getattr(event, name) for name in event.__struct_fields__]
    return (type(event), *(bytes(value) if isinstance(value, Raw) else value for value in fields))
