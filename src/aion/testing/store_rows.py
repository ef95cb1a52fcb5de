"""Rows for tests of stores: an owner that writes well-formed flushes, and knows what it wrote."""

from __future__ import annotations

from collections.abc import Iterator

from aion.stores.base import (
    EventRow,
    Flush,
    HeadRow,
    InboxRow,
    Lease,
    RequestRow,
    RunRow,
    StatusRow,
    Store,
    TimerRow,
    shard_of,
)

TTL = 1_000
NAMESPACE = "default"


def names_on(store: Store, shard: int = 0) -> Iterator[str]:
    """Workflow ids that live on one shard, without end."""
    number = 0
    while True:
        number += 1
        if shard_of(NAMESPACE, f"workflow-{number}", store.shard_count) == shard:
            yield f"workflow-{number}"


def digest_of(run: int, seq: int) -> bytes:
    """Some 32 bytes that belong to an event; stores do not compute digests."""
    return run.to_bytes(16, "big") + seq.to_bytes(16, "big")


def make_events(run: int, expected_seq: int, seq: int, time: int = 500) -> list[EventRow]:
    """The events that lead from one head to the next."""
    return [
        EventRow(run, number, f"Event{number}", time, digest_of(run, number), f"data {run}/{number}".encode())
        for number in range(expected_seq + 1, seq + 1)
    ]


def make_run(run: int, workflow_id: str, chain: int = 1, started: int = 100, type: str = "work") -> RunRow:
    """A run with every column filled."""
    return RunRow(
        run, NAMESPACE, workflow_id, chain, f"id-{run}", type, "v1", "parent", started, b'{"a":1}', f"summary {run}"
    )


class Part:
    """Adds the rows of one run to a flush."""

    def __init__(self, flush: Flush, run: int) -> None:
        self.flush = flush
        self.run = run

    def start(self, workflow_id: str, seq: int = 1, chain: int = 1, started: int = 100, type: str = "work") -> Part:
        """The run is new."""
        self.flush.new_runs.append(make_run(self.run, workflow_id, chain, started, type))
        return self.move(0, seq)

    def move(self, expected_seq: int, seq: int, time: int = 500) -> Part:
        """The history grows."""
        self.flush.events.extend(make_events(self.run, expected_seq, seq, time))
        self.flush.heads.append(HeadRow(self.run, expected_seq, seq, time, digest_of(self.run, seq), 10 * seq))
        return self

    def close(self, status: str = "completed") -> Part:
        """The run ends."""
        self.flush.statuses.append(StatusRow(self.run, status, 600, None, None))
        self.flush.closing.append(self.run)
        return self

    def block(self) -> Part:
        """The run is blocked."""
        self.flush.statuses.append(StatusRow(self.run, "blocked", None, "a reason", "code-1"))
        return self

    def unblock(self) -> Part:
        """The run goes on."""
        self.flush.statuses.append(StatusRow(self.run, "running", None, None, None))
        return self

    def timer(self, due: int, seq: int = 1) -> Part:
        """A timer is armed."""
        self.flush.timers.append(TimerRow(due, self.run, seq))
        return self

    def busy(self) -> Part:
        """Work is handed out."""
        self.flush.busy.append(self.run)
        return self

    def inbox(self, id: int, data: bytes = b"input") -> Part:
        """An input is acknowledged."""
        self.flush.inbox.append(InboxRow(self.run, id, "signal", data))
        return self

    def consume(self, *ids: int) -> Part:
        """Inputs are consumed."""
        self.flush.inbox_gone.extend((self.run, id) for id in ids)
        return self

    def request(self, workflow_id: str, request_id: str, answer: bytes = b"answer") -> Part:
        """A request is answered."""
        self.flush.requests.append((self.run, RequestRow(NAMESPACE, workflow_id, request_id, answer)))
        return self


class Owner:
    """One engine's side of a store: its leases, and flushes under them."""

    def __init__(self, store: Store, name: str = "ada", now: int = 0) -> None:
        self.store = store
        self.name = name
        self.leases = {lease.shard: lease for lease in store.claim(name, now, TTL)}

    @property
    def lease(self) -> Lease:
        """The lease of shard 0."""
        return self.leases[0]

    def flush(self, shard: int = 0) -> Flush:
        """An empty flush under this owner's lease."""
        return Flush(shard, self.name, self.leases[shard].epoch)

    def start(self, count: int = 1, first: int = 1, seq: int = 1) -> list[str]:
        """Start runs `first`, `first + 1`, … on shard 0, and give their workflow ids."""
        names = names_on(self.store)
        for _ in range(first - 1):
            next(names)
        started = [next(names) for _ in range(count)]
        flush = self.flush()
        for run, name in enumerate(started, first):
            Part(flush, run).start(name, seq)

        assert self.store.commit(flush) == {}
        return started
