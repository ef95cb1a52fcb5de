"""The whole store: readers beside a writer, files that vanish, and power that fails."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import apsw
import pytest

from aion.errors import StoreError
from aion.stores.base import RunFilter
from aion.stores.sqlite import SqliteStore, checkpoint
from aion.stores.sqlite.connection import Durability
from aion.testing.store_rows import NAMESPACE, TTL, Owner, Part, names_on
from tests.stores.sqlite.processes import running
from tests.stores.sqlite.vfs import Step, TestVFS, after_power_cut, some

COMMIT_WHEN_TOLD = """
store = SqliteStore.open(path)
owner = Owner(store)
owner.start(1)
print("open", flush=True)
seq = 1
for line in sys.stdin:
    flush = owner.flush()
    Part(flush, 1).move(seq, seq + 1)
    store.commit(flush)
    seq += 1
    print(seq, flush=True)
"""


def test_a_reader_in_another_process_sees_each_commit(tmp_path: Path) -> None:
    """A file that an engine has open can be looked at, without its lock and without disturbing it."""
    path = tmp_path / "aion.db"
    with running(COMMIT_WHEN_TOLD, path) as (process, line):
        assert line == "open"
        assert process.stdin is not None
        assert process.stdout is not None
        seen = []
        with_reader = SqliteStore.open(path, read_only=True)
        for _ in range(3):
            process.stdin.write("go\n")
            process.stdin.flush()
            seen.append((int(process.stdout.readline()), len(with_reader.history(1))))
        process.kill()
        process.wait()
        seen.append((4, len(with_reader.history(1))))
        with_reader.close()
        after_the_kill = SqliteStore.open(path, read_only=True)
        seen.append((4, len(after_the_kill.history(1))))
        after_the_kill.close()

    assert seen == [(2, 2), (3, 3), (4, 4), (4, 4), (4, 4)]


def test_a_read_only_store_closes_without_touching_the_writer(tmp_path: Path) -> None:
    """Closing a reader in the same process must not drop the locks or the log of the writer."""
    path = tmp_path / "aion.db"
    store = SqliteStore.open(path)
    owner = Owner(store)
    owner.start()
    reader = SqliteStore.open(path, read_only=True)
    names = [record.workflow_id for record in reader.list_runs(RunFilter(), 9)]
    reader.close()
    owner.start(1, first=2)
    other = apsw.Connection(str(path))
    other.set_busy_timeout(0)
    with pytest.raises(apsw.BusyError):
        other.pragma("journal_mode", "delete")
    other.close()
    store.close()

    assert names == [next(names_on(store))]


@pytest.mark.parametrize("replace", [False, True])
def test_a_file_that_was_removed_or_replaced_is_noticed_when_the_lease_is_renewed(
    tmp_path: Path, replace: bool
) -> None:
    """Whoever writes on would acknowledge what nobody will find."""
    path = tmp_path / "aion.db"
    store = SqliteStore.open(path)
    owner = Owner(store)
    os.rename(path, tmp_path / "moved.db")
    if replace:
        (tmp_path / "aion.db").write_bytes((tmp_path / "moved.db").read_bytes())

    with pytest.raises(StoreError, match="was removed or replaced while it was open"):
        store.renew("ada", [owner.lease], TTL)
    os.rename(tmp_path / "moved.db", path)
    assert store.renew("ada", [owner.lease], TTL) != []
    store.close()


def test_relative_paths_do_not_move_with_the_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A store stays the file it was when it was opened."""
    monkeypatch.chdir(tmp_path)
    store = SqliteStore.open("aion.db")
    monkeypatch.chdir("/")
    (name,) = Owner(store).start()
    found = store.find(NAMESPACE, name)
    store.close()

    assert found is not None
    assert store.path == str(tmp_path / "aion.db")


def test_what_was_written_is_there_after_opening_again(tmp_path: Path) -> None:
    """Through a clean close, all of it."""
    store = SqliteStore.open(tmp_path / "aion.db")
    owner = Owner(store)
    owner.start(3, seq=4)
    before = store.list_runs(RunFilter(), 9), [store.history(run) for run in (1, 2, 3)]
    store.close()
    store = SqliteStore.open(tmp_path / "aion.db")
    after = store.list_runs(RunFilter(), 9), [store.history(run) for run in (1, 2, 3)]
    store.close()

    assert after == before


# ── power ────────────────────────────────────────────────────────────────────────────────────────

FLUSHES = 16


@pytest.fixture
def vfs() -> Iterator[TestVFS]:
    """A file system that remembers what was synced."""
    made = TestVFS("aion-power")
    yield made
    made.unregister()


def _work(path: Path, vfs: TestVFS, durability: Durability) -> list[int]:
    """Commit flush after flush; at which step of the disk each was acknowledged."""
    store = SqliteStore.open(path, vfs=vfs.name, durability=durability)
    owner = Owner(store)
    owner.start(2)
    acknowledged = [len(vfs.steps)]
    for seq in range(1, FLUSHES):
        flush = owner.flush()
        for run in (1, 2):
            Part(flush, run).move(seq, seq + 1)

        assert store.commit(flush) == {}
        acknowledged.append(len(vfs.steps))
    store.close()
    return acknowledged


def _lost(
    directory: Path, before: dict[str, bytes], steps: list[Step], acknowledged: int, cut: Callable[[], bool]
) -> bool:
    """Whether an acknowledged flush is missing after a cut; that none is there in part is asserted."""
    for name, body in after_power_cut(before, steps, cut).items():
        (directory / name).write_bytes(body)
    (directory / "aion.db-shm").unlink(missing_ok=True)
    store = SqliteStore.open(directory / "aion.db", read_only=True)
    seqs = [record.seq for record in store.records([1, 2])]
    lengths = [len(store.history(run)) for run in (1, 2)]
    store.close()
    checking = apsw.Connection(str(directory / "aion.db"), apsw.SQLITE_OPEN_READONLY)
    checked = checking.execute("PRAGMA integrity_check").fetchall()
    checking.close()

    assert checked == [("ok",)]
    assert lengths == (seqs or [0, 0])
    assert len(set(seqs)) <= 1
    return (seqs or [0])[0] < acknowledged


def _losses(tmp_path: Path, vfs: TestVFS, durability: Durability) -> int:
    """Cut the power at each step of the disk, four ways each; how often that lost an acknowledged flush."""
    (tmp_path / "live").mkdir()
    (tmp_path / "cut").mkdir()
    path = tmp_path / "live" / "aion.db"
    SqliteStore.open(path).close()
    before = {"aion.db": path.read_bytes()}
    acknowledged = _work(path, vfs, durability)
    lost = 0
    for end in range(len(vfs.steps) + 1):
        least = sum(1 for at in acknowledged if at <= end)
        for cut in (lambda: False, lambda: True, some(end), some(-end - 1)):
            lost += _lost(tmp_path / "cut", before, vfs.steps[:end], least, cut)
    return lost


def test_no_power_cut_loses_an_acknowledged_commit(
    tmp_path: Path, vfs: TestVFS, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cut at every step of the disk, checkpoints included, with what was not synced gone, there, or torn."""
    monkeypatch.setattr(checkpoint, "LOG_BYTES_CHECKPOINT", 80_000)

    assert _losses(tmp_path, vfs, "full") == 0


def test_the_power_cuts_of_these_tests_do_lose_what_was_not_synced(tmp_path: Path, vfs: TestVFS) -> None:
    """Without a sync at each commit they find losses, so the test before this one can fail."""
    assert _losses(tmp_path, vfs, "relaxed") > 0
