"""The SQLite store: one file, one shard, one owner at a time, held by a lock of the operating system."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import get_args

import apsw
import msgspec

from aion.errors import InvalidInput, StoreError
from aion.stores.base import (
    EventRow,
    Flush,
    InboxRow,
    Lease,
    Refusal,
    RunFilter,
    RunRecord,
    Store,
    TimerRow,
)
from aion.stores.sqlite import queries
from aion.stores.sqlite.checkpoint import lay_out_log
from aion.stores.sqlite.connection import Durability, connect_reader, connect_writer, make_durable
from aion.stores.sqlite.creation import create, look, require_directory
from aion.stores.sqlite.failures import from_os, translate
from aion.stores.sqlite.lock import WriteLock
from aion.stores.sqlite.reader import Readers
from aion.stores.sqlite.schema import identify, migrate, require_current
from aion.stores.sqlite.writer import Writer

_PAGE = 256
"""Rows with bodies read at once: at 2 MiB each they still fit what SQLite puts into one value."""

_BEFORE_ALL = -(1 << 63)

_decode_runs = msgspec.json.Decoder(list[int]).decode


class SqliteStore(Store):
    """Made by `open`. Reads may come from any threads; writes are let in one at a time."""

    shard_count = 1

    def __init__(
        self, path: str, durability: Durability, readers: Readers, writer: Writer | None, lock: WriteLock | None
    ) -> None:
        self.path = path
        self.durability = durability
        self._readers = readers
        self._writer = writer
        self._lock = lock
        self._pid = os.getpid()
        self._file = os.stat(path)

    @classmethod
    def open(
        cls,
        path: str | os.PathLike[str],
        *,
        read_only: bool = False,
        durability: Durability = "full",
        failpoint: Callable[[str], None] | None = None,
        busy_timeout_ms: int = 5_000,
        vfs: str | None = None,
    ) -> SqliteStore:
        """Open the store in the file at `path`, and create it unless `read_only`.

        Writing is for one store at a time, in this and all other processes; any number may read beside it.
        `durability="relaxed"` gives up the last acknowledged commits in a power cut, for speed. `failpoint`
        is called with a name before and after each durable write; `busy_timeout_ms` bounds the wait for a
        foreign program that holds the database locked; `vfs` names a SQLite VFS, for tests.

        Raises:
            StoreLocked: somebody else has it open for writing.
            StoreCorrupt: the file is damaged, or no SQLite database.
            StoreError: it cannot be opened for another reason, which the message gives.
        """
        if durability not in get_args(Durability):
            raise InvalidInput(f"durability is {durability!r}: say 'full' or 'relaxed'")
        full_path = _resolve(path)
        try:
            if read_only:
                return _open_reading(full_path, durability, busy_timeout_ms, vfs)
            return _open_writing(full_path, durability, failpoint, busy_timeout_ms, vfs)
        except apsw.Error as error:
            raise translate(error, full_path, "nothing written") from error
        except OSError as error:
            raise from_os(error, full_path) from error

    # ── ownership ────────────────────────────────────────────────────────────────────────────────

    def claim(self, owner: str, now: int, ttl: int, limit: int | None = None) -> list[Lease]:
        """Take the shard, if nobody owns it or the lease ended before `now`."""
        writer = self._writing()
        self._require_same_file()
        return writer.claim(owner, now, ttl, limit)

    def renew(self, owner: str, leases: Sequence[Lease], until: int) -> list[Lease]:
        """Extend the lease, if it is still `owner`'s at its epoch."""
        writer = self._writing()
        self._require_same_file()
        return writer.renew(owner, leases, until)

    def release(self, owner: str, leases: Sequence[Lease]) -> None:
        """Give the shard back, if it is still `owner`'s."""
        self._writing().release(owner, leases)

    # ── writing ──────────────────────────────────────────────────────────────────────────────────

    def commit(self, flush: Flush) -> dict[int, Refusal]:
        """Make a flush durable, except the parts of runs that are refused."""
        writer = self._writing()
        self._require_same_file()
        return writer.commit(flush)

    def post(self, run: int, kind: str, data: bytes, now: int) -> int | None:
        """Leave an input in the inbox of an open run; its id is `now` in nanoseconds, or the next that is free."""
        return self._writing().post(run, kind, data, now)

    # ── reading ──────────────────────────────────────────────────────────────────────────────────

    def find(self, namespace: str, workflow_id: str, run_id: str | None = None) -> RunRecord | None:
        """The run of that id, or the newest of the workflow's chain."""
        reading = self._reading()
        if run_id is None:
            found = reading.rows(queries.FIND_NEWEST, namespace, workflow_id)
        else:
            found = reading.rows(queries.FIND_RUN, namespace, workflow_id, run_id)
        return RunRecord._make(found[0]) if found else None

    def records(self, runs: Sequence[int]) -> list[RunRecord]:
        """The records of these runs, those that exist, ascending."""
        return queries.RECORDS.read(self._reading(), _json(runs), len(runs))

    def find_request(self, namespace: str, workflow_id: str, request_id: str) -> bytes | None:
        """The answer recorded for a request id."""
        for (answer,) in self._reading().rows(queries.FIND_REQUEST, namespace, workflow_id, request_id):
            return bytes(answer)
        return None

    def history(self, run: int, from_seq: int = 1, limit: int | None = None) -> list[EventRow]:
        """Events of a run with `seq >= from_seq`, ascending."""
        reading = self._reading()
        events: list[EventRow] = []
        while limit is None or len(events) < limit:
            wanted = _PAGE if limit is None else min(_PAGE, limit - len(events))
            page = queries.HISTORY.read(reading, run, from_seq, wanted)
            events += page
            if len(page) < wanted:
                break
            from_seq = page[-1].seq + 1
        return events

    def timers_due(self, shard: int, after: int, until: int, limit: int) -> list[TimerRow]:
        """Timers with `after < due <= until`, by (due, run, seq)."""
        return queries.TIMERS_DUE.read(self._reading(), after, until, limit)

    def next_due(self, shard: int) -> int | None:
        """The earliest due time of all timers."""
        ((due,),) = self._reading().rows(queries.NEXT_DUE)
        return None if due is None else int(due)

    def busy_runs(self, shard: int, after: int, limit: int) -> list[int]:
        """Runs marked busy with number above `after`, ascending."""
        ((runs,),) = self._reading().rows(queries.BUSY_RUNS, after, limit)
        return _decode_runs(runs)

    def inbox_runs(self, shard: int, after: int, limit: int) -> list[int]:
        """Runs with inbox rows and number above `after`, ascending; blocked ones are left out."""
        ((runs,),) = self._reading().rows(queries.INBOX_RUNS, after, limit)
        return _decode_runs(runs)

    def inbox(self, run: int) -> list[InboxRow]:
        """The inbox of a run, by id."""
        reading = self._reading()
        rows = page = queries.INBOX.read(reading, run, _BEFORE_ALL, _PAGE)
        while len(page) == _PAGE:
            page = queries.INBOX.read(reading, run, page[-1].id, _PAGE)
            rows = rows + page
        return rows

    def blocked_runs(self, shard: int, after: int, limit: int) -> list[RunRecord]:
        """Runs of status `blocked` with number above `after`, ascending."""
        return queries.BLOCKED.read(self._reading(), after, limit)

    def list_runs(self, filter: RunFilter, limit: int, after: tuple[int, int] | None = None) -> list[RunRecord]:
        """Runs that match, by (started, run) ascending, strictly after that pair."""
        started, run = (_BEFORE_ALL, _BEFORE_ALL) if after is None else after
        statuses = _json(filter.statuses) if filter.statuses else None
        types = _json(filter.types) if filter.types else None
        return queries.LIST.read(self._reading(), started, run, filter.namespace, statuses, types, limit)

    def close(self) -> None:
        """Close the file and let the lock go. Calling it again does nothing."""
        if os.getpid() != self._pid:
            return
        self._readers.close()
        if self._writer is not None:
            self._writer.close()
        if self._lock is not None:
            self._lock.release()

    # ── small things ─────────────────────────────────────────────────────────────────────────────

    def _reading(self) -> Readers:
        self._require_same_process()
        return self._readers

    def _writing(self) -> Writer:
        self._require_same_process()
        if self._writer is None:
            raise StoreError(f"{self.path} was opened read-only: ask the engine that has it open for writing")
        return self._writer

    def _require_same_process(self) -> None:
        if os.getpid() != self._pid:
            raise StoreError(
                f"{self.path} was opened by process {self._pid}, and a forked process may not use it: "
                "open it again after the fork"
            )

    def _require_same_file(self) -> None:
        """Whoever writes to a file that was moved away acknowledges what nobody will find."""
        try:
            same = os.path.samestat(self._file, os.stat(self.path))
        except OSError:
            same = False
        if not same:
            raise StoreError(
                f"{self.path} was removed or replaced while it was open: "
                "put the file back where it was, then open the store again"
            )


