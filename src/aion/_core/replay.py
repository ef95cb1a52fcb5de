"""Does a command of the code fit the event that recorded it?"""

from __future__ import annotations

from collections.abc import Callable

from aion._core import commands as cmd
from aion._core import events as ev

SameInput = Callable[[ev.ActivityScheduled, cmd.ScheduleActivity], bool]
"""Compares two inputs whose bytes differ, field by field; it knows the types, this layer does not."""


def fits(command: cmd.AnyCommand, event: ev.AnyEvent, same_input: SameInput) -> bool:
    """Whether replay may take `event` as the record of `command`: kind, name, place and arguments agree.

    Options of an activity (queue, timeout, retry) are not compared: what is recorded holds for the
    activity that runs, and a change takes effect with the next one.
    """
    match command, event:
        case cmd.ScheduleActivity(), ev.ActivityScheduled():
            return (
                command.id == event.id
                and command.name == event.name
                and (
                    (command.named == event.named and bytes(command.input) == bytes(event.input))
                    or same_input(event, command)
                )
            )
        case cmd.ArmTimer(), ev.TimerStarted():
            return command.id == event.id and command.delay == event.delay
        case cmd.DisarmTimer(), ev.TimerCancelled():
            return command.id == event.id
        case cmd.CancelActivity(), ev.ActivityCancelled():
            return command.id == event.id
        case cmd.RecordSideEffect(), ev.SideEffectRecorded():
            return command.id == event.id
        case cmd.MarkPatch(), ev.PatchMarked():
            return command.change == event.change
    return False
