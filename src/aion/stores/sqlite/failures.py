"""From what SQLite reports to the errors callers know: each says what failed, what holds now, and what to do.

SQLite's own exceptions never leave the store; they travel along as the cause.
"""

from __future__ import annotations

import errno
from typing import Literal

import apsw

from aion.errors import StoreCorrupt, StoreError, StoreLocked

Outcome = Literal["nothing written", "unknown", "read"]

_AFTERWARDS: dict[Outcome, str] = {
    "nothing written": "nothing of this was recorded",
    "unknown": "whether this was recorded is unknown until the store is opened and read again",
    "read": "nothing was changed",
}

_FSYNC_FAILURES = {apsw.SQLITE_IOERR_FSYNC, apsw.SQLITE_IOERR_DIR_FSYNC}


def translate(error: apsw.Error, path: str, outcome: Outcome) -> StoreError:
    """The error to raise from `error`, which SQLite reported about the file at `path`."""
    afterwards = _AFTERWARDS[outcome]
    match error:
        case apsw.FullError():
            return StoreError(f"{path}: the disk is full; {afterwards}. Free some space, then try again")
        case apsw.IOError():
            return StoreError(
                f"{path}: the operating system failed to read or write ({_reason(error)}); {afterwards}. "
                "Check the disk and the file system, then open the store again"
            )
        case apsw.NotADBError():
            return StoreCorrupt(
                f"{path} is not an Aion store: it does not begin like a SQLite database. "
                "Check the path; if it is the right one, the file is damaged: restore it from a backup"
            )
        case apsw.CorruptError() | apsw.SQLError() | apsw.FormatError():
            return StoreCorrupt(
                f"{path} is damaged ({_reason(error)}); {afterwards}. "
                "Stop using it, keep a copy, and restore it from a backup"
            )
        case apsw.BusyError() | apsw.LockedError():
            return StoreLocked(
                f"{path}: another program holds the database locked; {afterwards}. "
                "Find the program that has it open for writing (a SQLite shell, a backup) and close it"
            )
        case apsw.ReadOnlyError() | apsw.PermissionsError() | apsw.AuthError():
            return StoreError(
                f"{path} cannot be written ({_reason(error)}); {afterwards}. "
                "Give this user write permission on the file and its directory, or open it read-only"
            )
        case apsw.CantOpenError():
            return StoreError(
                f"{path} cannot be opened ({_reason(error)}); {afterwards}. "
                "Check that it exists and that this user may read and write it and its directory"
            )
        case apsw.NoMemError() | apsw.TooBigError():
            return StoreError(f"{path}: {_reason(error)}; {afterwards}. Give the process more memory or smaller values")
        case apsw.ProtocolError():
            return StoreError(
                f"{path}: its file system does not lock files as SQLite needs ({_reason(error)}); {afterwards}. "
                "Put the store on a local disk"
            )
        case _:
            return StoreError(f"{path}: {_reason(error)} ({type(error).__name__}); {afterwards}. Open the store again")


def is_failed_fsync(error: BaseException) -> bool:
    """Whether a sync failed. It must not be tried again: the kernel may drop the pages and report success next time."""
    return isinstance(error, apsw.IOError) and getattr(error, "extendedresult", 0) in _FSYNC_FAILURES


def from_os(error: OSError, path: str) -> StoreError:
    """The error to raise where the operating system refused something about the file at `path`."""
    what = error.strerror or str(error)
    if isinstance(error, PermissionError) or error.errno == errno.EROFS:
        return StoreError(
            f"{path} is out of reach ({what}). Give this user permission to read and write the file and its directory; "
            "a file that can only be read can be opened read-only"
        )
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return StoreError(f"{path}: the disk is full; nothing was recorded. Free some space, then try again")
    return StoreError(f"{path} cannot be opened ({what}). Check the path, the disk and the permissions")


def _reason(error: apsw.Error) -> str:
    """SQLite's own words, and the operating system's where it has some."""
    words = str(error) or type(error).__name__
    number = getattr(error, "extendedresult", 0)
    name = apsw.mapping_extended_result_codes.get(number)
    return f"{words}, {name}" if isinstance(name, str) else words
