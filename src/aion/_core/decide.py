"""Decide: what an input means for a run, given its state. Inputs that come too late mean nothing.

The answer is the events to record. An empty answer is a decision too: the input was stale, doubled or
forged, and leaves no trace but a counter.
"""

from __future__ import annotations

from collections.abc import Callable

from aion._core import events as ev
from aion._core import inputs
from aion._core.retry import retry_delay
from aion._core.state import RunState


def decide(state: RunState, arrived: inputs.AnyInput, spread: Callable[[], float]) -> tuple[ev.AnyEvent, ...]:
    """The events that follow from an input. `spread` gives the jitter of a back-off, uniform in [-1, 1]."""
    if state.closed_by is not None:
        return ()
    match arrived:
        case inputs.ActivityReported():
            return _reported(state, arrived, spread)
        case inputs.TimerDue(seq, _):
            return _timer_due(state, seq)
        case inputs.SignalArrived(name, value):
            return (ev.SignalReceived(name, value),)
        case inputs.AttemptLost(id):
            return _lost(state, id)
        case inputs.CancelRequested(reason):
            # One request is enough; a second one changes neither the reason nor the clean-up under way.
            return () if state.cancel_reason is not None else (ev.WorkflowCancelRequested(reason),)
        case inputs.TerminateRequested(reason):  # pragma: no branch - the union has no other member
            return (ev.WorkflowTerminated(reason),)


def _reported(state: RunState, report: inputs.ActivityReported, spread: Callable[[], float]) -> tuple[ev.AnyEvent, ...]:
    activity = state.activities.get(report.id)
    if (
        activity is None
        or not activity.running
        or activity.attempt != report.attempt
        or activity.dispatch != report.dispatch
    ):
        return ()
    if report.error is None:
        return (ev.ActivityCompleted(report.id, report.result, report.attempt),)
    delay = None
    if not report.non_retryable:
        delay = retry_delay(activity.scheduled.retry, report.attempt, report.error, spread())
    return (ev.ActivityFailed(report.id, report.error, report.attempt, report.kind, delay),)


def _timer_due(state: RunState, seq: int) -> tuple[ev.AnyEvent, ...]:
    timer = state.timers.get(seq)
    if timer is None:
        return ()
    if timer.activity is not None:
        return (ev.ActivityStarted(timer.id, timer.activity.attempt + 1),)
    return (ev.TimerFired(timer.id),)


def _lost(state: RunState, id: str) -> tuple[ev.AnyEvent, ...]:
    activity = state.activities.get(id)
    if activity is None or activity.back_off is not None:
        return ()
    if activity.attempt == 0:
        # It was asked for while the former engine was closing, and never handed out.
        return (ev.ActivityStarted(id),)
    policy = activity.scheduled.retry
    if policy is not None and policy.max_attempts == 1:
        # Somebody asked for at most one hand-out, so it may not be handed out again.
        error = ev.ErrorInfo("WorkerLost", "the process that ran the only allowed attempt is gone")
        return (ev.ActivityFailed(id, error, activity.attempt, "lost"),)
    return (ev.ActivityStarted(id, activity.attempt, activity.dispatch + 1),)
