"""Events: everything that can be recorded about a run, as data of declared types.

An event's position, time and digest are columns of its row, not part of it. Once released, a field is
never removed or given another meaning; a new field has a default; anything more gets a new version of
the event (see `codec`).

Times and spans are integers in microseconds. Values of users are `Raw`: JSON text that this layer never
looks into.
"""

from __future__ import annotations

from msgspec import Raw, Struct

NO_VALUE = Raw(b"null")


class Event(Struct, frozen=True, gc=False, omit_defaults=True, forbid_unknown_fields=True):
    """The base of all events."""


class ErrorInfo(Struct, frozen=True, gc=False, omit_defaults=True):
    """An exception as history keeps it. `bases` are the class names of its ancestors, nearest first."""

    type: str
    message: str
    # A `Raw` in a union with None can be written but not read, so null stands for nothing.
    details: Raw = NO_VALUE
    traceback: str = ""
    cause: ErrorInfo | None = None
    bases: tuple[str, ...] = ()


class RetryPolicy(Struct, frozen=True, gc=False, omit_defaults=True):
    """When a failed attempt is followed by another. `max_attempts=None` is without end."""

    max_attempts: int | None = None
    initial: int = 1_000_000
    factor: float = 2.0
    max_interval: int = 60_000_000
    jitter: float = 0.1
    non_retryable: tuple[str, ...] = ()


# ── the run ──────────────────────────────────────────────────────────────────────────────────────


class WorkflowStarted(Event, frozen=True):
    """Opens a run. `named` says whether `input` is one value or an object keyed by parameter name."""

    workflow_type: str
    workflow_id: str
    run_id: str
    namespace: str
    input: Raw
    named: bool = False
    version: str | None = None
    code: str = ""
    attempt: int = 1
    parent: str | None = None
    attributes: Raw = NO_VALUE
    summary: str | None = None


class WorkflowCompleted(Event, frozen=True):
    """Terminal: the workflow function returned."""

    result: Raw = NO_VALUE


class WorkflowFailed(Event, frozen=True):
    """Terminal: an exception left the workflow function."""

    error: ErrorInfo


class WorkflowCancelRequested(Event, frozen=True):
    """Somebody asked the run to end; its code gets `CancelledError` and may clean up."""

    reason: str = ""


class WorkflowCancelled(Event, frozen=True):
    """Terminal: the run ended because it was asked to."""

    reason: str = ""


class WorkflowTerminated(Event, frozen=True):
    """Terminal: the run was ended from outside, without its code."""

    reason: str = ""


class WorkflowBlocked(Event, frozen=True):
    """The run cannot go on with the code of hash `code`. Replay ignores it."""

    reason: str
    code: str
    message: str = ""
    recorded: str = ""
    attempted: str = ""


class WorkflowUnblocked(Event, frozen=True):
    """The run goes on with the code of hash `code`. Replay ignores it."""

    code: str


# ── activities ───────────────────────────────────────────────────────────────────────────────────


class ActivityScheduled(Event, frozen=True):
    """The code asked for an activity. `at` is the file and line that did."""

    id: str
    name: str
    input: Raw
    named: bool = False
    at: str = ""
    queue: str = "default"
    timeout: int | None = None
    retry: RetryPolicy | None = None


class ActivityStarted(Event, frozen=True):
    """An attempt was handed out. `dispatch` counts the hand-outs of one attempt, whose workers may die."""

    id: str
    attempt: int = 1
    dispatch: int = 1


class ActivityCompleted(Event, frozen=True):
    """The activity's outcome: a result."""

    id: str
    result: Raw = NO_VALUE
    attempt: int = 1


class ActivityFailed(Event, frozen=True):
    """An attempt failed. With `retry_in` another follows after that span; without, it is the outcome."""

    id: str
    error: ErrorInfo
    attempt: int = 1
    kind: str = "error"
    retry_in: int | None = None


class ActivityCancelled(Event, frozen=True):
    """The code no longer waits for the activity; what it still reports is not recorded."""

    id: str
    at: str = ""


# ── time ─────────────────────────────────────────────────────────────────────────────────────────


class TimerStarted(Event, frozen=True):
    """A timer was armed; it is due `delay` after this event's time."""

    id: str
    delay: int
    at: str = ""


class TimerFired(Event, frozen=True):
    """A timer's time came; this event's time is never before it was due."""

    id: str


class TimerCancelled(Event, frozen=True):
    """The code disarmed a timer before it fired."""

    id: str


# ── messages and records ─────────────────────────────────────────────────────────────────────────


class SignalReceived(Event, frozen=True):
    """A signal was accepted. Its order in history is the order in which code gets it."""

    name: str
    value: Raw = NO_VALUE


class SideEffectRecorded(Event, frozen=True):
    """The value of a function that ran once, or what it raised."""

    id: str
    value: Raw = NO_VALUE
    at: str = ""
    error: ErrorInfo | None = None


class PatchMarked(Event, frozen=True):
    """The run goes the new way at `aion.patched(change)`."""

    change: str
    at: str = ""


AnyEvent = (
    WorkflowStarted
    | WorkflowCompleted
    | WorkflowFailed
    | WorkflowCancelRequested
    | WorkflowCancelled
    | WorkflowTerminated
    | WorkflowBlocked
    | WorkflowUnblocked
    | ActivityScheduled
    | ActivityStarted
    | ActivityCompleted
    | ActivityFailed
    | ActivityCancelled
    | TimerStarted
    | TimerFired
    | TimerCancelled
    | SignalReceived
    | SideEffectRecorded
    | PatchMarked
)

TERMINAL = (WorkflowCompleted, WorkflowFailed, WorkflowCancelled, WorkflowTerminated)
"""Exactly one of these is the last event of a closed run."""

COMMANDED = (ActivityScheduled, ActivityCancelled, TimerStarted, TimerCancelled, SideEffectRecorded, PatchMarked)
"""Events that record a command of workflow code; replay expects the code to issue them again."""
