"""Bringing a new file into being so that a power cut at any moment leaves either no store or a whole one.

SQLite creates a database in place, with a journal beside it. If power fails just after, a journal that
came back without the file it belongs to, or a file that lost its switch to WAL, could roll the schema away.
So the file is made aside, synced, renamed, and the directory is synced: from then on it is a store.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from contextlib import suppress

import apsw

from aion.errors import StoreError
from aion.stores.sqlite.failures import from_os
from aion.stores.sqlite.schema import migrate


def look(path: str) -> bool:
    """Whether there is a file to open at `path`; raises where there could be none."""
    try:
        mode = os.stat(path).st_mode
    except FileNotFoundError:
        return False
    except OSError as error:
        raise from_os(error, path) from error
    if stat.S_ISDIR(mode):
        raise StoreError(f"{path} is a directory: name a file in it, such as {os.path.join(path, 'aion.db')}")
    if not stat.S_ISREG(mode):
        raise StoreError(f"{path} is not a regular file: name a file on a local disk")
    if os.path.getsize(path) == 0:
        raise StoreError(
            f"{path} is not an Aion store: it is empty, and a store never is. "
            "Delete the file to create a new store there, or restore it from a backup"
        )
    return True


def require_directory(path: str) -> None:
    """A store does not make directories: a mistyped path should not look like a fresh start."""
    directory = os.path.dirname(path)
    if not os.path.isdir(directory):
        raise StoreError(f"{path} cannot be created: the directory {directory} does not exist. Create it first")


def create(path: str, vfs: str | None, failpoint: Callable[[str], None] | None) -> None:
    """Make a new store at `path`, where there is none. The caller holds the write lock."""
    _refuse_orphans(path)
    aside = f"{path}.new"
    try:
        for leftover in (aside, f"{aside}-journal", f"{aside}-wal", f"{aside}-shm"):
            with suppress(FileNotFoundError):
                os.unlink(leftover)
        os.close(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        _fill(aside, vfs)
        _sync(aside)
        if failpoint is not None:
            failpoint("create.before_rename")
        os.rename(aside, path)
        if failpoint is not None:
            failpoint("create.after_rename")
        _sync(os.path.dirname(path))
    except OSError as error:
        raise from_os(error, path) from error


def _refuse_orphans(path: str) -> None:
    """SQLite would replay a log that lies beside a new file, and it may be all that is left of a lost one."""
    for orphan in (f"{path}-wal", f"{path}-journal"):
        if os.path.exists(orphan) and os.path.getsize(orphan) > 0:
            raise StoreError(
                f"{path} is missing, but its log {orphan} is here and may hold acknowledged data: "
                "put the database file back, or delete the log to start empty"
            )


def _fill(aside: str, vfs: str | None) -> None:
    connection = apsw.Connection(aside, apsw.SQLITE_OPEN_READWRITE, vfs)
    try:
        connection.pragma("synchronous", "full")
        migrate(connection, 0)
        connection.pragma("journal_mode", "wal")
    finally:
        connection.close()


def _sync(path: str) -> None:
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
