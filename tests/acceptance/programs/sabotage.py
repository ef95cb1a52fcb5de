"""Breaks the engine on purpose, in one way, and then runs a program: the checker must notice.

`python sabotage.py early_acks sequential.py` runs the program in this process with that one mistake built in.
"""

from __future__ import annotations

import itertools
import runpy
import sys
import time
from collections.abc import Callable
from typing import Any

from msgspec import Raw

from aion._core import decide
from aion._core import events as ev
from aion._core.codec import encode_event
from aion._core.draft import Draft
from aion._runtime import commit
from aion._runtime.commit import Batch
from aion._runtime.dispatch import Dispatcher
from aion._runtime.scheduler import Scheduler
from aion._runtime.timers import Timers
from aion.stores.base import Flush

MISTAKES: dict[str, Callable[[], None]] = {}
# What left too early needs a moment to arrive before the process is killed.
A_MOMENT = 0.05


def mistake(build: Callable[[], None]) -> Callable[[], None]:
    """Register a mistake under the name of its function."""
    MISTAKES[build.__name__] = build
    return build


@mistake
def early_acks() -> None:
    """Answers leave before the commit."""
    make_commit = Scheduler._commit

    def commit_after_answering(self: Scheduler, batch: Batch) -> None:
        for turn in batch.turns:
            self._effects.answer(turn)
        self.answers.send()
        time.sleep(A_MOMENT)
        make_commit(self, batch)

    Scheduler._commit = commit_after_answering  # type: ignore[method-assign]


@mistake
def early_hand_outs() -> None:
    """Activities begin before the commit that records their hand-out."""
    make_commit = Scheduler._commit

    def commit_after_handing_out(self: Scheduler, batch: Batch) -> None:
        for turn in batch.turns:
            self._effects._hand_out(turn.run, turn.draft.handed_out)
        self.answers.send()
        time.sleep(A_MOMENT)
        make_commit(self, batch)

    Scheduler._commit = commit_after_handing_out  # type: ignore[method-assign]


@mistake
def early_timers() -> None:
    """Timers fire ten seconds before they are due."""
    find_due = Timers.due

    def due_too_soon(self: Timers, limit: int) -> list[Any]:
        self._heap[:] = [(due - 10_000_000, run, seq) for due, run, seq in self._heap]
        return find_due(self, limit)

    Timers.due = due_too_soon  # type: ignore[method-assign]


@mistake
def double_results() -> None:
    """A result is recorded twice, with different values."""
    record_once = Draft.record

    def record_twice(self: Draft, event: ev.AnyEvent, time: int = 0) -> None:
        record_once(self, event, time)
        if isinstance(event, ev.ActivityCompleted):
            data = encode_event(ev.ActivityCompleted(event.id, Raw(b'"another"'), event.attempt))
            self.events.append(("ActivityCompleted", data, time))
            self.state.seq += 1
            self.state.size += len(data)

    Draft.record = record_twice  # type: ignore[method-assign]


@mistake
def forged_results() -> None:
    """A result is recorded that no execution produced."""
    finish_truly = Dispatcher._finish

    def finish_with_another(self: Dispatcher, task: Any, result: Raw | None, *rest: Any) -> None:
        forged = None if result is None else Raw(bytes(result).replace(b'"token":"', b'"token":"0'))
        finish_truly(self, task, forged, *rest)

    Dispatcher._finish = finish_with_another  # type: ignore[method-assign]


@mistake
def costly_crashes() -> None:
    """A crash uses up an attempt of the work that was under way."""

    def lost(state: Any, id: str) -> tuple[ev.AnyEvent, ...]:
        return (ev.ActivityStarted(id, state.activities[id].attempt + 1),)

    decide._lost = lost


@mistake
def forgotten_requests() -> None:
    """The answers to request ids are not kept, so that asking again acts again."""
    spoil_flushes("requests")


@mistake
def forgotten_hand_outs() -> None:
    """Nobody marks that a run's work was handed out, so that nobody looks for it after a crash."""
    spoil_flushes("busy")


@mistake
def leftover_timers() -> None:
    """Rows of timers that have fired stay."""
    spoil_flushes("timers_gone")


@mistake
def lost_signals() -> None:
    """Every third signal that is acknowledged is forgotten."""
    counter = itertools.count(1)
    signal_arrived = decide.decide

    def decide_or_forget(state: Any, arrived: Any, spread: float) -> tuple[ev.AnyEvent, ...]:
        events = signal_arrived(state, arrived, spread)
        forget = bool(events) and isinstance(events[0], ev.SignalReceived) and next(counter) % 3 == 0
        return () if forget else events

    from aion._runtime import turn

    turn.decide = decide_or_forget  # type: ignore[attr-defined]


def spoil_flushes(part: str) -> None:
    """Leave one kind of rows out of every commit."""
    add_whole_turn = commit.add_turn

    def add_turn(flush: Flush, *rest: Any) -> None:
        add_whole_turn(flush, *rest)
        getattr(flush, part).clear()

    commit.add_turn = add_turn


if __name__ == "__main__":
    _, name, script = sys.argv
    MISTAKES[name]()
    sys.argv = [script]
    runpy.run_path(script, run_name="__main__")
