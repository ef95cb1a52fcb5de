"""Checks of histories by themselves: whole, ended once, in order of time, no timer early."""

from __future__ import annotations

from collections.abc import Iterator

from aion._core import events as ev
from aion.testing.crash.evidence import Evidence, RunEvidence

_STATUS_OF = {
    ev.WorkflowCompleted: "completed",
    ev.WorkflowFailed: "failed",
    ev.WorkflowCancelled: "cancelled",
    ev.WorkflowTerminated: "terminated",
}

_STAMPED_BY_COMMIT = (*ev.COMMANDED, *ev.TERMINAL, ev.ActivityStarted)


def check_histories(evidence: Evidence) -> Iterator[str]:
    """What is wrong with any history. Gaps, digests and events that do not follow were found while reading it."""
    for run in evidence.runs:
        if run.damage:
            yield f"{run.name}: its history is damaged: {run.damage}"
            continue
        yield from _check_end(run)
        yield from _check_times(run)
        yield from _check_timers(run)


def _check_end(run: RunEvidence) -> Iterator[str]:
    ends = [entry for entry in run.history if isinstance(entry.event, ev.TERMINAL)]
    if len(ends) != 1:
        yield f"{run.name}: it has {len(ends)} terminal events, expected one (status {run.record.status})"
        return
    end = ends[0]
    if end.seq != len(run.history):
        yield f"{run.name}: event {end.seq} ends it, but {len(run.history) - end.seq} more follow"
    status = _STATUS_OF[type(end.event)]
    if run.record.status != status or run.record.closed is None:
        yield f"{run.name}: it is listed as {run.record.status} (closed {run.record.closed}), its history says {status}"


def _check_times(run: RunEvidence) -> Iterator[str]:
    """Time as the code sees it never goes back, and nothing is recorded before what led to it.

    What the code asks for is stamped later than the input that it reacts to, by the commit. So of several inputs in
    one turn, the second may well be older than what followed from the first.
    """
    latest = 0
    for entry in run.history:
        if entry.time < latest:
            yield f"{run.name}: event {entry.seq} is {latest - entry.time} µs older than an input before it"
        if not isinstance(entry.event, _STAMPED_BY_COMMIT):
            latest = max(latest, entry.time)


def _check_timers(run: RunEvidence) -> Iterator[str]:
    """Timers of the code by id, back-offs by activity: each with the time from which it may fire."""
    due: dict[str, int] = {}
    retry_at: dict[str, int] = {}
    for entry in run.history:
        match entry.event:
            case ev.TimerStarted(id, delay):
                due[id] = entry.time + delay
            case ev.TimerFired(id):
                if id not in due:
                    yield f"{run.name}: timer {id} fired at event {entry.seq} without being armed, or twice"
                elif entry.time < due[id]:
                    yield f"{run.name}: timer {id} fired {due[id] - entry.time} µs early, at event {entry.seq}"
                due.pop(id, None)
            case ev.ActivityFailed(id, retry_in=int(retry_in)):
                retry_at[id] = entry.time + retry_in
            case ev.ActivityStarted(id):
                if entry.time < retry_at.pop(id, 0):
                    yield f"{run.name}: activity {id} was tried again before its back-off was over (event {entry.seq})"
