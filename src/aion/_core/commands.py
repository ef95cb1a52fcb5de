"""Commands: what workflow code asks the engine for. Each becomes one event of the same content.

A command's `id` is the place of the request in the program: the path of the task that made it and the
ordinal within that task. What arrives from outside never shifts it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgspec import Raw, Struct

from aion._core import events
from aion._core.events import ErrorInfo, RetryPolicy


class Command(Struct, frozen=True, gc=False):
    """The base of all commands; `at` is the file and line that issued it."""


class ScheduleActivity(Command, frozen=True):
    id: str
    name: str
    input: Raw
    named: bool
    at: str
    queue: str
    timeout: int | None
    retry: RetryPolicy | None


class CancelActivity(Command, frozen=True):
    id: str
    at: str


class ArmTimer(Command, frozen=True):
    id: str
    delay: int
    at: str


class DisarmTimer(Command, frozen=True):
    id: str


class RecordSideEffect(Command, frozen=True):
    id: str
    value: Raw
    at: str
    error: ErrorInfo | None = None


class MarkPatch(Command, frozen=True):
    change: str
    at: str


AnyCommand = ScheduleActivity | CancelActivity | ArmTimer | DisarmTimer | RecordSideEffect | MarkPatch


def event_of(command: AnyCommand) -> events.AnyEvent:
    """The event that records a command."""
    return _EVENT_OF[type(command)](command)


def _scheduled(command: ScheduleActivity) -> events.AnyEvent:
    return events.ActivityScheduled(
        command.id,
        command.name,
        command.input,
        command.named,
        command.at,
        command.queue,
        command.timeout,
        command.retry,
    )


# A table rather than a chain of patterns: this is done for every command of every workflow.
_EVENT_OF: dict[type, Callable[[Any], events.AnyEvent]] = {
    ScheduleActivity: _scheduled,
    CancelActivity: lambda command: events.ActivityCancelled(command.id, command.at),
    ArmTimer: lambda command: events.TimerStarted(command.id, command.delay, command.at),
    DisarmTimer: lambda command: events.TimerCancelled(command.id),
    RecordSideEffect: lambda command: events.SideEffectRecorded(command.id, command.value, command.at, command.error),
    MarkPatch: lambda command: events.PatchMarked(command.change, command.at),
}


def describe(item: AnyCommand | events.AnyEvent) -> str:
    """A command, or the event that records one, for people: what, which, and where in the code."""
    name = type(item).__name__
    detail = []
    for label in ("name", "id", "change"):
        value = getattr(item, label, None)
        if value:
            detail.append(f"{label}={value}")
    delay = getattr(item, "delay", None)
    if delay is not None:
        detail.append(f"delay={delay / 1_000_000:g}s")
    payload = getattr(item, "input", None)
    if payload is not None:
        text = bytes(payload).decode("utf-8", "replace")
        detail.append("input=" + (text if len(text) <= 120 else text[:117] + "..."))
    at = getattr(item, "at", "")
    return f"{name}({', '.join(detail)})" + (f" at {at}" if at else "")
