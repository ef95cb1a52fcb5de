"""What a history amounts to: the state of one run, moved by its events and by nothing else.

While a turn is being recorded the state also notes, in the turn's `Draft`, the timers and hand-outs
that its events create and end: rows and effects follow from events in this one place.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from aion._core import events as ev
from aion._core.transitions import next_status

if TYPE_CHECKING:
    from aion._core.draft import Draft


class PendingActivity:
    """An activity without an outcome. `running`: its current attempt was handed out and has not reported.

    `attempt` is 0 until the first hand-out.
    """

    __slots__ = ("attempt", "back_off", "dispatch", "running", "scheduled", "seq")

    def __init__(self, scheduled: ev.ActivityScheduled, seq: int) -> None:
        self.scheduled = scheduled
        self.seq = seq
        self.attempt = 0
        self.dispatch = 0
        self.running = False
        self.back_off: PendingTimer | None = None


class PendingTimer:
    """A timer that has not fired. `activity`: it is the back-off of that activity, not a timer of the code.

    `due` is 0 until the event that armed it has its time.
    """

    __slots__ = ("activity", "delay", "due", "id", "seq")

    def __init__(self, id: str, seq: int, delay: int, due: int, activity: PendingActivity | None) -> None:
        self.id = id
        self.seq = seq
        self.delay = delay
        self.due = due
        self.activity = activity


class RunState:
    """The state of one run, as its events have made it.

    `seq`, `digest`, `time` and `size` are the end of its history: of what is committed, except `seq`
    and `size`, which count the events of the draft too while there is one. `working` counts activities
    that need a process: handed out, or about to be; not those that wait for a back-off.
    """

    __slots__ = (
        "activities",
        "cancel_reason",
        "closed_by",
        "digest",
        "draft",
        "run",
        "seq",
        "size",
        "status",
        "time",
        "timer_seqs",
        "timers",
        "working",
    )

    def __init__(self, run: int, digest: bytes) -> None:
        self.run = run
        self.digest = digest
        self.seq = 0
        self.time = 0
        self.size = 0
        self.status = "absent"
        self.activities: dict[str, PendingActivity] = {}
        self.timers: dict[int, PendingTimer] = {}
        self.timer_seqs: dict[str, int] = {}
        self.working = 0
        self.cancel_reason: str | None = None
        self.closed_by: ev.AnyEvent | None = None
        self.draft: Draft | None = None

    def apply(self, event: ev.AnyEvent, time: int) -> None:
        """Append one event. `time` is 0 while only the committer knows it."""
        self.seq += 1
        move = MOVES.get(type(event))
        if move is not None:
            move(self, event, time)

    # ── timers ───────────────────────────────────────────────────────────────────────────────────

    def arm(self, id: str, delay: int, time: int, activity: PendingActivity | None) -> PendingTimer:
        timer = PendingTimer(id, self.seq, delay, time + delay if time else 0, activity)
        self.timers[self.seq] = timer
        if self.draft is not None:
            self.draft.armed[self.seq] = timer
        return timer

    def disarm(self, seq: int) -> None:
        timer = self.timers.pop(seq)
        draft = self.draft
        # A timer that was armed in this same turn has no row yet, and never gets one.
        if draft is not None and draft.armed.pop(seq, None) is None:
            draft.disarmed.append((timer.due, self.run, seq))

    # ── hand-outs ────────────────────────────────────────────────────────────────────────────────

    def hand_out(self, activity: PendingActivity) -> None:
        activity.running = True
        if self.draft is not None:
            self.draft.handed_out.append(activity)

    def take_back(self, activity: PendingActivity) -> None:
        """The current attempt is over, or given up."""
        if activity.running:
            activity.running = False
            if self.draft is not None:
                self.draft.taken_back.append(activity)


def _started(state: RunState, event: ev.WorkflowStarted, time: int) -> None:
    state.status = next_status(state.status, ev.WorkflowStarted)


def _cancel_requested(state: RunState, event: ev.WorkflowCancelRequested, time: int) -> None:
    state.cancel_reason = event.reason


def _blocking(state: RunState, event: ev.AnyEvent, time: int) -> None:
    state.status = next_status(state.status, type(event))


def _closed(state: RunState, event: ev.AnyEvent, time: int) -> None:
    state.status = next_status(state.status, type(event))
    state.closed_by = event
    for seq in list(state.timers):
        state.disarm(seq)
    for activity in state.activities.values():
        state.take_back(activity)
    state.activities.clear()
    state.timer_seqs.clear()
    state.working = 0


def _activity_scheduled(state: RunState, event: ev.ActivityScheduled, time: int) -> None:
    state.activities[event.id] = PendingActivity(event, state.seq)
    state.working += 1


def _activity_started(state: RunState, event: ev.ActivityStarted, time: int) -> None:
    activity = state.activities[event.id]
    if activity.back_off is not None:
        state.disarm(activity.back_off.seq)
        activity.back_off = None
        state.working += 1
    state.take_back(activity)
    activity.attempt = event.attempt
    activity.dispatch = event.dispatch
    state.hand_out(activity)


def _activity_completed(state: RunState, event: ev.ActivityCompleted, time: int) -> None:
    state.take_back(state.activities.pop(event.id))
    state.working -= 1


def _activity_failed(state: RunState, event: ev.ActivityFailed, time: int) -> None:
    activity = state.activities[event.id]
    state.take_back(activity)
    state.working -= 1
    if event.retry_in is None:
        del state.activities[event.id]
    else:
        activity.back_off = state.arm(event.id, event.retry_in, time, activity)


def _activity_cancelled(state: RunState, event: ev.ActivityCancelled, time: int) -> None:
    activity = state.activities.pop(event.id)
    if activity.back_off is not None:
        state.disarm(activity.back_off.seq)
    else:
        state.working -= 1
    state.take_back(activity)


def _timer_started(state: RunState, event: ev.TimerStarted, time: int) -> None:
    state.arm(event.id, event.delay, time, None)
    state.timer_seqs[event.id] = state.seq


def _timer_ended(state: RunState, event: ev.TimerFired | ev.TimerCancelled, time: int) -> None:
    state.disarm(state.timer_seqs.pop(event.id))


MOVES: dict[type, Callable[[RunState, Any, int], None]] = {
    ev.WorkflowStarted: _started,
    ev.WorkflowCancelRequested: _cancel_requested,
    ev.WorkflowBlocked: _blocking,
    ev.WorkflowUnblocked: _blocking,
    ev.WorkflowCompleted: _closed,
    ev.WorkflowFailed: _closed,
    ev.WorkflowCancelled: _closed,
    ev.WorkflowTerminated: _closed,
    ev.ActivityScheduled: _activity_scheduled,
    ev.ActivityStarted: _activity_started,
    ev.ActivityCompleted: _activity_completed,
    ev.ActivityFailed: _activity_failed,
    ev.ActivityCancelled: _activity_cancelled,
    ev.TimerStarted: _timer_started,
    ev.TimerFired: _timer_ended,
    ev.TimerCancelled: _timer_ended,
}
