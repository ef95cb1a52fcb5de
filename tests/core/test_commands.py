"""Commands become events of the same content, and both are described for people."""

from __future__ import annotations

import typing

import msgspec
import pytest
from msgspec import Raw

from aion._core import commands as cmd
from aion._core import events as ev
from aion._core.commands import describe, event_of
from tests.core.samples import POLICY

PAIRS: list[tuple[cmd.AnyCommand, ev.AnyEvent]] = [
    (
        cmd.ScheduleActivity("1.2", "charge", Raw(b"[1]"), True, "shop/flow.py:3", "gpu", 5_000_000, POLICY),
        ev.ActivityScheduled("1.2", "charge", Raw(b"[1]"), True, "shop/flow.py:3", "gpu", 5_000_000, POLICY),
    ),
    (cmd.CancelActivity("1.2", "shop/flow.py:4"), ev.ActivityCancelled("1.2", "shop/flow.py:4")),
    (cmd.ArmTimer("2", 1_500_000, "shop/flow.py:5"), ev.TimerStarted("2", 1_500_000, "shop/flow.py:5")),
    (cmd.DisarmTimer("2"), ev.TimerCancelled("2")),
    (
        cmd.RecordSideEffect("3", Raw(b"0.5"), "shop/flow.py:6", ev.ErrorInfo("E", "m")),
        ev.SideEffectRecorded("3", Raw(b"0.5"), "shop/flow.py:6", ev.ErrorInfo("E", "m")),
    ),
    (cmd.MarkPatch("new-tax", "shop/flow.py:7"), ev.PatchMarked("new-tax", "shop/flow.py:7")),
]


def test_every_command_type_has_a_sample() -> None:
    """No command can be added without saying here which event records it."""
    assert {type(command) for command, _ in PAIRS} == set(typing.get_args(cmd.AnyCommand))


@pytest.mark.parametrize(("command", "event"), PAIRS, ids=lambda item: type(item).__name__)
def test_a_command_is_recorded_whole(command: cmd.AnyCommand, event: ev.AnyEvent) -> None:
    """No field of a command is lost on the way into history."""
    recorded = event_of(command)

    assert recorded == event
    assert msgspec.structs.asdict(recorded) == msgspec.structs.asdict(command)


def test_the_events_that_commands_become_are_those_replay_waits_for() -> None:
    """`COMMANDED` is exactly the image of the commands."""
    assert {type(event_of(command)) for command, _ in PAIRS} == set(ev.COMMANDED)


@pytest.mark.parametrize(
    ("item", "text"),
    [
        (PAIRS[0][0], "ScheduleActivity(name=charge, id=1.2, input=[1]) at shop/flow.py:3"),
        (PAIRS[0][1], "ActivityScheduled(name=charge, id=1.2, input=[1]) at shop/flow.py:3"),
        (PAIRS[2][0], "ArmTimer(id=2, delay=1.5s) at shop/flow.py:5"),
        (PAIRS[3][1], "TimerCancelled(id=2)"),
        (PAIRS[5][0], "MarkPatch(change=new-tax) at shop/flow.py:7"),
        (ev.WorkflowCompleted(Raw(b"1")), "WorkflowCompleted()"),
        (ev.SignalReceived("s"), "SignalReceived(name=s)"),
        (cmd.ArmTimer("2", 0, ""), "ArmTimer(id=2, delay=0s)"),
    ],
)
def test_a_description_says_what_which_and_where(item: cmd.AnyCommand | ev.AnyEvent, text: str) -> None:
    """People see the kind, the name or id, the argument, and the line of their own code."""
    assert describe(item) == text


def test_a_long_argument_is_cut_in_a_description() -> None:
    """A megabyte of argument does not end up in an error message."""
    command = cmd.ScheduleActivity("1", "a", Raw(b'"' + b"x" * 10**6 + b'"'), False, "", "default", None, None)
    exact = cmd.ScheduleActivity("1", "a", Raw(b"1" * 120), False, "", "default", None, None)

    assert describe(command) == 'ScheduleActivity(name=a, id=1, input="' + "x" * 116 + "...)"
    assert describe(exact) == "ScheduleActivity(name=a, id=1, input=" + "1" * 120 + ")"


def test_an_argument_that_is_no_text_can_be_described() -> None:
    """A description never fails, or the reason why a run is blocked would be lost."""
    event = ev.ActivityScheduled("1", "a", Raw(b'"\xff"'))

    assert describe(event) == 'ActivityScheduled(name=a, id=1, input="\N{REPLACEMENT CHARACTER}")'
