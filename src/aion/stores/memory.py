"""The memory store: plain dicts behind one lock, and the oracle that the other stores are compared with.

Several engines may share one object; owners, epochs and leases are enforced as in any store. It also
asserts what every caller promises of a flush, so that a test on this store finds a caller that does not.

Invariant: a part of a flush is checked as a whole before its first row is applied.
Invariant: parts are taken in ascending order of their runs, so where two exclude each other the lower run wins.
"""

from __future__ import annotations

import threading
from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from aion.errors import StoreError
from aion.stores.base import (
    EventRow,
    Fenced,
    Flush,
    HeadRow,
    InboxRow,
    Lease,
    Refusal,
    RunFilter,
    RunRecord,
    RunRow,
    StatusRow,
    Store,
    TimerRow,
    shard_of,
)
from aion.stores.parts import split_by_run


@dataclass(slots=True)
class _Run:
    """All there is of one run."""

    row: RunRow
    head: HeadRow
    status: StatusRow
    events: list[EventRow] = field(default_factory=list)
    inbox: dict[int, InboxRow] = field(default_factory=dict)

    def record(self) -> RunRecord:
        return RunRecord(*self.row, *self.status[1:], *self.head[2:])


@dataclass(slots=True)
class _Shard:
    """Who owns a shard, and the rows that wake its runs."""

    owner: str | None = None
    epoch: int = 0
    until: int = 0
    timers: list[TimerRow] = field(default_factory=list)
    """Sorted, which is what makes a page of due timers cheap."""
    busy: set[int] = field(default_factory=set)
    inbox: set[int] = field(default_factory=set)
    """Runs that have an inbox row."""
    blocked: set[int] = field(default_factory=set)


