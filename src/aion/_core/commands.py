"""Commands: what workflow code asks the engine for. Each becomes one event of the same content.

A command's `id` is the place of the request in the program: the path of the task that made it and the
ordinal within that task. What arrives from outside never shifts it.
"""

from __future__ import annotations

from msgspec import Raw, Struct

from aion._core import events
from aion._core.events import RetryPolicy


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


class MarkPatch(Command, frozen=True):
    change: str
    at: str


AnyCommand = ScheduleActivity | CancelActivity | ArmTimer | DisarmTimer | RecordSideEffect | MarkPatch


def event_of(command: AnyCommand) -> events.AnyEvent:
    """The event that records a command."""
    match command:
        case ScheduleActivity(id, name, input, named, at, queue, timeout, retry):
            return events.ActivityScheduled(id, name, input, named, at, queue, timeout, retry)
        case ArmTimer(id, delay, at):
            return events.TimerStarted(id, delay, at)
        case DisarmTimer(id):
            return events.TimerCancelled(id)
        case CancelActivity(id, at):
            return events.ActivityCancelled(id, at)
        case RecordSideEffect(id, value, at):
            return events.SideEffectRecorded(id, value, at)
        case MarkPatch(change, at):
            return events.PatchMarked(change, at)


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
