"""Group commit: the turns of many runs become one flush, stamped and made durable together.

The committer stamps every event that came without a time, and computes what a timer is due from the
stamp of the very event that armed it. So `due = time of TimerStarted + delay` holds exactly, and it is
the time of the commit, not of the turn, that counts.

Invariant: no effect of a turn and no answer leaves before `commit` has returned for its batch.
"""

from __future__ import annotations

import queue
from collections.abc import Callable
from typing import Any

from aion._core.history import next_digest
from aion._runtime.clock import Clock
from aion._runtime.failpoints import Failpoints, writes_of
from aion._runtime.requests import Flushed
from aion._runtime.runner import Runner
from aion._runtime.turn import Turn
from aion.stores.base import EventRow, Flush, HeadRow, Lease, Refusal, StatusRow, Store, TimerRow


class Batch:
    """The turns that are committed together, and rows that belong to no turn."""

    __slots__ = ("rows", "size", "stale_timers", "turns", "writes")

    def __init__(self) -> None:
        self.turns: list[Turn] = []
        self.size = 0
        self.stale_timers: list[tuple[int, int, int]] = []
        self.rows: list[EventRow] = []
        self.writes: list[str] = []
        """The names of its durable writes, for failpoints; empty when there are none."""

    def add(self, turn: Turn) -> None:
        self.turns.append(turn)
        self.size += turn.run.state.size - turn.draft.base_size

    def __bool__(self) -> bool:
        return bool(self.turns or self.stale_timers)


class Committer:
    """Makes batches durable: small ones at once on the caller's thread, others on the writer thread."""

    def __init__(
        self,
        store: Store,
        owner: str,
        lease: Lease,
        clock: Clock,
        done: Callable[[Flushed], None],
        runner: Runner,
        failpoints: Failpoints | None = None,
    ) -> None:
        self._store = store
        self._owner = owner
        self._clock = clock
        self._done = done
        self._failpoints = failpoints
        self._batches: queue.SimpleQueue[Batch | None] = queue.SimpleQueue()
        self._runner = runner
        self._ended: queue.SimpleQueue[None] | None = None
        self.lease = lease

    def report_to(self, done: Callable[[Flushed], None]) -> None:
        """Send later reports elsewhere."""
        self._done = done

    def commit_now(self, batch: Batch) -> dict[int, Refusal]:
        """Commit on this thread; the refused runs."""
        flush = Flush(self.lease.shard, self._owner, self.lease.epoch)
        now = self._clock.now()
        batch.turns.sort(key=_run_of)
        for turn in batch.turns:
            add_turn(flush, turn, now)
        flush.timers_gone.extend(batch.stale_timers)
        batch.rows = flush.events
        if self._failpoints is not None:
            batch.writes = writes_of(flush)
            self._failpoints.carry(batch.writes)
        return self._store.commit(flush)

    def commit_later(self, batch: Batch) -> None:
        """Commit on the writer thread, which reports with `Flushed`."""
        if self._ended is None:
            self._ended = queue.SimpleQueue()
            self._runner.start("aion-writer", self._write)
        self._batches.put(batch)

    def close(self) -> None:
        """Wait for the writer thread to finish what it was given."""
        if self._ended is not None:
            self._batches.put(None)
            self._ended.get()
            self._ended = None

    def _write(self) -> None:
        while True:
            batch = self._batches.get()
            if batch is None:
                assert self._ended is not None
                self._ended.put(None)
                return
            refused: dict[int, Refusal] = {}
            error: BaseException | None = None
            try:
                refused = self.commit_now(batch)
            except BaseException as exc:  # noqa: BLE001 - the engine thread must learn of it
                # Whatever it is, the engine thread must learn of it: it decides what becomes of the turns.
                error = exc
            self._done(Flushed(batch, error, refused))
            # The next batch may be long in coming; this one's runs must not be held until then.
            del batch, error, refused


def _run_of(turn: Turn) -> int:
    return turn.run.run


_new_tuple = tuple.__new__


def add_turn(flush: Flush, turn: Turn, now: int) -> None:
    """Stamp one turn and add its rows."""
    draft = turn.draft
    state = draft.state
    run = state.run
    stamp = now if now > state.time else state.time
    if draft.events:
        digest = state.digest
        seq = draft.base
        add = flush.events.append
        last = stamp
        for type, data, time in draft.events:
            seq += 1
            last = time or stamp
            digest = next_digest(digest, seq, type, last, data)
            # What `EventRow(...)` does, without its Python-level constructor: this runs for every event.
            add(_new_tuple(EventRow, (run, seq, type, last, digest, data)))
        state.digest = digest
        state.time = last if last > stamp else stamp
        flush.heads.append(_new_tuple(HeadRow, (run, draft.base, seq, state.time, digest, state.size)))
    if draft.armed:
        _add_timers(flush, turn, stamp)
    if draft.disarmed:
        flush.timers_gone.extend(draft.disarmed)
    if draft.was_busy != (state.working > 0) or state.status != draft.status_before or turn.run.block is not None:
        _add_marks(flush, turn)
    if turn.inbox:
        flush.inbox.extend(turn.inbox)
    for delivery in turn.taken:
        if delivery.inbox is not None:
            flush.inbox_gone.append((run, delivery.inbox))
        if delivery.request is not None:
            flush.requests.append((run, delivery.request))
    if turn.opening is not None:
        flush.new_runs.append(turn.opening.row)
        if turn.opening.request is not None:
            flush.requests.append((run, turn.opening.request))


def _add_timers(flush: Flush, turn: Turn, stamp: int) -> None:
    base = turn.draft.base
    events = turn.draft.events
    for seq, timer in turn.draft.armed.items():
        timer.due = (events[seq - base - 1][2] or stamp) + timer.delay
        flush.timers.append(TimerRow(timer.due, turn.run.run, seq))


def _add_marks(flush: Flush, turn: Turn) -> None:
    draft = turn.draft
    state = draft.state
    run = state.run
    busy = state.working > 0
    if busy != draft.was_busy:
        (flush.busy if busy else flush.idle).append(run)
    elif turn.run.block is not None and state.closed_by is not None:
        # A blocked run may end without its history being known, so its mark goes in any case.
        flush.idle.append(run)
    if state.status != draft.status_before and draft.base:
        closed = state.time if state.closed_by is not None else None
        flush.statuses.append(StatusRow(run, state.status, closed, *_block_of(turn)))
    elif state.closed_by is not None and not draft.base:
        # A run that closes in its first turn was inserted as running in this same flush.
        flush.statuses.append(StatusRow(run, state.status, state.time, None, None))
    elif state.status == "blocked" and any(type == "WorkflowBlocked" for type, _, _ in draft.events):
        flush.statuses.append(StatusRow(run, state.status, None, *_block_of(turn)))
    if state.closed_by is not None:
        flush.closing.append(run)


def _block_of(turn: Turn) -> tuple[Any, Any]:
    block = turn.run.block
    if block is None:
        return None, None
    return f"{block.reason}: {block.message}" if block.message else block.reason, block.code
