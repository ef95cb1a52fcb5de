"""A new file is whole or absent, and what cannot become one is refused with a reason."""

from __future__ import annotations

import os
import socket
import stat
from pathlib import Path

import pytest

from aion.errors import StoreError
from aion.stores.sqlite import SqliteStore


class Killed(BaseException):
    """Stands for a process that ends here."""


def test_a_new_store_is_private_to_its_user(tmp_path: Path) -> None:
    """Payloads are nobody else's business: the file and what lies beside it have mode 0600."""
    store = SqliteStore.open(tmp_path / "aion.db")
    modes = {entry.name: stat.S_IMODE(entry.stat().st_mode) for entry in os.scandir(tmp_path)}
    store.close()

    assert modes == dict.fromkeys(["aion.db", "aion.db-wal", "aion.db-shm", "aion.db.lock"], 0o600)


def test_a_new_store_is_synced_before_it_has_its_name_and_its_name_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Made aside without a journal, synced, renamed, and the directory synced: a power cut leaves all or nothing."""
    path = tmp_path / "aion.db"
    done: list[tuple[str, str, list[str]]] = []
    fsync, rename = os.fsync, os.rename

    def watched_fsync(fd: int) -> None:
        target = os.readlink(f"/proc/self/fd/{fd}")
        done.append(("sync", target, sorted(os.listdir(tmp_path))))
        fsync(fd)

    def watched_rename(old: str, new: str) -> None:
        done.append(("rename", new, []))
        rename(old, new)

    monkeypatch.setattr(os, "fsync", watched_fsync)
    monkeypatch.setattr(os, "rename", watched_rename)
    SqliteStore.open(path).close()

    assert done[:3] == [
        ("sync", f"{path}.new", ["aion.db.lock", "aion.db.new"]),
        ("rename", str(path), []),
        ("sync", str(tmp_path), ["aion.db", "aion.db.lock"]),
    ]


@pytest.mark.parametrize("where", ["create.before_rename", "create.after_rename"])
def test_a_creation_that_was_cut_short_is_no_obstacle(tmp_path: Path, where: str) -> None:
    """What a killed process left aside is replaced; what had its name already is a store."""
    path = tmp_path / "aion.db"

    def kill(name: str) -> None:
        if name == where:
            raise Killed

    with pytest.raises(Killed):
        SqliteStore.open(path, failpoint=kill)
    (tmp_path / "aion.db.new-journal").write_bytes(b"hot")

    assert path.exists() == (where == "create.after_rename")
    store = SqliteStore.open(path)
    assert store.busy_runs(0, 0, 1) == []
    store.close()


@pytest.mark.parametrize("ending", ["-wal", "-journal"])
def test_a_log_without_its_file_is_not_written_over(tmp_path: Path, ending: str) -> None:
    """It may hold acknowledged data of a file that was moved away, and SQLite would replay it into a new one."""
    orphan = tmp_path / f"aion.db{ending}"
    orphan.write_bytes(b"something")

    with pytest.raises(StoreError, match="is missing, but its log"):
        SqliteStore.open(tmp_path / "aion.db")
    assert (orphan.read_bytes(), os.listdir(tmp_path)) == (b"something", [orphan.name])


def test_a_directory_that_does_not_exist_is_not_made(tmp_path: Path) -> None:
    """A mistyped path must not look like a fresh start."""
    with pytest.raises(StoreError, match=r"the directory .*nowhere does not exist"):
        SqliteStore.open(tmp_path / "nowhere" / "aion.db")
    assert os.listdir(tmp_path) == []


def test_a_directory_is_no_store(tmp_path: Path) -> None:
    """The refusal suggests a name in it."""
    with pytest.raises(StoreError, match=r"is a directory: name a file in it, such as .*/aion\.db"):
        SqliteStore.open(tmp_path)


def test_an_empty_file_is_no_store(tmp_path: Path) -> None:
    """A store never is empty, so an empty file is one that was lost, or a mistake."""
    (tmp_path / "aion.db").touch()

    with pytest.raises(StoreError, match="it is empty"):
        SqliteStore.open(tmp_path / "aion.db")
    assert os.listdir(tmp_path) == ["aion.db"]


def test_what_is_not_a_file_is_no_store(tmp_path: Path) -> None:
    """Opening a pipe would hang, and a device would be written over."""
    os.mkfifo(tmp_path / "pipe")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "socket"))
        for name in ("pipe", "socket"):
            with pytest.raises(StoreError, match="not a regular file"):
                SqliteStore.open(tmp_path / name)


@pytest.mark.parametrize("path", ["", ":memory:", "a\0b", "/proc/self/no/such/aion.db", "/dev/null/aion.db", "x" * 300])
def test_a_path_that_names_no_file_is_refused(path: str) -> None:
    """Each with an error of ours, whatever the operating system calls it."""
    for read_only in (False, True):
        with pytest.raises(StoreError):
            SqliteStore.open(path, read_only=read_only)
