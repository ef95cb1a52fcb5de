"""Timers: those due soon are held in memory, the rest stay in the store's index.

Invariant: every timer whose row is committed and whose due time lies within the horizon is in the heap.
    New ones are pushed when their commit is known, old ones arrive when the horizon moves over them.
An entry may be there twice, or belong to a timer that is gone: firing looks at the run before it decides.
"""

from __future__ import annotations

import heapq

from aion._runtime.clock import Clock
from aion.stores.base import Store, TimerRow

_NO_LIMIT = 2**62


class Timers:
    """The near future of one shard. Times in microseconds."""

    def __init__(self, store: Store, shard: int, clock: Clock, *, horizon: int, page: int) -> None:
        self._store = store
        self._shard = shard
        self._clock = clock
        self._span = horizon
        self._page = page
        self._heap: list[tuple[int, int, int]] = []
        self._read_until = -1

    def add(self, due: int, run: int, seq: int) -> None:
        """A timer's row was committed."""
        if due <= self._read_until:
            heapq.heappush(self._heap, (due, run, seq))

    def forget(self) -> None:
        """What is in memory may be wrong: read everything again."""
        self._heap.clear()
        self._read_until = -1

    def due(self, limit: int) -> list[TimerRow]:
        """Timers whose time has come, earliest first; each is given once per arming, or again after `forget`."""
        now = self._clock.now()
        if now > self._read_until:
            self._read(now)
        heap = self._heap
        found: list[TimerRow] = []
        while heap and heap[0][0] <= now and len(found) < limit:
            found.append(TimerRow(*heapq.heappop(heap)))
        return found

    def wait(self) -> float:
        """Seconds until the next look is needed."""
        now = self._clock.now()
        if self._heap:
            return max(0.0, (self._heap[0][0] - now) / 1_000_000)
        if now > self._read_until:
            return 0.0
        # Nothing within the horizon: look again when it ends. New timers arrive through `add`.
        return (self._read_until - now) / 1_000_000 + 0.001

    def next_due(self) -> int | None:
        """When the earliest timer of the shard is due, for clocks that can jump there."""
        stored = self._store.next_due(self._shard)
        if self._heap and (stored is None or self._heap[0][0] < stored):
            return self._heap[0][0]
        return stored

    def _read(self, now: int) -> None:
        """Move the horizon. A full page ends it early, so memory is bounded however many are due soon."""
        after = self._read_until
        until = now + self._span
        rows = self._store.timers_due(self._shard, after, until, self._page)
        if len(rows) == self._page:
            last = rows[-1].due
            if rows[0].due == last:
                # One microsecond holds more timers than a page: it is read whole.
                rows = self._store.timers_due(self._shard, after, last, _NO_LIMIT)
                until = last
            else:
                until = last - 1
                rows = [row for row in rows if row.due <= until]
        for row in rows:
            heapq.heappush(self._heap, (row.due, row.run, row.seq))
        self._read_until = until
