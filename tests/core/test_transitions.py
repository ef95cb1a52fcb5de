"""The life of a run as a table: every status with every event, legal and illegal."""

from __future__ import annotations

import typing

import pytest

from aion._core import events as ev
from aion._core.transitions import CLOSED_STATUSES, OPEN_STATUSES, TRANSITIONS, next_status

EVENTS: tuple[type, ...] = typing.get_args(ev.AnyEvent)

# Every move there is. What is not here must be refused.
MOVES = {
    ("absent", ev.WorkflowStarted): "running",
    ("running", ev.WorkflowCompleted): "completed",
    ("running", ev.WorkflowFailed): "failed",
    ("running", ev.WorkflowCancelled): "cancelled",
    ("running", ev.WorkflowTerminated): "terminated",
    ("running", ev.WorkflowBlocked): "blocked",
    ("blocked", ev.WorkflowBlocked): "blocked",
    ("blocked", ev.WorkflowUnblocked): "running",
    ("blocked", ev.WorkflowTerminated): "terminated",
}


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.__name__)
@pytest.mark.parametrize("status", TRANSITIONS)
def test_every_status_takes_exactly_the_events_it_should(status: str, event: type) -> None:
    """A legal event moves the run; any other is a bug of ours and raises at once, naming both."""
    if (status, event) in MOVES:
        assert next_status(status, event) == MOVES[status, event]
    else:
        with pytest.raises(AssertionError, match=f"{event.__name__} cannot happen to a run that is {status}"):
            next_status(status, event)


def test_the_table_has_no_other_moves() -> None:
    """The table and this list are the same, so that a new move is looked at twice."""
    table = {(status, event): to for status, moves in TRANSITIONS.items() for event, to in moves.items()}

    assert table == MOVES


def test_an_unknown_status_is_a_bug() -> None:
    """Nothing is made up for a status that is not in the table."""
    with pytest.raises(AssertionError, match="a run that is paused"):
        next_status("paused", ev.WorkflowTerminated)


def test_every_status_is_open_closed_or_not_there_yet() -> None:
    """The three groups cover the table, and nothing leads out of a closed status."""
    assert {*OPEN_STATUSES, *CLOSED_STATUSES, "absent"} == set(TRANSITIONS)
    assert [TRANSITIONS[status] for status in CLOSED_STATUSES] == [{}] * len(CLOSED_STATUSES)
    assert {to for moves in TRANSITIONS.values() for to in moves.values()} == {*OPEN_STATUSES, *CLOSED_STATUSES}


def test_every_open_run_can_be_terminated() -> None:
    """However a run is stuck, somebody can end it."""
    assert {next_status(status, ev.WorkflowTerminated) for status in OPEN_STATUSES} == {"terminated"}


def test_a_closed_status_is_reached_by_terminal_events_only() -> None:
    """`TERMINAL` lists exactly the events that close a run."""
    closing = {event for moves in TRANSITIONS.values() for event, to in moves.items() if to in CLOSED_STATUSES}

    assert closing == set(ev.TERMINAL)
