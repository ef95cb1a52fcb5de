"""What `commit` does inside its transaction: the whole flush at once, or run by run where a guard misses.

The first way is the hottest code of the store. It writes every row without looking, and proves all guards
afterwards by one number: how many rows changed. If it is not the number expected, or a uniqueness is
violated, the transaction is rolled back and the second way takes over, which gives each run a savepoint,
finds out whose part is refused and why, and keeps the rest.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import chain
from typing import Any

import apsw

from aion.stores.base import Fenced, Flush, Refusal
from aion.stores.parts import split_by_run
from aion.stores.sqlite.statements import (
    ADD_BUSY,
    ADD_EVENTS,
    ADD_HEADS,
    ADD_INBOX,
    ADD_REQUESTS,
    ADD_RUNS,
    ADD_TIMERS,
    DROP_BUSY,
    DROP_INBOX,
    DROP_TIMERS,
    MOVE_HEADS,
    SET_STATUSES,
)

_flat = chain.from_iterable


class Refused(Exception):
    """Some part of the flush does not fit; which one is not known yet."""


class Flushing:
    """Applies flushes through one connection, inside transactions that its caller begins and ends."""

    def __init__(self, connection: apsw.Connection) -> None:
        self._execute: Callable[..., apsw.Cursor] = connection.cursor().execute
        self._changes = connection.total_changes

    def whole(self, flush: Flush) -> None:
        """Write all of it.

        Raises:
            Refused: a part does not fit; the transaction must be rolled back.
            Fenced: the caller does not own the shard; likewise.
        """
        self._prove_owner(flush)
        try:
            self._write(flush)
        except apsw.ConstraintError as error:
            raise Refused from error

    def part_by_part(self, flush: Flush) -> dict[int, Refusal]:
        """Write the parts that fit, lower runs first, and say why the others do not."""
        self._prove_owner(flush)
        refused: dict[int, Refusal] = {}
        for run, part in split_by_run(flush).items():
            self._execute("SAVEPOINT part")
            try:
                self._write(part)
            except (Refused, apsw.ConstraintError):
                self._execute("ROLLBACK TO part")
                refused[run] = self._reason(run, part)
            self._execute("RELEASE part")
        return refused

    def _prove_owner(self, flush: Flush) -> None:
        held = self._execute(
            "SELECT 1 FROM shards WHERE shard = ? AND owner = ? AND epoch = ?", (flush.shard, flush.owner, flush.epoch)
        ).fetchall()
        if not held:
            raise Fenced(f"shard {flush.shard} is not held by {flush.owner!r} at epoch {flush.epoch}")

    def _write(self, flush: Flush) -> None:
        """Lists that are empty cost nothing; rows are written in the order given, which ascends where it matters."""
        execute = self._execute
        changes_before = self._changes()
        heads = flush.heads
        moved = heads
        if flush.new_runs:
            first = [head for head in heads if not head[1]]
            assert len(first) == len(flush.new_runs), "a run is new exactly when its head is expected at 0"
            moved = [head for head in heads if head[1]] if len(first) < len(heads) else []
            ADD_RUNS.run(execute, list(_flat(flush.new_runs)))
            ADD_HEADS.run(execute, list(_flat(first)))
        if moved:
            MOVE_HEADS.run(execute, list(_flat(moved)))
        if flush.events:
            ADD_EVENTS.run(execute, list(_flat(flush.events)))
        if flush.requests:
            ADD_REQUESTS.run(execute, list(_flat(request for _, request in flush.requests)))
        if flush.inbox:
            ADD_INBOX.run(execute, list(_flat(flush.inbox)))
        must_change = len(flush.new_runs) + len(heads) + len(flush.events) + len(flush.requests) + len(flush.inbox)
        if self._changes() - changes_before != must_change:
            raise Refused
        self._write_wakers(flush, execute)

    def _write_wakers(self, flush: Flush, execute: Callable[..., Any]) -> None:
        if flush.inbox_gone:
            DROP_INBOX.run(execute, list(_flat(flush.inbox_gone)))
        if flush.statuses:
            changes_before = self._changes()
            SET_STATUSES.run(execute, list(_flat(flush.statuses)))
            if self._changes() - changes_before != len(flush.statuses):
                raise Refused
        if flush.timers_gone:
            DROP_TIMERS.run(execute, list(_flat(flush.timers_gone)))
        if flush.timers:
            ADD_TIMERS.run(execute, list(_flat(flush.timers)))
        if flush.idle:
            DROP_BUSY.run(execute, flush.idle)
        if flush.busy:
            ADD_BUSY.run(execute, flush.busy)

    def _reason(self, run: int, part: Flush) -> Refusal:
        """Why a part was refused, from the state before it: the first that applies, in the order of `Refusal`."""
        ends_at = self._value("SELECT seq FROM heads WHERE run = ?", run) or 0
        if any(head.expected_seq != ends_at for head in part.heads):
            return Refusal.HEAD_MOVED
        taken = "SELECT 1 FROM runs WHERE namespace = ? AND workflow_id = ? AND chain = ?"
        if any(self._value(taken, new.namespace, new.workflow_id, new.chain) for new in part.new_runs):
            return Refusal.ID_TAKEN
        if part.closing and self._unread(run, part):
            return Refusal.UNREAD_INBOX
        keys = [request[:3] for _, request in part.requests]
        asked = "SELECT 1 FROM requests WHERE namespace = ? AND workflow_id = ? AND request_id = ?"
        if len(set(keys)) < len(keys) or any(self._value(asked, *key) for key in keys):
            return Refusal.REQUEST_TAKEN
        # What is left: events that are there already, an inbox id taken twice, an input for a closed run.
        return Refusal.HEAD_MOVED

    def _unread(self, run: int, part: Flush) -> bool:
        waiting = {number for (number,) in self._execute("SELECT id FROM inbox WHERE run = ?", (run,))}
        waiting.update(row.id for row in part.inbox)
        return bool(waiting.difference(number for _, number in part.inbox_gone))

    def _value(self, sql: str, *parameters: object) -> Any:
        for (value,) in self._execute(sql, parameters).fetchall():
            return value
        return None
