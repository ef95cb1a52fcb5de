"""What the disk and the store can do with no engine above them: the limits that the engine is compared with.

Every figure is for acknowledged, synced commits (`synchronous=FULL`). Run it as a script for a table:
`python -m benchmarks.raw_store [directory]`.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

import apsw

from aion.stores.base import EventRow, Flush, HeadRow, Lease, RunRow
from aion.stores.sqlite import SqliteStore

BODY = b'{"pad":"' + b"x" * 190 + b'"}'
"""200 bytes of JSON, as in every workload."""

_DIGEST = bytes(32)
_NOW = 1_700_000_000_000_000
_LEASE_TTL = 3_600_000_000


def single_row_commits(path: str, n: int) -> float:
    """Commits per second of one row each into a bare table of its own, one after the other."""
    connection = apsw.Connection(path)
    try:
        assert connection.pragma("journal_mode", "wal") == "wal"
        connection.pragma("synchronous", "full")
        connection.execute("CREATE TABLE rows (id INTEGER PRIMARY KEY, body BLOB)")
        insert = connection.cursor().execute
        started = time.perf_counter()
        for _ in range(n):
            insert("INSERT INTO rows (body) VALUES (?)", (BODY,))
        return n / (time.perf_counter() - started)
    finally:
        connection.close()


def store_events(path: str, runs: int, events_per_run: int, flushes: int) -> float:
    """Events per second through `SqliteStore.commit`, where every flush appends to the same `runs` runs."""
    store = SqliteStore.open(path)
    try:
        (lease,) = store.claim("benchmark", _NOW, _LEASE_TTL)
        store.commit(_starts(lease, runs))
        prepared = [_appends(lease, runs, events_per_run, number) for number in range(flushes)]
        started = time.perf_counter()
        for flush in prepared:
            assert store.commit(flush) == {}, "a prepared flush was refused"
        return runs * events_per_run * flushes / (time.perf_counter() - started)
    finally:
        store.close()


def _starts(lease: Lease, runs: int) -> Flush:
    flush = Flush(lease.shard, "benchmark", lease.epoch)
    for run in range(1, runs + 1):
        row = RunRow(run, "default", f"workflow-{run}", 1, f"{run:032x}", "work", None, None, _NOW, b"{}", None)
        flush.new_runs.append(row)
        flush.heads.append(HeadRow(run, 0, 1, _NOW, _DIGEST, len(BODY)))
        flush.events.append(EventRow(run, 1, "WorkflowStarted", _NOW, _DIGEST, BODY))
    return flush


def _appends(lease: Lease, runs: int, events_per_run: int, number: int) -> Flush:
    flush = Flush(lease.shard, "benchmark", lease.epoch)
    base = 1 + number * events_per_run
    end = base + events_per_run
    for run in range(1, runs + 1):
        flush.heads.append(HeadRow(run, base, end, _NOW, _DIGEST, end * len(BODY)))
        flush.events.extend(
            EventRow(run, seq, "ActivityCompleted", _NOW, _DIGEST, BODY) for seq in range(base + 1, end + 1)
        )
    return flush


def main() -> None:
    """Print the limits of the disk under a directory, by default the one for temporary files."""
    where = sys.argv[1] if len(sys.argv) > 1 else None
    with tempfile.TemporaryDirectory(dir=where) as directory:
        single = single_row_commits(str(Path(directory) / "single.db"), 3_000)
        print(f"{'one row a commit':<32}{single:>10,.0f} commits/s")
        for runs, events, flushes in ((1, 3, 2_000), (10, 3, 600), (100, 3, 300), (300, 3, 100)):
            rate = store_events(str(Path(directory) / f"{runs}.db"), runs, events, flushes)
            per_run = events / rate * 1e6
            print(f"{f'{runs} runs x {events} events a flush':<32}{rate:>10,.0f} events/s {per_run:>8.1f} us/run")


if __name__ == "__main__":
    main()