class MemoryStore(Store):
    """A store that lives as long as the object does."""

    def __init__(self, shard_count: int = 16) -> None:
        if shard_count < 1:
            raise ValueError(f"shard_count is {shard_count}, but a store has at least one shard")
        self.shard_count = shard_count
        self._lock = threading.RLock()
        self._closed = False
        self._shards = [_Shard() for _ in range(shard_count)]
        self._runs: dict[int, _Run] = {}
        self._chains: dict[tuple[str, str], dict[int, int]] = {}
        """(namespace, workflow id) → chain → run."""
        self._by_start: list[tuple[int, int]] = []
        self._requests: dict[tuple[str, str, str], bytes] = {}

    # ── ownership ────────────────────────────────────────────────────────────────────────────────

    def claim(self, owner: str, now: int, ttl: int, limit: int | None = None) -> list[Lease]:
        """Take up to `limit` shards that nobody owns, or whose lease ended before `now`."""
        with self._lock:
            self._check_open()
            leases: list[Lease] = []
            for number, shard in enumerate(self._shards):
                if limit is not None and len(leases) >= limit:
                    break
                if shard.owner is None or shard.until < now:
                    shard.owner, shard.epoch, shard.until = owner, shard.epoch + 1, now + ttl
                    leases.append(Lease(number, shard.epoch, shard.until))
            return leases

    def renew(self, owner: str, leases: Sequence[Lease], until: int) -> list[Lease]:
        """Extend leases that are still `owner`'s at their epoch."""
        with self._lock:
            self._check_open()
            renewed: list[Lease] = []
            for lease in leases:
                shard = self._shards[lease.shard]
                if (shard.owner, shard.epoch) == (owner, lease.epoch):
                    shard.until = until
                    renewed.append(Lease(lease.shard, lease.epoch, until))
            return renewed

    def release(self, owner: str, leases: Sequence[Lease]) -> None:
        """Give shards back; lost ones are skipped."""
        with self._lock:
            self._check_open()
            for lease in leases:
                shard = self._shards[lease.shard]
                if (shard.owner, shard.epoch) == (owner, lease.epoch):
                    shard.owner = None

    # ── writing ──────────────────────────────────────────────────────────────────────────────────

    def commit(self, flush: Flush) -> dict[int, Refusal]:
        """Apply the parts of a flush that fit, and say why the others do not."""
        with self._lock:
            self._check_open()
            shard = self._shards[flush.shard]
            if (shard.owner, shard.epoch) != (flush.owner, flush.epoch):
                raise Fenced(f"shard {flush.shard} is held by {shard.owner!r} at epoch {shard.epoch}")
            parts = split_by_run(flush)
            for run, part in parts.items():
                self._assert_well_formed(run, part)
            refused: dict[int, Refusal] = {}
            for run, part in parts.items():
                refusal = self._refusal(run, part)
                if refusal is None:
                    self._apply(run, part)
                else:
                    refused[run] = refusal
            return refused

    def post(self, run: int, kind: str, data: bytes, now: int) -> int | None:
        """Leave an input in the inbox of an open run; its id is `now` in nanoseconds, or the next that is free."""
        with self._lock:
            self._check_open()
            known = self._runs.get(run)
            if known is None or known.status.closed is not None:
                return None
            number = max([now * 1000, *(taken + 1 for taken in known.inbox)])
            self._put_inbox(InboxRow(run, number, kind, data))
            return number

    # ── reading ──────────────────────────────────────────────────────────────────────────────────

    def find(self, namespace: str, workflow_id: str, run_id: str | None = None) -> RunRecord | None:
        """The run of that id, or the newest of the workflow's chain."""
        with self._lock:
            self._check_open()
            chain = self._chains.get((namespace, workflow_id), {})
            if run_id is None:
                return self._runs[chain[max(chain)]].record() if chain else None
            for run in chain.values():
                if self._runs[run].row.run_id == run_id:
                    return self._runs[run].record()
            return None

    def records(self, runs: Sequence[int]) -> list[RunRecord]:
        """The records of these runs, those that exist, ascending."""
        with self._lock:
            self._check_open()
            return self._records(sorted({run for run in runs if run in self._runs}))

    def find_request(self, namespace: str, workflow_id: str, request_id: str) -> bytes | None:
        """The answer recorded for a request id."""
        with self._lock:
            self._check_open()
            return self._requests.get((namespace, workflow_id, request_id))

    def history(self, run: int, from_seq: int = 1, limit: int | None = None) -> list[EventRow]:
        """Events of a run with `seq >= from_seq`, ascending."""
        with self._lock:
            self._check_open()
            known = self._runs.get(run)
            events = known.events[max(from_seq, 1) - 1 :] if known is not None else []
            return events if limit is None else events[:limit]

    def timers_due(self, shard: int, after: int, until: int, limit: int) -> list[TimerRow]:
        """Timers with `after < due <= until`, by (due, run, seq)."""
        with self._lock:
            self._check_open()
            timers = self._shards[shard].timers
            first = bisect_right(timers, after, key=lambda timer: timer.due)
            last = bisect_right(timers, until, key=lambda timer: timer.due)
            return timers[first : min(last, first + limit)]

    def next_due(self, shard: int) -> int | None:
        """The earliest due time of all timers."""
        with self._lock:
            self._check_open()
            timers = self._shards[shard].timers
            return timers[0].due if timers else None

    def busy_runs(self, shard: int, after: int, limit: int) -> list[int]:
        """Runs marked busy with number above `after`, ascending."""
        with self._lock:
            self._check_open()
            return _page(self._shards[shard].busy, after, limit)

    def inbox_runs(self, shard: int, after: int, limit: int) -> list[int]:
        """Runs with inbox rows and number above `after`, ascending; blocked ones are left out."""
        with self._lock:
            self._check_open()
            place = self._shards[shard]
            return _page(place.inbox - place.blocked, after, limit)

    def inbox(self, run: int) -> list[InboxRow]:
        """The inbox of a run, by id."""
        with self._lock:
            self._check_open()
            known = self._runs.get(run)
            return [known.inbox[number] for number in sorted(known.inbox)] if known is not None else []

    def blocked_runs(self, shard: int, after: int, limit: int) -> list[RunRecord]:
        """Runs of status `blocked` with number above `after`, ascending."""
        with self._lock:
            self._check_open()
            return self._records(_page(self._shards[shard].blocked, after, limit))

    def list_runs(self, filter: RunFilter, limit: int, after: tuple[int, int] | None = None) -> list[RunRecord]:
        """Runs that match, by (started, run) ascending, strictly after that pair."""
        with self._lock:
            self._check_open()
            found: list[RunRecord] = []
            start = 0 if after is None else bisect_right(self._by_start, after)
            for _, run in self._by_start[start:]:
                if len(found) >= limit:
                    break
                record = self._runs[run].record()
                if _matches(record, filter):
                    found.append(record)
            return found

    def close(self) -> None:
        """Make further calls raise; what was stored is gone with the object."""
        with self._lock:
            self._closed = True

    # ── parts of a flush ─────────────────────────────────────────────────────────────────────────

    def _assert_well_formed(self, run: int, part: Flush) -> None:
        known = self._runs.get(run)
        assert len(part.heads) <= 1, f"run {run}: two heads in one flush"
        head = part.heads[0] if part.heads else HeadRow(run, 0, 0, 0, b"", 0)
        expected = [(run, seq) for seq in range(head.expected_seq + 1, head.seq + 1)]
        actual = [(event.run, event.seq) for event in part.events]
        assert actual == expected, f"run {run}: events {actual} do not lead from the expected to the new head"
        assert bool(part.heads) == bool(part.events), f"run {run}: a head moves with events, and only with them"
        assert len(part.new_runs) == (head.expected_seq == 0 and bool(part.heads)), (
            f"run {run}: a run is new exactly when its history was empty"
        )
        closes = [status.run for status in part.statuses if status.closed is not None]
        assert sorted(part.closing) == sorted(closes), f"run {run}: closing {part.closing}, but closed are {closes}"
        assert len(part.statuses) <= 1, f"run {run}: two statuses in one flush"
        place = part.new_runs[0] if part.new_runs else known.row if known is not None else None
        if place is not None:
            shard = shard_of(place.namespace, place.workflow_id, self.shard_count)
            assert shard == part.shard, f"run {run} lives on shard {shard}, not on {part.shard}"

    def _refusal(self, run: int, part: Flush) -> Refusal | None:
        known = self._runs.get(run)
        ends_at = known.head.seq if known is not None else 0
        if any(head.expected_seq != ends_at for head in part.heads):
            return Refusal.HEAD_MOVED
        if any(new.chain in self._chains.get((new.namespace, new.workflow_id), ()) for new in part.new_runs):
            return Refusal.ID_TAKEN
        if part.closing and self._unread(known, part):
            return Refusal.UNREAD_INBOX
        asked = [request[:3] for _, request in part.requests]
        if len(asked) != len(set(asked)) or any(key in self._requests for key in asked):
            return Refusal.REQUEST_TAKEN
        if known is None and not part.new_runs:
            return Refusal.HEAD_MOVED if part.inbox or part.statuses else None
        return Refusal.HEAD_MOVED if part.inbox and self._inbox_unfit(known, part) else None

    @staticmethod
    def _unread(known: _Run | None, part: Flush) -> bool:
        waiting = set(known.inbox) if known is not None else set()
        waiting.update(row.id for row in part.inbox)
        return bool(waiting.difference(number for _, number in part.inbox_gone))

    @staticmethod
    def _inbox_unfit(known: _Run | None, part: Flush) -> bool:
        """Whether a row would reach a closed run, where nobody reads it, or take an id twice."""
        ids = [row.id for row in part.inbox]
        if len(ids) != len(set(ids)):
            return True
        return known is not None and (known.status.closed is not None or any(number in known.inbox for number in ids))

    def _apply(self, run: int, part: Flush) -> None:
        shard = self._shards[part.shard]
        for new in part.new_runs:
            self._runs[run] = _Run(new, part.heads[0], StatusRow(run, "running", None, None, None))
            self._chains.setdefault((new.namespace, new.workflow_id), {})[new.chain] = run
            insort(self._by_start, (new.started, run))
        for head in part.heads:
            self._runs[run].head = head
        if part.events:
            self._runs[run].events.extend(part.events)
        for row in part.inbox:
            self._put_inbox(row)
        for _, number in part.inbox_gone:
            self._drop_inbox(run, number)
        for status in part.statuses:
            self._runs[run].status = status
            (shard.blocked.add if status.status == "blocked" else shard.blocked.discard)(run)
        for due, _, seq in part.timers_gone:
            _drop_sorted(shard.timers, TimerRow(due, run, seq))
        for timer in part.timers:
            _drop_sorted(shard.timers, timer)
            insort(shard.timers, timer)
        shard.busy.difference_update(part.idle)
        shard.busy.update(part.busy)
        self._requests.update({request[:3]: request.answer for _, request in part.requests})

    def _put_inbox(self, row: InboxRow) -> None:
        known = self._runs[row.run]
        known.inbox[row.id] = row
        self._shard(known).inbox.add(row.run)

    def _drop_inbox(self, run: int, number: int) -> None:
        known = self._runs.get(run)
        if known is not None and known.inbox.pop(number, None) is not None and not known.inbox:
            self._shard(known).inbox.discard(run)

    # ── small things ─────────────────────────────────────────────────────────────────────────────

    def _shard(self, known: _Run) -> _Shard:
        return self._shards[shard_of(known.row.namespace, known.row.workflow_id, self.shard_count)]

    def _records(self, runs: Iterable[int]) -> list[RunRecord]:
        return [self._runs[run].record() for run in runs]

    def _check_open(self) -> None:
        if self._closed:
            raise StoreError("this memory store is closed: make a new one, what it held is gone")


def _page(runs: set[int], after: int, limit: int) -> list[int]:
    return sorted(run for run in runs if run > after)[:limit]


def _matches(record: RunRecord, filter: RunFilter) -> bool:
    return (
        (filter.namespace is None or record.namespace == filter.namespace)
        and (not filter.statuses or record.status in filter.statuses)
        and (not filter.types or record.type in filter.types)
    )


def _drop_sorted(timers: list[TimerRow], timer: TimerRow) -> None:
    at = bisect_left(timers, timer)
    if at < len(timers) and timers[at] == timer:
        del timers[at]
