"""The store contract: a few atomic, set-based operations that every store offers.

A store keeps five things: runs (identity and visibility), heads (where each history ends), events
(append-only), and the rows that will wake a run: timers, inbox rows and the busy mark. It knows
nothing of workflows: what the rows mean is decided above it.

All calls block and are made from engine threads, never from an event loop. A store whose driver is
asynchronous runs a loop of its own behind them.

Invariant: a flush is one transaction. It is whole or absent, and durable when `commit` returns.
Invariant: `commit` first proves that its caller still owns the shard (owner and epoch), then that each
    run's history ends where the caller believes (`HeadRow.expected_seq`). Both guards are in the
    same transaction as the rows.
Invariant: a run that closes has no unread inbox row, or its part of the flush is refused.
Invariant: numbers of runs and inbox rows come from the caller and ascend; a store needs no sequences,
    triggers, foreign keys or server clock.

Times are integers, microseconds since the epoch, UTC.
"""

from __future__ import annotations

import enum
import hashlib
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple


class EventRow(NamedTuple):
    """One event of one run. `digest` chains to the event before it."""

    run: int
    seq: int
    type: str
    time: int
    digest: bytes
    data: bytes


class HeadRow(NamedTuple):
    """Moves the end of a history from `expected_seq` to `seq`; `size` is its bytes of event data so far."""

    run: int
    expected_seq: int
    seq: int
    time: int
    digest: bytes
    size: int


class RunRow(NamedTuple):
    """The identity of a run, written once. `chain` counts the runs of one workflow id from 1."""

    run: int
    namespace: str
    workflow_id: str
    chain: int
    run_id: str
    type: str
    version: str | None
    parent: str | None
    started: int
    attributes: bytes
    summary: str | None


class StatusRow(NamedTuple):
    """A new status for a run. `closed` is set for terminal ones; the other two for blocked ones."""

    run: int
    status: str
    closed: int | None
    blocked_reason: str | None
    blocked_code: str | None


class TimerRow(NamedTuple):
    """Wakes `run` at `due`; `seq` is the event that armed it."""

    due: int
    run: int
    seq: int


class InboxRow(NamedTuple):
    """An acknowledged input that its run has not consumed; `id` ascends in order of acknowledgement."""

    run: int
    id: int
    kind: str
    data: bytes


class RequestRow(NamedTuple):
    """The first answer to a request id, kept so that asking again gives it again."""

    namespace: str
    workflow_id: str
    request_id: str
    answer: bytes


class RunRecord(NamedTuple):
    """All that lists and `describe` show of a run, read back."""

    run: int
    namespace: str
    workflow_id: str
    chain: int
    run_id: str
    type: str
    version: str | None
    parent: str | None
    started: int
    attributes: bytes
    summary: str | None
    status: str
    closed: int | None
    blocked_reason: str | None
    blocked_code: str | None
    seq: int
    time: int
    digest: bytes
    size: int


@dataclass(slots=True)
class Flush:
    """Everything that becomes durable together, column by column, for one shard.

    `timers_gone` are exact keys `(due, run, seq)`; `busy` and `idle` set and clear the mark of runs whose
    work was handed out in this process (a run started in this flush may be in `busy`); `closing` are runs
    that reach a terminal status and must therefore have no unread inbox row beyond `inbox_gone`.
    """

    shard: int
    owner: str
    epoch: int
    new_runs: list[RunRow] = field(default_factory=list)
    heads: list[HeadRow] = field(default_factory=list)
    events: list[EventRow] = field(default_factory=list)
    statuses: list[StatusRow] = field(default_factory=list)
    timers: list[TimerRow] = field(default_factory=list)
    timers_gone: list[tuple[int, int, int]] = field(default_factory=list)
    busy: list[int] = field(default_factory=list)
    idle: list[int] = field(default_factory=list)
    inbox: list[InboxRow] = field(default_factory=list)
    inbox_gone: list[tuple[int, int]] = field(default_factory=list)
    requests: list[tuple[int, RequestRow]] = field(default_factory=list)
    """Each with the run whose part of the flush it belongs to."""
    closing: list[int] = field(default_factory=list)


