"""The log stays small, and losing or laying it out never loses a commit."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import apsw
import pytest

from aion.stores.base import EventRow, HeadRow
from aion.stores.sqlite import SqliteStore, checkpoint
from aion.testing.store_rows import Owner
from tests.stores.sqlite.processes import running

BODY = bytes(200_000)

COMMIT_AND_WAIT = """
import time
store = SqliteStore.open(path)
owner = Owner(store)
owner.start(3, seq=5)
print(os.path.getsize(path + "-wal"), flush=True)
time.sleep(60)
"""


def _grow(owner: Owner, expected_seq: int, count: int = 1) -> int:
    """Append large events, a commit each; where the history ends then."""
    for seq in range(expected_seq + 1, expected_seq + 1 + count):
        flush = owner.flush()
        flush.events.append(EventRow(1, seq, "Large", 1, b"", BODY))
        flush.heads.append(HeadRow(1, seq - 1, seq, 1, b"", 0))

        assert owner.store.commit(flush) == {}
    return expected_seq + count


def test_the_log_does_not_grow_with_what_is_committed(tmp_path: Path) -> None:
    """It is copied into the file again and again, and starts over."""
    store = SqliteStore.open(tmp_path / "aion.db")
    owner = Owner(store)
    owner.start()
    end = _grow(owner, 1, 150)
    log = os.path.getsize(tmp_path / "aion.db-wal")
    seen = len(store.history(1))
    store.close()

    assert log < checkpoint.LOG_BYTES_CHECKPOINT + 2 * len(BODY)
    assert seen == end
    assert os.listdir(tmp_path) == ["aion.db"]


def test_a_reader_that_stays_delays_the_log_and_no_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While it reads an old state the log grows past its bound; once it has gone, the log starts over."""
    monkeypatch.setattr(checkpoint, "LOG_BYTES_CHECKPOINT", 1_000_000)
    monkeypatch.setattr(checkpoint, "LOG_BYTES_RESTART", 3_000_000)
    monkeypatch.setattr(checkpoint, "RESTART_WAIT_MS", 1)
    store = SqliteStore.open(tmp_path / "aion.db")
    owner = Owner(store)
    owner.start()
    reader = apsw.Connection(str(tmp_path / "aion.db"), apsw.SQLITE_OPEN_READONLY)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM events").fetchall()
    end = _grow(owner, 1, 30)
    pinned = os.path.getsize(tmp_path / "aion.db-wal")
    reader.execute("COMMIT")
    reader.close()
    end = _grow(owner, end, 90)
    afterwards = os.path.getsize(tmp_path / "aion.db-wal")
    seen = len(store.history(1))
    store.close()

    assert pinned > 30 * len(BODY)
    assert afterwards < pinned + 15 * len(BODY)
    assert seen == end


def test_a_log_that_was_laid_out_is_read_to_its_true_end(tmp_path: Path) -> None:
    """After a kill the zeros behind the last commit are taken for what they are."""
    path = tmp_path / "aion.db"
    with running(COMMIT_AND_WAIT, path) as (process, size):
        process.kill()
        process.wait()
        store = SqliteStore.open(path)
        lengths = [len(store.history(run)) for run in (1, 2, 3)]
        store.close()

    assert int(size) == checkpoint.LOG_BYTES_CHECKPOINT
    assert lengths == [5, 5, 5]


def test_a_log_that_cannot_be_laid_out_is_left_as_it_is(tmp_path: Path) -> None:
    """It is a matter of speed only."""
    checkpoint.lay_out_log(str(tmp_path / "nothing.db"))

    assert os.listdir(tmp_path) == []


def test_a_checkpoint_that_fails_does_not_fail_the_commit_before_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The commit is durable in the log; the copying is tried again later."""
    monkeypatch.setattr(checkpoint, "LOG_BYTES_CHECKPOINT", 1_000_000)
    store = SqliteStore.open(tmp_path / "aion.db")
    owner = Owner(store)
    owner.start()
    foreign = apsw.Connection(str(tmp_path / "aion.db"))
    foreign.execute("BEGIN")
    foreign.execute("SELECT count(*) FROM events").fetchall()
    end = _grow(owner, 1, 40)
    foreign.close()
    seen = len(store.history(1))
    store.close()

    assert seen == end


def test_a_log_past_its_bound_waits_for_the_readers_that_hold_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Readers that always overlap would let it grow for ever; so a commit then waits until they have gone."""
    monkeypatch.setattr(checkpoint, "LOG_BYTES_RESTART", len(BODY))
    monkeypatch.setattr(checkpoint, "LOG_BYTES_CHECKPOINT", len(BODY))
    monkeypatch.setattr(checkpoint, "RESTART_WAIT_MS", 60_000)
    store = SqliteStore.open(tmp_path / "aion.db")
    owner = Owner(store)
    owner.start()
    reader = apsw.Connection(str(tmp_path / "aion.db"), apsw.SQLITE_OPEN_READONLY)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM events").fetchall()
    gone = threading.Event()

    def leave() -> None:
        gone.set()
        reader.execute("COMMIT")

    timer = threading.Timer(0.05, leave)
    timer.start()
    _grow(owner, 1)
    waited = gone.is_set()
    timer.join()
    reader.close()
    store.close()

    assert waited
