"""A turn while it is being recorded: the events of one run, and the rows and effects that follow.

A draft changes the run's state as it grows. If it cannot be committed, state and draft are thrown away
together and the run is built again from the store.
"""

from __future__ import annotations

from aion._core.codec import NAME_OF, encode_event
from aion._core.events import AnyEvent
from aion._core.state import MOVES, PendingActivity, PendingTimer, RunState


class Draft:
    """What one turn adds to one run.

    `events` holds (type, bytes, time) with time 0 for those that the committer stamps. `armed` are timers
    that need a row, `disarmed` keys of rows that go, `handed_out` the attempts to start once committed,
    `taken_back` attempts nobody waits for any more.
    """

    __slots__ = (
        "armed",
        "base",
        "base_size",
        "disarmed",
        "events",
        "handed_out",
        "state",
        "status_before",
        "taken_back",
        "was_busy",
    )

    def __init__(self, state: RunState) -> None:
        self.state = state
        self.base = state.seq
        self.base_size = state.size
        self.status_before = state.status
        self.was_busy = state.working > 0
        self.events: list[tuple[str, bytes, int]] = []
        self.armed: dict[int, PendingTimer] = {}
        self.disarmed: list[tuple[int, int, int]] = []
        self.handed_out: list[PendingActivity] = []
        self.taken_back: list[PendingActivity] = []
        state.draft = self

    def record(self, event: AnyEvent, time: int = 0) -> None:
        """Add one event; the state moves with it."""
        data = encode_event(event)
        kind = type(event)
        self.events.append((NAME_OF[kind], data, time))
        state = self.state
        state.size += len(data)
        state.seq += 1
        move = MOVES.get(kind)
        if move is not None:
            move(state, event, time)

    def close(self) -> None:
        """Stop noting; the draft is complete."""
        self.state.draft = None