class Refusal(enum.Enum):
    """Why one run's part of a flush was left out. The other runs' parts were committed."""

    HEAD_MOVED = "the history does not end where the caller believed"
    ID_TAKEN = "this workflow id already has a run of that chain number"
    UNREAD_INBOX = "an acknowledged input waits, so the run may not close yet"
    REQUEST_TAKEN = "this request id was answered before"


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to write to a shard, until `until`. `epoch` is the fencing token."""

    shard: int
    epoch: int
    until: int


class Fenced(Exception):
    """The shard belongs to somebody else by now: nothing was written, and nothing may be, until it is claimed again."""


@dataclass(frozen=True, slots=True)
class RunFilter:
    """Which runs a list shows; an absent field matches all. `statuses` and `types` are alternatives."""

    namespace: str | None = None
    statuses: tuple[str, ...] = ()
    types: tuple[str, ...] = ()


class Store(ABC):
    """The contract. See the module docstring for what holds of all of it.

    Raises (all calls): `aion.errors.StoreError` when the store failed; after a failed `commit` the outcome
    may be unknown, so the caller must read before it decides anything.
    """

    shard_count: int
    """Fixed when the store was created. A workflow lives on `shard_of(namespace, workflow_id)`."""

    # ── ownership ────────────────────────────────────────────────────────────────────────────────

    @abstractmethod
    def claim(self, owner: str, now: int, ttl: int, limit: int | None = None) -> list[Lease]:
        """Take up to `limit` shards that nobody owns, or whose lease ended before `now`; each gets a higher epoch."""

    @abstractmethod
    def renew(self, owner: str, leases: Sequence[Lease], until: int) -> list[Lease]:
        """Extend leases that are still `owner`'s at their epoch; those missing from the answer are lost."""

    @abstractmethod
    def release(self, owner: str, leases: Sequence[Lease]) -> None:
        """Give shards back, so that another owner need not wait for the lease to end. Lost ones are skipped."""

    # ── writing ──────────────────────────────────────────────────────────────────────────────────

    @abstractmethod
    def commit(self, flush: Flush) -> dict[int, Refusal]:
        """Make a flush durable, except the parts of runs that are refused: those are returned, and left no row.

        Raises:
            Fenced: the flush's owner and epoch do not hold the shard.
        """

    @abstractmethod
    def post(self, run: int, kind: str, data: bytes, now: int) -> int | None:
        """Leave an input in the inbox of an open run without owning its shard.

        The id of its row, or None if the run is closed or unknown.
        """

    # ── reading ──────────────────────────────────────────────────────────────────────────────────

    @abstractmethod
    def find(self, namespace: str, workflow_id: str, run_id: str | None = None) -> RunRecord | None:
        """The run of that id, or the newest of the workflow's chain."""

    @abstractmethod
    def records(self, runs: Sequence[int]) -> list[RunRecord]:
        """The records of these runs, those that exist, in ascending order of `run`."""

    @abstractmethod
    def find_request(self, namespace: str, workflow_id: str, request_id: str) -> bytes | None:
        """The answer recorded for a request id."""

    @abstractmethod
    def history(self, run: int, from_seq: int = 1, limit: int | None = None) -> list[EventRow]:
        """Events of a run with `seq >= from_seq`, ascending. Unknown runs have none."""

    @abstractmethod
    def timers_due(self, shard: int, after: int, until: int, limit: int) -> list[TimerRow]:
        """Timers with `after < due <= until`, by (due, run, seq); at most `limit`."""

    @abstractmethod
    def next_due(self, shard: int) -> int | None:
        """The earliest due time of all timers."""

    @abstractmethod
    def busy_runs(self, shard: int, after: int, limit: int) -> list[int]:
        """Runs marked busy with number above `after`, ascending."""

    @abstractmethod
    def inbox_runs(self, shard: int, after: int, limit: int) -> list[int]:
        """Runs with inbox rows and number above `after`, ascending; runs that are blocked are left out."""

    @abstractmethod
    def inbox(self, run: int) -> list[InboxRow]:
        """The inbox of a run, by id."""

    @abstractmethod
    def blocked_runs(self, shard: int, after: int, limit: int) -> list[RunRecord]:
        """Runs of status `blocked` with number above `after`, ascending."""

    @abstractmethod
    def list_runs(self, filter: RunFilter, limit: int, after: tuple[int, int] | None = None) -> list[RunRecord]:
        """Runs that match, by (started, run) ascending, strictly after that pair."""

    @abstractmethod
    def close(self) -> None:
        """Release everything. Further calls raise `StoreError`."""


def shard_of(namespace: str, workflow_id: str, shard_count: int) -> int:
    """The shard a workflow lives on, the same for every owner, process and version."""
    if shard_count == 1:
        return 0
    digest = hashlib.blake2b(f"{namespace}\0{workflow_id}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") % shard_count
