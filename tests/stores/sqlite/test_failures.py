"""What goes wrong below the store arrives as an error of ours that says what to do, and loses nothing."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest

from aion.errors import StoreCorrupt, StoreError, StoreLocked
from aion.stores.base import RunFilter
from aion.stores.sqlite import SqliteStore
from aion.stores.sqlite.failures import from_os, translate
from aion.testing.store_rows import Owner, Part
from tests.stores.sqlite.vfs import TestVFS

AS_NOBODY = """
import os, sys
from aion.errors import StoreError
from aion.stores.sqlite import SqliteStore
import apsw, encodings.idna
os.setuid(65534)
for path in sys.argv[1:]:
    try:
        SqliteStore.open(path)
        print("opened")
    except StoreError as error:
        print(type(error).__name__, str(error).removeprefix(path).split(". ")[0])
"""


@pytest.fixture
def vfs() -> Iterator[TestVFS]:
    """A file system that fails when told to."""
    made = TestVFS("aion-failing")
    yield made
    made.unregister()


def _all_errors(of: type[apsw.Error]) -> list[type[apsw.Error]]:
    return [of, *(found for child in of.__subclasses__() for found in _all_errors(child))]


@pytest.mark.parametrize("kind", _all_errors(apsw.Error), ids=lambda kind: kind.__name__)
def test_every_exception_of_the_driver_has_an_error_of_ours(kind: type[apsw.Error]) -> None:
    """The message names the file, says what holds now, and what to do."""
    unknown = str(translate(kind("words"), "shop.db", "unknown"))
    nothing = str(translate(kind("words"), "shop.db", "nothing written"))

    assert unknown.startswith("shop.db")
    assert unknown != nothing or isinstance(translate(kind("words"), "shop.db", "unknown"), StoreCorrupt)
    assert nothing.count(". ") >= 1


def test_what_the_operating_system_refuses_has_an_error_of_ours() -> None:
    """Permission, space and the rest are told apart."""
    words = [str(from_os(OSError(number, os.strerror(number)), "shop.db")) for number in (13, 30, 28, 122, 5)]

    assert ["out of reach" in text for text in words] == [True, True, False, False, False]
    assert ["disk is full" in text for text in words] == [False, False, True, True, False]


# ── files that are not what they should be ───────────────────────────────────────────────────────


@pytest.mark.parametrize("read_only", [False, True])
@pytest.mark.parametrize("body", [b"hello", b"hello" * 10_000, bytes(8192), b"SQLite format 3\0" + bytes(8192)])
def test_a_file_of_another_kind_is_refused_and_not_touched(tmp_path: Path, body: bytes, read_only: bool) -> None:
    """It is not an Aion store, whatever it is."""
    path = tmp_path / "notes.txt"
    path.write_bytes(body)

    with pytest.raises(StoreError, match="is not an Aion store"):
        SqliteStore.open(path, read_only=read_only)
    assert path.read_bytes() == body


def _filled(path: Path) -> None:
    store = SqliteStore.open(path)
    owner = Owner(store)
    owner.start(50, seq=20)
    store.release("ada", [owner.lease])
    store.close()


def test_a_damaged_page_is_reported_and_never_a_wrong_result(tmp_path: Path) -> None:
    """Whichever page is wiped, every read gives the truth or says that the store is damaged."""
    path = tmp_path / "aion.db"
    _filled(path)
    whole = path.read_bytes()
    store = SqliteStore.open(path, read_only=True)
    truth = store.list_runs(RunFilter(), 99), [store.history(run) for run in range(1, 51)]
    store.close()
    reported = 0
    for page in range(len(whole) // 4096):
        path.write_bytes(whole[: page * 4096] + bytes(4096) + whole[(page + 1) * 4096 :])
        try:
            damaged = SqliteStore.open(path, read_only=True)
        except StoreError:
            reported += 1
            continue
        try:
            found = damaged.list_runs(RunFilter(), 99), [damaged.history(run) for run in range(1, 51)]

            assert found == truth, f"page {page + 1}"
        except StoreCorrupt:
            reported += 1
        finally:
            damaged.close()

    # Pages of tables that are not read here (timers, inbox, requests, …) can be damaged without being seen here.
    assert reported >= len(whole) // 4096 - 8


@pytest.mark.parametrize("length", [1, 100, 4096, 20_000])
def test_a_truncated_file_is_reported(tmp_path: Path, length: int) -> None:
    """By opening it, or by reading what is gone."""
    path = tmp_path / "aion.db"
    _filled(path)
    os.truncate(path, length)

    with pytest.raises(StoreError):
        list(SqliteStore.open(path, read_only=True).history(50))


def test_a_missing_table_is_damage(tmp_path: Path) -> None:
    """A layout that is not ours is not worked around."""
    path = tmp_path / "aion.db"
    _filled(path)
    connection = apsw.Connection(str(path))
    connection.execute("DROP TABLE timers")
    connection.close()
    store = SqliteStore.open(path)
    with pytest.raises(StoreCorrupt, match="no such table: timers"):
        store.next_due(0)
    store.close()


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become somebody without permissions")
def test_files_and_directories_without_permission_are_refused_with_a_reason() -> None:
    """Read-only files, unreadable files and directories that cannot be written each say what is needed."""
    with tempfile.TemporaryDirectory() as place:
        os.chmod(place, 0o755)
        paths = [Path(place, name, "aion.db") for name in ("read-only", "secret", "closed", "unreachable")]
        for path in paths:
            path.parent.mkdir()
            path.parent.chmod(0o777)
            SqliteStore.open(path).close()
        paths[0].chmod(0o444)
        paths[1].chmod(0o000)
        paths[2].parent.chmod(0o555)
        paths[3].parent.chmod(0o000)
        done = subprocess.run(
            [sys.executable, "-c", AS_NOBODY, *map(str, paths)],
            capture_output=True,
            text=True,
            check=True,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        )

    assert done.stdout.splitlines() == [
        (
            "StoreError  cannot be written: give this user write permission on the file and its directory, "
            "or open it read-only"
        ),
        "StoreError  cannot be opened (unable to open database file); nothing of this was recorded",
        "StoreError .lock is out of reach (Permission denied)",
        "StoreError  is out of reach (Permission denied)",
    ]


def test_a_missing_file_is_not_created_by_a_reader(tmp_path: Path) -> None:
    """It says that there is nothing to read."""
    with pytest.raises(StoreError, match="does not exist, and a read-only open creates nothing"):
        SqliteStore.open(tmp_path / "aion.db", read_only=True)
    assert os.listdir(tmp_path) == []


# ── a disk that fails under an open store ────────────────────────────────────────────────────────


def test_a_full_disk_refuses_the_flush_and_nothing_else(tmp_path: Path, vfs: TestVFS) -> None:
    """What is there can be read, nothing of the flush is recorded, and once there is space it goes on by itself."""
    store = SqliteStore.open(tmp_path / "aion.db", vfs=vfs.name)
    owner = Owner(store)
    owner.start()
    flush = owner.flush()
    Part(flush, 1).move(1, 3)
    full = apsw.exception_for(apsw.SQLITE_FULL)
    vfs.fail = lambda operation, file: full if operation == "write" else None
    with pytest.raises(StoreError, match="the disk is full; nothing of this was recorded"):
        store.commit(flush)
    seen = len(store.history(1))
    vfs.fail = lambda operation, file: None

    assert seen == 1
    assert store.commit(flush) == {}
    assert len(store.history(1)) == 3
    store.close()


def test_after_a_failed_sync_the_outcome_is_unknown_and_nothing_is_written_any_more(
    tmp_path: Path, vfs: TestVFS
) -> None:
    """The kernel may have dropped the pages: another try would report success. Reading goes on; opening again cures."""
    store = SqliteStore.open(tmp_path / "aion.db", vfs=vfs.name)
    owner = Owner(store)
    owner.start()
    flush = owner.flush()
    Part(flush, 1).move(1, 3)
    broken = apsw.exception_for(apsw.SQLITE_IOERR_FSYNC)
    vfs.fail = lambda operation, file: broken if operation == "sync" else None
    with pytest.raises(StoreError, match="whether this was recorded is unknown"):
        store.commit(flush)
    vfs.fail = lambda operation, file: None
    with pytest.raises(StoreError, match="writing stopped after a failure of the disk"):
        store.commit(flush)
    with pytest.raises(StoreError, match="writing stopped after a failure of the disk"):
        store.post(1, "signal", b"", 1)
    readable = len(store.history(1))
    store.close()
    again = SqliteStore.open(tmp_path / "aion.db")
    recorded = len(again.history(1))
    again.close()

    assert readable in (1, 3)
    assert recorded in (1, 3)


def test_a_failed_read_fails_that_call_alone(tmp_path: Path, vfs: TestVFS) -> None:
    """The next call is a new try."""
    path = tmp_path / "aion.db"
    _filled(path)
    store = SqliteStore.open(path, vfs=vfs.name)
    broken = apsw.exception_for(apsw.SQLITE_IOERR_READ)
    vfs.fail = lambda operation, file: broken if (operation, file) == ("read", "aion.db") else None
    with pytest.raises(StoreError, match="failed to read or write"):
        store.history(1)
    vfs.fail = lambda operation, file: None

    assert len(store.history(1)) == 20
    store.close()


@pytest.mark.parametrize("operation", ["read", "write", "sync", "truncate"])
@pytest.mark.parametrize("code", [apsw.SQLITE_FULL, apsw.SQLITE_IOERR_WRITE, apsw.SQLITE_IOERR_FSYNC])
def test_one_failure_at_any_point_loses_and_invents_nothing(
    tmp_path: Path, vfs: TestVFS, operation: str, code: int
) -> None:
    """Whichever operation of the disk fails, what was acknowledged is there, and each flush is whole or absent."""
    for fail_at in range(1, 200):
        path = tmp_path / f"{fail_at}.db"
        count = 0
        fired = False

        def fail(name: str, file: str, fail_at: int = fail_at) -> Exception | None:
            nonlocal count, fired
            count += name == operation
            if name == operation and count == fail_at:
                fired = True
                return apsw.exception_for(code)
            return None

        vfs.fail = fail
        acknowledged = _drive(path, vfs.name)
        vfs.fail = lambda name, file: None
        if not path.exists():
            assert acknowledged == 0
            continue
        store = SqliteStore.open(path)
        seqs = [record.seq for record in store.records([1, 2])]
        lengths = [len(store.history(run)) for run in (1, 2)]
        store.close()

        assert seqs in ([], [acknowledged] * 2, [acknowledged + 1] * 2), f"{operation} {fail_at}"
        assert lengths == (seqs or [0, 0]), f"{operation} {fail_at}"
        if not fired:
            break
    else:
        pytest.fail("the script never came to its end")


def _drive(path: Path, vfs: str) -> int:
    """Commit flush after flush, and give the number that was acknowledged before the first error."""
    acknowledged = 0
    try:
        store = SqliteStore.open(path, vfs=vfs)
    except StoreError:
        return 0
    try:
        owner = Owner(store)
        owner.start(2)
        acknowledged = 1
        for seq in range(1, 6):
            flush = owner.flush()
            for run in (1, 2):
                Part(flush, run).move(seq, seq + 1)
            store.commit(flush)
            acknowledged = seq + 1
    except StoreError:
        pass
    store.close()
    return acknowledged


def test_a_foreign_writer_is_waited_for_and_then_named(tmp_path: Path) -> None:
    """A SQLite shell that holds the database locked delays a commit, and in the end refuses it whole."""
    path = tmp_path / "aion.db"
    store = SqliteStore.open(path, busy_timeout_ms=1)
    owner = Owner(store)
    foreign = apsw.Connection(str(path))
    foreign.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreLocked, match="another program holds the database locked; nothing of this was recorded"):
        owner.start()
    foreign.execute("ROLLBACK")
    foreign.close()
    owner.start()
    seen = len(store.history(1))
    store.close()

    assert seen == 1
