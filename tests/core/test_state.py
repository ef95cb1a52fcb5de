"""What a history amounts to: every event moves the state as it should, and the draft notes what follows."""

from __future__ import annotations

import typing

import pytest
from msgspec import Raw

from aion._core import events as ev
from aion._core.draft import Draft
from aion._core.state import MOVES, RunState

ERROR = ev.ErrorInfo("E", "m")
STARTED = ev.WorkflowStarted("fulfil", "order-17", "r1", "default", Raw(b"{}"))
SCHEDULED = ev.ActivityScheduled("1", "charge", Raw(b"{}"))


def state_after(*events: ev.AnyEvent, time: int = 100) -> RunState:
    """The state of a run with this history, each event one microsecond after the other."""
    state = RunState(7, b"")
    for number, event in enumerate((STARTED, *events)):
        state.apply(event, time + number)
    return state


def test_a_new_run_is_nothing_yet() -> None:
    """Before its first event a run is absent, with nothing pending."""
    state = RunState(7, b"digest")

    assert (state.run, state.digest, state.status, state.seq, state.time, state.size) == (
        7,
        b"digest",
        "absent",
        0,
        0,
        0,
    )
    assert (state.activities, state.timers, state.working, state.cancel_reason, state.closed_by) == (
        {},
        {},
        0,
        None,
        None,
    )


def test_events_without_a_move_are_the_ones_that_only_code_reads() -> None:
    """Signals and records change nothing but the position; every other type has its move."""
    without = set(typing.get_args(ev.AnyEvent)) - set(MOVES)

    assert without == {ev.SignalReceived, ev.SideEffectRecorded, ev.PatchMarked}


@pytest.mark.parametrize("event", [ev.SignalReceived("s"), ev.SideEffectRecorded("1"), ev.PatchMarked("c")])
def test_such_an_event_only_counts(event: ev.AnyEvent) -> None:
    """The position moves, and nothing else does."""
    state = state_after(event)

    assert (state.seq, state.status, state.activities, state.timers) == (2, "running", {}, {})


def test_an_activity_is_pending_from_its_request_to_its_outcome() -> None:
    """Scheduled, handed out, done: in the table until then, and counted as work."""
    asked = state_after(SCHEDULED)
    started = state_after(SCHEDULED, ev.ActivityStarted("1"))
    done = state_after(SCHEDULED, ev.ActivityStarted("1"), ev.ActivityCompleted("1"))

    assert [(a.attempt, a.dispatch, a.running, a.seq) for a in asked.activities.values()] == [(0, 0, False, 2)]
    assert [(a.attempt, a.dispatch, a.running, a.seq) for a in started.activities.values()] == [(1, 1, True, 2)]
    assert done.activities == {}
    assert [asked.working, started.working, done.working] == [1, 1, 0]


def test_a_failure_that_is_retried_waits_for_a_timer_and_one_that_is_not_ends_the_activity() -> None:
    """A back-off is a timer of the run like any other, tied to its activity; while it waits no process works."""
    waiting = state_after(SCHEDULED, ev.ActivityStarted("1"), ev.ActivityFailed("1", ERROR, 1, "error", 50))
    failed = state_after(SCHEDULED, ev.ActivityStarted("1"), ev.ActivityFailed("1", ERROR))
    pending = waiting.activities["1"]

    assert (pending.running, waiting.working) == (False, 0)
    assert pending.back_off is waiting.timers[4]
    assert (waiting.timers[4].id, waiting.timers[4].delay, waiting.timers[4].due) == ("1", 50, 103 + 50)
    assert waiting.timers[4].activity is pending
    assert (failed.activities, failed.timers, failed.working) == ({}, {}, 0)


