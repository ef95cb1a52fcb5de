"""One turn as rows: stamped, chained, with exactly the marks, timers and requests that follow from it."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec import Raw

from aion._core import events as ev
from aion._core.draft import Draft
from aion._core.history import first_digest, next_digest
from aion._core.inputs import SignalArrived
from aion._core.state import RunState
from aion._runtime.commit import add_turn
from aion._runtime.resident import Delivery, Opening, ResidentRun
from aion._runtime.turn import Turn
from aion.stores.base import Flush, HeadRow, InboxRow, RequestRow, RunRow, StatusRow, TimerRow

NOW = 1_893_456_000_000_000
ERROR = ev.ErrorInfo("E", "m")
STARTED = ev.WorkflowStarted("order", "w", "r", "default", Raw(b"{}"))
ROW = RunRow(7, "default", "w", 1, "r", "order", None, None, NOW, b"{}", None)
SCHEDULED = ev.ActivityScheduled("1", "charge", Raw(b"{}"))


def a_run() -> ResidentRun:
    """A run that has no events yet."""
    return ResidentRun(7, "default", "w", 1, "r", "order", RunState(7, first_digest("default", "w", "r")))


def flushed(run: ResidentRun, *events: ev.AnyEvent, now: int = NOW, turn_time: int = NOW) -> tuple[Flush, Turn]:
    """The rows of a turn with these events, the first of them stamped by the turn."""
    turn = Turn(run)
    for number, event in enumerate(events):
        turn.draft.record(event, turn_time if not number else 0)
    turn.draft.close()
    flush = Flush(0, "me", 1)
    add_turn(flush, turn, now)
    return flush, turn


def test_events_are_chained_and_the_head_moves_with_them() -> None:
    """Each digest is that of the event before it, its place, type, time and bytes."""
    run = a_run()
    first, _ = flushed(run, STARTED, ev.TimerStarted("1", 5))
    second, _ = flushed(run, ev.SignalReceived("s"), now=NOW + 9, turn_time=NOW + 7)
    rows = [*first.events, *second.events]
    digest = first_digest("default", "w", "r")
    for number, row in enumerate(rows, 1):
        digest = next_digest(digest, number, row.type, row.time, row.data)
        assert (row.run, row.seq, row.digest) == (7, number, digest)

    assert [row.time for row in rows] == [NOW, NOW, NOW + 7]
    assert first.heads == [HeadRow(7, 0, 2, NOW, rows[1].digest, sum(len(row.data) for row in rows[:2]))]
    assert second.heads[0][:4] == (7, 2, 3, NOW + 9)
    assert run.state.digest == digest


def test_the_commit_stamps_what_code_asked_for() -> None:
    """Later than the turn, if the commit came later; never earlier than what is recorded."""
    run = a_run()
    late, _ = flushed(run, STARTED, ev.TimerStarted("1", 5), now=NOW + 100)
    back, _ = flushed(run, ev.SignalReceived("s"), ev.TimerStarted("2", 5), now=NOW - 1_000, turn_time=NOW + 100)

    assert [row.time for row in late.events] == [NOW, NOW + 100]
    assert [row.time for row in back.events] == [NOW + 100, NOW + 100]


def test_a_timer_is_due_its_delay_after_the_event_that_armed_it() -> None:
    """The stamp of that very event, and the row carries its place."""
    run = a_run()
    flush, turn = flushed(run, STARTED, ev.TimerStarted("1", 5_000), ev.TimerStarted("2", 60), now=NOW + 100)

    assert flush.timers == [TimerRow(NOW + 100 + 5_000, 7, 2), TimerRow(NOW + 100 + 60, 7, 3)]
    assert [timer.due for timer in turn.draft.armed.values()] == [NOW + 5_100, NOW + 160]


def test_a_timer_that_ended_loses_its_row_by_its_exact_key() -> None:
    """One that was armed and ended in one turn never had any."""
    run = a_run()
    flushed(run, STARTED, ev.TimerStarted("1", 5_000))
    flush, _ = flushed(run, ev.TimerFired("1"), ev.TimerStarted("2", 9), ev.TimerCancelled("2"), turn_time=NOW + 5_000)

    assert (flush.timers, flush.timers_gone) == ([], [(NOW + 5_000, 7, 2)])


@pytest.mark.parametrize(
    ("before", "events", "busy", "idle"),
    [
        ((), (SCHEDULED, ev.ActivityStarted("1")), [7], []),
        ((SCHEDULED,), (ev.ActivityStarted("1"),), [], []),
        ((SCHEDULED, ev.ActivityStarted("1")), (ev.ActivityCompleted("1"),), [], [7]),
        ((SCHEDULED, ev.ActivityStarted("1")), (ev.ActivityFailed("1", ERROR, 1, "error", 5),), [], [7]),
        ((SCHEDULED, ev.ActivityStarted("1")), (ev.WorkflowTerminated(),), [], [7]),
        ((), (ev.SignalReceived("s"),), [], []),
    ],
)
def test_the_busy_mark_is_set_and_cleared_as_work_comes_and_goes(
    before: tuple[Any, ...], events: tuple[Any, ...], busy: list[int], idle: list[int]
) -> None:
    """Only when it changes."""
    run = a_run()
    flushed(run, STARTED, *before)
    flush, _ = flushed(run, *events)

    assert (flush.busy, flush.idle) == (busy, idle)


def test_a_run_that_closes_has_its_status_and_must_have_no_unread_inbox_row() -> None:
    """In a later turn, or in its very first."""
    late, at_once = a_run(), a_run()
    flushed(late, STARTED)
    closing, _ = flushed(late, ev.WorkflowCompleted(), now=NOW + 5, turn_time=NOW + 5)
    first, _ = flushed(at_once, STARTED, ev.WorkflowFailed(ERROR))

    assert (closing.statuses, closing.closing) == ([StatusRow(7, "completed", NOW + 5, None, None)], [7])
    assert (first.statuses, first.closing) == ([StatusRow(7, "failed", NOW, None, None)], [7])


def test_a_block_is_shown_with_its_reason_and_taken_away_when_the_run_goes_on() -> None:
    """Blocked again, with another reason, it shows that one."""
    run = a_run()
    flushed(run, STARTED)
    rows: list[StatusRow] = []
    for block in (ev.WorkflowBlocked("nondeterminism", "c1", "they differ"), ev.WorkflowBlocked("missing code", "c2")):
        run.block = block
        flush, _ = flushed(run, block)
        rows += flush.statuses
    run.block = None
    flush, _ = flushed(run, ev.WorkflowUnblocked("c3"))

    assert [*rows, *flush.statuses] == [
        StatusRow(7, "blocked", None, "nondeterminism: they differ", "c1"),
        StatusRow(7, "blocked", None, "missing code", "c2"),
        StatusRow(7, "running", None, None, None),
    ]


def test_a_blocked_run_that_ends_loses_its_busy_mark_in_any_case() -> None:
    """Its history may not be known."""
    run = a_run()
    flushed(run, STARTED)
    run.block = ev.WorkflowBlocked("corrupt history", "c1")
    flushed(run, run.block)
    flush, _ = flushed(run, ev.WorkflowTerminated())

    assert (flush.idle, flush.closing) == ([7], [7])


def test_requests_and_inbox_rows_go_with_the_turn_that_takes_them() -> None:
    """Kept answers, rows consumed, rows put aside, and the new run itself."""
    run = a_run()
    request, start = RequestRow("default", "w", "s:1", b"null"), RequestRow("default", "w", "start:1", b"{}")
    turn = Turn(run)
    turn.opening = Opening(ROW, STARTED, None, None, start)
    turn.draft.record(STARTED, NOW)
    turn.taken = [Delivery(SignalArrived("a"), inbox=3), Delivery(SignalArrived("b"), request=request)]
    turn.inbox = [InboxRow(7, 9, "input", b"{}")]
    turn.draft.close()
    flush = Flush(0, "me", 1)
    add_turn(flush, turn, NOW)

    assert flush.new_runs == [ROW]
    assert flush.requests == [(7, request), (7, start)]
    assert (flush.inbox_gone, flush.inbox) == ([(7, 3)], turn.inbox)


def test_a_turn_without_events_moves_no_head() -> None:
    """Its inputs meant nothing, or were put aside."""
    run = a_run()
    flushed(run, STARTED)
    flush, _ = flushed(run)

    assert (flush.events, flush.heads, flush.statuses, flush.busy, flush.idle) == ([], [], [], [], [])
    assert isinstance(run.state.draft, Draft | None)
