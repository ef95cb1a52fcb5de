"""The one connection that writes: its transactions, their failpoints, and what is known when one fails.

Calls may come from any thread; a mutex lets them in one at a time.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, TypeVar

import apsw

from aion.errors import StoreError
from aion.stores.base import Flush, Lease, Refusal
from aion.stores.sqlite.checkpoint import Checkpointer
from aion.stores.sqlite.failures import Outcome, is_failed_fsync, translate
from aion.stores.sqlite.flushing import Flushing, Refused

T = TypeVar("T")
Execute = Callable[..., Any]


class Writer:
    """Owns `connection` from now on."""

    def __init__(
        self, connection: apsw.Connection, path: str, busy_timeout_ms: int, failpoint: Callable[[str], None] | None
    ) -> None:
        self._connection = connection
        self._path = path
        self._failpoint = failpoint
        self._mutex = threading.Lock()
        self._execute: Execute = connection.cursor().execute
        self._flushing = Flushing(connection)
        self._checkpointer = Checkpointer(connection, busy_timeout_ms)
        self._broken: str | None = None

    # ── operations ───────────────────────────────────────────────────────────────────────────────

    def commit(self, flush: Flush) -> dict[int, Refusal]:
        """Make a flush durable, except the parts of runs that are refused."""
        try:
            self._transact("commit", lambda: self._flushing.whole(flush))
        except Refused:
            return self._transact("commit", lambda: self._flushing.part_by_part(flush))
        return {}

    def post(self, run: int, kind: str, data: bytes, now: int) -> int | None:
        """Leave an input in the inbox of an open run; its id is `now` in nanoseconds, or the next that is free."""

        def work() -> int | None:
            added = self._execute(
                "INSERT INTO inbox SELECT ?1, max(?4, ifnull((SELECT max(id) + 1 FROM inbox WHERE run = ?1), ?4)), "
                "?2, ?3 FROM runs WHERE run = ?1 AND closed IS NULL RETURNING id",
                (run, kind, data, now * 1000),
            ).fetchall()
            return int(added[0][0]) if added else None

        return self._transact("post", work)

    def claim(self, owner: str, now: int, ttl: int, limit: int | None) -> list[Lease]:
        """Take shards that nobody owns, or whose lease ended before `now`."""

        def work() -> list[Lease]:
            free = self._execute(
                "SELECT shard, epoch FROM shards WHERE owner IS NULL OR until < ? ORDER BY shard LIMIT ?",
                (now, -1 if limit is None else limit),
            ).fetchall()
            leases = [Lease(shard, epoch + 1, now + ttl) for shard, epoch in free]
            for lease in leases:
                self._execute(
                    "UPDATE shards SET owner = ?, epoch = ?, until = ? WHERE shard = ?",
                    (owner, lease.epoch, lease.until, lease.shard),
                )
            return leases

        return self._transact("claim", work)

    def renew(self, owner: str, leases: Sequence[Lease], until: int) -> list[Lease]:
        """Extend leases that are still `owner`'s at their epoch."""

        def work() -> list[Lease]:
            held = "UPDATE shards SET until = ? WHERE shard = ? AND owner = ? AND epoch = ? RETURNING 1"
            return [
                Lease(lease.shard, lease.epoch, until)
                for lease in leases
                if self._execute(held, (until, lease.shard, owner, lease.epoch)).fetchall()
            ]

        return self._transact("renew", work)

    def release(self, owner: str, leases: Sequence[Lease]) -> None:
        """Give shards back; lost ones are skipped."""

        def work() -> None:
            for lease in leases:
                self._execute(
                    "UPDATE shards SET owner = NULL WHERE shard = ? AND owner = ? AND epoch = ?",
                    (lease.shard, owner, lease.epoch),
                )

        self._transact("release", work)

    def disown(self) -> None:
        """Forget an owner that died with its process: whoever holds the file's lock knows that it did."""
        self._transact("disown", lambda: self._execute("UPDATE shards SET owner = NULL WHERE owner IS NOT NULL"))

    def close(self) -> None:
        """Empty the log and close. Readers in other processes may keep the log from being emptied; that is harmless."""
        with self._mutex:
            with suppress(apsw.Error):
                if self._broken is None:
                    self._checkpointer.finish()
            self._broken = f"{self._path} is closed: open the store again"
            self._connection.close(True)

    # ── transactions ─────────────────────────────────────────────────────────────────────────────

    def _transact(self, name: str, work: Callable[[], T]) -> T:
        """Run `work` in a transaction that is durable when this returns, and undone when it raises.

        Only a failed commit leaves it open whether the rows are there; its error says so.
        """
        with self._mutex:
            if self._broken is not None:
                raise StoreError(self._broken)
            failpoint = self._failpoint
            outcome: Outcome = "nothing written"
            if failpoint is not None:
                failpoint(f"{name}.before_begin")
            try:
                self._execute("BEGIN IMMEDIATE")
                result = work()
                if failpoint is not None:
                    failpoint(f"{name}.mid_tx")
                outcome = "unknown"
                self._execute("COMMIT")
            except apsw.Error as error:
                if isinstance(error, apsw.FullError):
                    # A commit is recognised by its last page, and that one found no room.
                    outcome = "nothing written"
                self._undo(error)
                raise translate(error, self._path, outcome) from error
            except BaseException as error:
                self._undo(error)
                raise
            if failpoint is not None:
                failpoint(f"{name}.after_commit")
            self._checkpoint()
            return result

    def _undo(self, error: BaseException) -> None:
        if is_failed_fsync(error):
            self._break(error)
        try:
            if self._connection.in_transaction:
                self._execute("ROLLBACK")
        except apsw.Error as second:
            self._break(second)

    def _checkpoint(self) -> None:
        """The commit before it is durable, so a failure here is not the caller's; most are cured by the next one."""
        try:
            self._checkpointer.run_if_due()
        except apsw.Error as error:
            if is_failed_fsync(error):
                self._break(error)

    def _break(self, error: BaseException) -> None:
        self._broken = (
            f"{self._path}: writing stopped after a failure of the disk ({error}). "
            "Check the disk, then open the store again: what was acknowledged is there"
        )
