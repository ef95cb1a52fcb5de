"""Moving the log's pages into the main file, so that the log stays small and commits stay quick.

SQLite would do it after some commit, whichever; here it happens on the writing connection only, after a
commit has been made durable, and so never decides whether that commit succeeded.
"""

from __future__ import annotations

import os
from contextlib import suppress

import apsw

LOG_BYTES_CHECKPOINT = 8 * 1024 * 1024
"""Past this the log is copied as far as readers allow, which blocks nobody."""

LOG_BYTES_RESTART = 64 * 1024 * 1024
"""Past this, readers that always overlap have kept the log from starting over: wait for them, for a moment."""

RESTART_WAIT_MS = 100

_BLOCK = bytes(4096)


def lay_out_log(path: str) -> None:
    """Give the log the length it will have anyway.

    A sync that makes a file longer takes almost twice as long as one over blocks that are there, and
    the log only stops growing at its first checkpoint. SQLite takes the zeros for the end of the log.
    They are written a block at a time: after one large write the page cache would hold the file in
    large pieces, and each small commit into one of them would cost half as much again to sync.
    """
    log = f"{path}-wal"
    with suppress(OSError):
        missing = LOG_BYTES_CHECKPOINT - os.path.getsize(log)
        fd = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
        try:
            for _ in range(missing // len(_BLOCK)):
                os.write(fd, _BLOCK)
            os.fsync(fd)
        finally:
            os.close(fd)


class Checkpointer:
    """Watches the log's length through SQLite's commit hook."""

    def __init__(self, connection: apsw.Connection, busy_timeout_ms: int) -> None:
        page = int(connection.pragma("page_size"))
        self._step = LOG_BYTES_CHECKPOINT // page
        self._bound = LOG_BYTES_RESTART // page
        self._connection = connection
        self._busy_timeout_ms = busy_timeout_ms
        self._pages = 0
        self._due_at = self._step
        connection.set_wal_hook(self._committed)

    def run_if_due(self) -> None:
        """Call after each commit. Raises what SQLite raises; the commit itself is durable."""
        if self._pages < self._due_at:
            return
        # Set first: a checkpoint that fails is tried again after as much log again, not after every commit.
        self._due_at = self._pages + self._step
        if self._pages < self._bound:
            self._connection.wal_checkpoint("main", apsw.SQLITE_CHECKPOINT_PASSIVE)
            return
        self._connection.set_busy_timeout(RESTART_WAIT_MS)
        try:
            self._connection.wal_checkpoint("main", apsw.SQLITE_CHECKPOINT_RESTART)
        finally:
            self._connection.set_busy_timeout(self._busy_timeout_ms)

    def finish(self) -> None:
        """Empty the log, as far as readers in other processes allow."""
        self._connection.set_busy_timeout(RESTART_WAIT_MS)
        self._connection.wal_checkpoint("main", apsw.SQLITE_CHECKPOINT_TRUNCATE)
        self._connection.set_wal_hook(None)

    def _committed(self, connection: apsw.Connection, database: str, pages: int) -> int:
        if pages < self._pages:
            # The log started over from its beginning.
            self._due_at = self._step
        self._pages = pages
        return apsw.SQLITE_OK
