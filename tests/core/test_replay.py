"""Which command fits which recorded event: every pair, legal and illegal."""

from __future__ import annotations

import itertools

import msgspec
import pytest
from msgspec import Raw

from aion._core import commands as cmd
from aion._core import events as ev
from aion._core.commands import event_of
from aion._core.replay import fits
from tests.core.samples import POLICY

COMMANDS: tuple[cmd.AnyCommand, ...] = (
    cmd.ScheduleActivity("1", "charge", Raw(b"[1]"), False, "a.py:1", "gpu", 5, POLICY),
    cmd.CancelActivity("1", "a.py:2"),
    cmd.ArmTimer("2", 100, "a.py:3"),
    cmd.DisarmTimer("2"),
    cmd.RecordSideEffect("3", Raw(b"5"), "a.py:4"),
    cmd.MarkPatch("tax", "a.py:5"),
)


def never(event: ev.ActivityScheduled, command: cmd.ScheduleActivity) -> bool:
    """No two inputs of different bytes are alike."""
    return False


def always(event: ev.ActivityScheduled, command: cmd.ScheduleActivity) -> bool:
    """All inputs are alike."""
    return True


@pytest.mark.parametrize(
    ("command", "recorded"), list(itertools.product(COMMANDS, COMMANDS)), ids=lambda item: type(item).__name__
)
def test_a_command_fits_the_event_it_was_recorded_as_and_no_other_kind(
    command: cmd.AnyCommand, recorded: cmd.AnyCommand
) -> None:
    """Every kind of command against every kind of event, with the very same ids."""
    assert fits(command, event_of(recorded), always) == (command is recorded)


@pytest.mark.parametrize("command", COMMANDS, ids=lambda item: type(item).__name__)
@pytest.mark.parametrize("event", [ev.TimerFired("2"), ev.SignalReceived("charge"), ev.WorkflowCompleted()])
def test_no_command_fits_an_event_that_records_none(command: cmd.AnyCommand, event: ev.AnyEvent) -> None:
    """What arrived from outside, or how the run ended, is no record of a command."""
    assert not fits(command, event, always)


@pytest.mark.parametrize(
    ("command", "change"),
    [
        (COMMANDS[0], {"id": "9"}),
        (COMMANDS[0], {"name": "refund"}),
        (COMMANDS[0], {"input": Raw(b"[2]")}),
        (COMMANDS[0], {"named": True}),
        (COMMANDS[1], {"id": "9"}),
        (COMMANDS[2], {"id": "9"}),
        (COMMANDS[2], {"delay": 101}),
        (COMMANDS[3], {"id": "9"}),
        (COMMANDS[4], {"id": "9"}),
        (COMMANDS[5], {"change": "other"}),
    ],
)
def test_a_difference_in_what_is_compared_does_not_fit(command: cmd.AnyCommand, change: dict[str, object]) -> None:
    """Place, name, argument, length of time, change id: each alone makes it another command."""
    changed = msgspec.structs.replace(command, **change)

    assert not fits(changed, event_of(command), never)


@pytest.mark.parametrize(
    ("command", "change"),
    [
        (COMMANDS[0], {"at": "b.py:9", "queue": "cpu", "timeout": None, "retry": None}),
        (COMMANDS[1], {"at": "b.py:9"}),
        (COMMANDS[2], {"at": "b.py:9"}),
        (COMMANDS[4], {"at": "b.py:9", "value": Raw(b"6")}),
        (COMMANDS[5], {"at": "b.py:9"}),
    ],
)
def test_lines_and_options_may_change(command: cmd.AnyCommand, change: dict[str, object]) -> None:
    """Code may move within its file, and how an activity is run may be set anew; the recorded value of a side effect
    is what counts.
    """
    changed = msgspec.structs.replace(command, **change)

    assert fits(changed, event_of(command), never)


def test_inputs_of_other_bytes_are_left_to_who_knows_the_types() -> None:
    """Equal bytes are equal at once; others are compared field by field, by a function that is handed in."""
    asked: list[tuple[bytes, bytes]] = []

    def ask(event: ev.ActivityScheduled, command: cmd.ScheduleActivity) -> bool:
        asked.append((bytes(event.input), bytes(command.input)))
        return bytes(command.input) == b"[1,null]"

    recorded = event_of(COMMANDS[0])
    wider = msgspec.structs.replace(COMMANDS[0], input=Raw(b"[1,null]"))
    other = msgspec.structs.replace(COMMANDS[0], input=Raw(b"[2]"))

    assert [fits(command, recorded, ask) for command in (COMMANDS[0], wider, other)] == [True, True, False]
    assert asked == [(b"[1]", b"[1,null]"), (b"[1]", b"[2]")]


def test_another_activity_is_not_excused_by_alike_inputs() -> None:
    """Place and name are compared before anybody is asked about inputs."""
    recorded = event_of(COMMANDS[0])

    assert not fits(msgspec.structs.replace(COMMANDS[0], name="refund", input=Raw(b"[2]")), recorded, always)
    assert not fits(msgspec.structs.replace(COMMANDS[0], id="9", input=Raw(b"[2]")), recorded, always)
