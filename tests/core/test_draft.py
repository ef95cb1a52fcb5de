"""A turn while it is being recorded: its events in order, encoded once, and the state that moves with them."""

from __future__ import annotations

from msgspec import Raw

from aion._core import events as ev
from aion._core.codec import encode_event
from aion._core.draft import Draft
from aion._core.state import RunState

STARTED = ev.WorkflowStarted("fulfil", "order-17", "r1", "default", Raw(b"{}"))


def test_a_draft_keeps_events_in_order_with_their_bytes_and_times() -> None:
    """What the code asked for has no time yet; the committer stamps it."""
    draft = Draft(RunState(7, b""))
    draft.record(STARTED, 100)
    draft.record(ev.TimerStarted("1", 5))

    assert draft.events == [
        ("WorkflowStarted", encode_event(STARTED), 100),
        ("TimerStarted", encode_event(ev.TimerStarted("1", 5)), 0),
    ]


def test_the_state_moves_as_events_are_recorded() -> None:
    """Position, size and status are those after the last recorded event."""
    state = RunState(7, b"")
    draft = Draft(state)
    draft.record(STARTED, 100)
    draft.record(ev.SignalReceived("s"), 100)
    draft.record(ev.WorkflowCompleted())
    draft.close()

    assert (state.seq, state.status) == (3, "completed")
    assert state.size == sum(len(data) for _, data, _ in draft.events)


def test_a_draft_remembers_where_it_began() -> None:
    """What changed is told by comparing with the position, the status and the busy mark from before."""
    state = RunState(7, b"")
    first = Draft(state)
    first.record(STARTED, 100)
    first.record(ev.ActivityScheduled("1", "charge", Raw(b"{}")))
    first.close()
    second = Draft(state)
    second.close()

    assert (first.base, first.status_before, first.was_busy) == (0, "absent", False)
    assert (second.base, second.status_before, second.was_busy) == (2, "running", True)


def test_the_state_notes_nothing_once_the_draft_is_closed() -> None:
    """A closed draft is complete: later events belong to another turn."""
    state = RunState(7, b"")
    draft = Draft(state)
    draft.record(STARTED, 100)
    draft.close()
    state.apply(ev.TimerStarted("1", 5), 200)

    assert (state.draft, draft.armed, len(draft.events)) == (None, {}, 1)