def test_the_next_attempt_ends_the_back_off() -> None:
    """Its timer is gone, the attempt is the next one, and somebody works again."""
    state = state_after(
        SCHEDULED, ev.ActivityStarted("1"), ev.ActivityFailed("1", ERROR, 1, "error", 50), ev.ActivityStarted("1", 2)
    )
    pending = state.activities["1"]

    assert (pending.attempt, pending.dispatch, pending.running, pending.back_off) == (2, 1, True, None)
    assert (state.timers, state.working) == ({}, 1)


def test_an_attempt_may_be_handed_out_again() -> None:
    """The same attempt under a higher dispatch number; it still is one piece of work."""
    state = state_after(SCHEDULED, ev.ActivityStarted("1"), ev.ActivityStarted("1", 1, 2))
    pending = state.activities["1"]

    assert (pending.attempt, pending.dispatch, pending.running, state.working) == (1, 2, True, 1)


@pytest.mark.parametrize(
    "before",
    [
        (),
        (ev.ActivityStarted("1"),),
        (ev.ActivityStarted("1"), ev.ActivityFailed("1", ERROR, 1, "error", 50)),
    ],
    ids=["asked for", "handed out", "backing off"],
)
def test_a_cancelled_activity_is_gone_at_any_stage(before: tuple[ev.AnyEvent, ...]) -> None:
    """Nothing of it is left: no entry, no back-off, no work."""
    state = state_after(SCHEDULED, *before, ev.ActivityCancelled("1"))

    assert (state.activities, state.timers, state.working) == ({}, {}, 0)


@pytest.mark.parametrize("end", [ev.TimerFired("2"), ev.TimerCancelled("2")])
def test_a_timer_is_pending_until_it_fires_or_is_cancelled(end: ev.AnyEvent) -> None:
    """It is found by the position of the event that armed it, and is due after its delay."""
    armed = state_after(ev.TimerStarted("2", 500))
    ended = state_after(ev.TimerStarted("2", 500), end)

    assert [(seq, t.id, t.delay, t.due, t.activity) for seq, t in armed.timers.items()] == [(2, "2", 500, 601, None)]
    assert (armed.timer_seqs, ended.timers, ended.timer_seqs) == ({"2": 2}, {}, {})


def test_a_timer_without_a_time_has_no_due_time_yet() -> None:
    """Only the committer knows when an event of this very turn was stamped."""
    state = RunState(7, b"")
    state.apply(STARTED, 0)
    state.apply(ev.TimerStarted("2", 500), 0)

    assert state.timers[2].due == 0


@pytest.mark.parametrize(
    "end",
    [ev.WorkflowCompleted(), ev.WorkflowFailed(ERROR), ev.WorkflowCancelled("why"), ev.WorkflowTerminated("why")],
    ids=lambda event: type(event).__name__,
)
def test_a_run_that_closes_leaves_nothing_pending(end: ev.AnyEvent) -> None:
    """Timers, back-offs and attempts all go with the run."""
    other = ev.ActivityScheduled("3", "ship", Raw(b"{}"))
    state = state_after(
        SCHEDULED,
        ev.ActivityStarted("1"),
        other,
        ev.ActivityStarted("3"),
        ev.ActivityFailed("3", ERROR, 1, "error", 9),
        ev.TimerStarted("2", 500),
        end,
    )

    assert state.closed_by is end
    assert state.status in ("completed", "failed", "cancelled", "terminated")
    assert (state.activities, state.timers, state.timer_seqs, state.working) == ({}, {}, {}, 0)


def test_a_cancel_request_is_remembered_with_its_reason() -> None:
    """The run goes on; that it was asked to end is part of its state."""
    state = state_after(ev.WorkflowCancelRequested("enough"))

    assert (state.status, state.cancel_reason) == ("running", "enough")