def _open_reading(path: str, durability: Durability, busy_timeout_ms: int, vfs: str | None) -> SqliteStore:
    if not look(path):
        raise StoreError(f"{path} does not exist, and a read-only open creates nothing: check the path")
    readers = Readers(path, lambda: connect_reader(path, durability, busy_timeout_ms, vfs))
    connection = connect_reader(path, durability, busy_timeout_ms, vfs)
    try:
        require_current(connection, path)
    finally:
        connection.close(True)
    return SqliteStore(path, durability, readers, None, None)


def _open_writing(
    path: str,
    durability: Durability,
    failpoint: Callable[[str], None] | None,
    busy_timeout_ms: int,
    vfs: str | None,
) -> SqliteStore:
    if not look(path):
        require_directory(path)
    lock = WriteLock(path)
    try:
        if not look(path):
            create(path, vfs, failpoint)
        connection = connect_writer(path, busy_timeout_ms, vfs)
        try:
            version = identify(connection, path)
            make_durable(connection, path, durability)
            migrate(connection, version)
            if vfs is None and durability == "full":
                lay_out_log(path)
            writer = Writer(connection, path, busy_timeout_ms, failpoint)
            writer.disown()
            readers = Readers(path, lambda: connect_reader(path, durability, busy_timeout_ms, vfs))
            return SqliteStore(path, durability, readers, writer, lock)
        except BaseException:
            connection.close(True)
            raise
    except BaseException:
        lock.release()
        raise


def _resolve(path: str | os.PathLike[str]) -> str:
    """One name for one file, so that a link to it meets the same lock."""
    name = os.fspath(path)
    if name == ":memory:" or not name:
        raise StoreError(f"{name!r} names no file: give a path, or use the memory store")
    try:
        return os.path.realpath(name)
    except (OSError, ValueError) as error:
        raise StoreError(f"{name!r} is no usable path ({error}): give the path of a file") from error


def _json(values: Sequence[object]) -> str:
    return msgspec.json.encode(list(values)).decode()
