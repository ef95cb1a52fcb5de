"""The life of a run as a table: which event moves it from which status to which.

What is not in the table does not happen; an attempt is a bug of ours and raises at once.
"""

from __future__ import annotations

from aion._core import events as ev

_WHILE_OPEN: dict[type, str] = {
    ev.WorkflowCompleted: "completed",
    ev.WorkflowFailed: "failed",
    ev.WorkflowCancelled: "cancelled",
    ev.WorkflowTerminated: "terminated",
}

TRANSITIONS: dict[str, dict[type, str]] = {
    "absent": {ev.WorkflowStarted: "running"},
    "running": {**_WHILE_OPEN, ev.WorkflowBlocked: "blocked"},
    # Blocked again: another version of the code was tried, and it does not fit either.
    "blocked": {
        ev.WorkflowTerminated: "terminated",
        ev.WorkflowBlocked: "blocked",
        ev.WorkflowUnblocked: "running",
    },
    "completed": {},
    "failed": {},
    "cancelled": {},
    "terminated": {},
}

OPEN_STATUSES = ("running", "blocked")
CLOSED_STATUSES = ("completed", "failed", "cancelled", "terminated")


def next_status(status: str, event: type) -> str:
    """The status that `event` leads to. Events that are not about the run as a whole are not asked for."""
    try:
        return TRANSITIONS[status][event]
    except KeyError:
        raise AssertionError(f"{event.__name__} cannot happen to a run that is {status}") from None