def test_blocking_and_unblocking_leave_what_is_pending_alone() -> None:
    """A blocked run keeps its timers and activities for when it goes on."""
    blocked = state_after(SCHEDULED, ev.TimerStarted("2", 5), ev.WorkflowBlocked("nondeterminism", "c1"))
    again = state_after(
        SCHEDULED,
        ev.TimerStarted("2", 5),
        ev.WorkflowBlocked("nondeterminism", "c1"),
        ev.WorkflowBlocked("nondeterminism", "c2"),
        ev.WorkflowUnblocked("c3"),
    )

    assert (blocked.status, again.status) == ("blocked", "running")
    assert [list(state.activities) for state in (blocked, again)] == [["1"], ["1"]]
    assert [list(state.timers) for state in (blocked, again)] == [[3], [3]]


@pytest.mark.parametrize(
    "events",
    [
        (ev.ActivityStarted("9"),),
        (ev.ActivityCompleted("9"),),
        (ev.ActivityFailed("9", ERROR),),
        (ev.ActivityCancelled("9"),),
        (ev.TimerFired("9"),),
        (ev.TimerCancelled("9"),),
        (ev.TimerStarted("2", 5), ev.TimerFired("2"), ev.TimerFired("2")),
        (SCHEDULED, ev.ActivityStarted("1"), ev.ActivityCompleted("1"), ev.ActivityCompleted("1")),
        (STARTED,),
        (ev.WorkflowUnblocked("c"),),
        (ev.WorkflowCompleted(), ev.WorkflowCompleted()),
        (ev.WorkflowBlocked("nondeterminism", "c"), ev.WorkflowCompleted()),
    ],
)
def test_an_event_that_does_not_follow_is_refused(events: tuple[ev.AnyEvent, ...]) -> None:
    """A history that makes no sense is found while it is read, not later."""
    with pytest.raises((KeyError, AssertionError)):
        state_after(*events)


def test_the_draft_notes_the_rows_that_timers_need() -> None:
    """One that was armed and ended in the same turn never gets a row; one from before loses the row it has."""
    state = state_after(ev.TimerStarted("old", 500))
    draft = Draft(state)
    draft.record(ev.TimerStarted("kept", 600))
    draft.record(ev.TimerStarted("brief", 700))
    draft.record(ev.TimerCancelled("brief"))
    draft.record(ev.TimerCancelled("old"))
    draft.close()

    assert {seq: timer.id for seq, timer in draft.armed.items()} == {3: "kept"}
    assert draft.disarmed == [(601, 7, 2)]


def test_the_draft_notes_what_is_handed_out_and_taken_back() -> None:
    """Attempts to start once the turn is durable, and those nobody waits for any more."""
    state = state_after(SCHEDULED, ev.ActivityStarted("1"))
    draft = Draft(state)
    old = state.activities["1"]
    draft.record(ev.ActivityScheduled("2", "ship", Raw(b"{}")))
    draft.record(ev.ActivityStarted("2"))
    new = state.activities["2"]
    draft.record(ev.ActivityCancelled("1"))
    draft.close()

    assert (draft.handed_out, draft.taken_back) == ([new], [old])


def test_the_draft_notes_all_that_a_closing_run_lets_go() -> None:
    """The end of a run takes back its attempts and removes the rows of its timers and back-offs."""
    state = state_after(
        SCHEDULED,
        ev.ActivityStarted("1"),
        ev.ActivityScheduled("3", "ship", Raw(b"{}")),
        ev.ActivityStarted("3"),
        ev.ActivityFailed("3", ERROR, 1, "error", 9),
        ev.TimerStarted("2", 500),
    )
    draft = Draft(state)
    working = state.activities["1"]
    draft.record(ev.WorkflowTerminated())
    draft.close()

    assert draft.taken_back == [working]
    assert sorted(draft.disarmed) == [(105 + 9, 7, 6), (106 + 500, 7, 7)]


def test_without_a_draft_nothing_is_noted() -> None:
    """Reading a history back has no effects: what follows from its events happened long ago."""
    state = state_after(SCHEDULED, ev.ActivityStarted("1"), ev.TimerStarted("2", 5), ev.TimerFired("2"))

    assert state.draft is None
    assert state.activities["1"].running
