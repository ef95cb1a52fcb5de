"""The memory store keeps the contract, and catches callers that do not keep theirs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from aion.stores.base import Flush, Store
from aion.stores.memory import MemoryStore
from aion.testing.store_contract import StoreContract
from aion.testing.store_rows import TTL, Owner, Part, names_on


class TestMemoryStore(StoreContract):
    """Many shards."""

    def make_store(self, directory: Path) -> Store:
        """A new object."""
        return MemoryStore()


class TestMemoryStoreOfOneShard(StoreContract):
    """As many as a file has."""

    def make_store(self, directory: Path) -> Store:
        """A new object."""
        return MemoryStore(shard_count=1)


def test_two_owners_of_different_shards_write_side_by_side() -> None:
    """Each is let in where it owns, and sees its own shard only in what wakes runs."""
    store = MemoryStore(shard_count=2)
    owners = [Owner(store, name) for name in ("ada", "bob")]
    store.release("ada", [owners[0].leases.pop(1)])
    owners[1].leases = {lease.shard: lease for lease in store.claim("bob", 0, TTL)}
    for shard, owner in enumerate(owners):
        flush = owner.flush(shard)
        Part(flush, shard + 1).start(next(names_on(store, shard))).busy().timer(10 + shard).inbox(1).block()

        assert store.commit(flush) == {}

    assert [store.busy_runs(shard, 0, 9) for shard in (0, 1)] == [[1], [2]]
    assert [store.next_due(shard) for shard in (0, 1)] == [10, 11]
    assert [[timer.run for timer in store.timers_due(shard, -1, 99, 9)] for shard in (0, 1)] == [[1], [2]]
    assert [[record.run for record in store.blocked_runs(shard, 0, 9)] for shard in (0, 1)] == [[1], [2]]
    assert [store.inbox_runs(shard, 0, 9) for shard in (0, 1)] == [[], []]


def _two_heads(flush: Flush, name: str) -> None:
    Part(flush, 1).move(1, 2).move(2, 3)


def _gap_in_events(flush: Flush, name: str) -> None:
    Part(flush, 1).move(1, 4)
    del flush.events[-2]


def _events_without_head(flush: Flush, name: str) -> None:
    Part(flush, 1).move(1, 2)
    flush.heads.clear()


def _new_run_in_the_middle(flush: Flush, name: str) -> None:
    Part(flush, 2).start(name, chain=2)
    flush.heads[-1] = flush.heads[-1]._replace(expected_seq=3, seq=4)
    flush.events[-1] = flush.events[-1]._replace(seq=4)


def _first_event_without_run(flush: Flush, name: str) -> None:
    Part(flush, 2).move(0, 1)


def _closing_without_status(flush: Flush, name: str) -> None:
    Part(flush, 1).move(1, 2).close()
    flush.statuses.clear()


def _closed_status_without_closing(flush: Flush, name: str) -> None:
    Part(flush, 1).move(1, 2).close()
    flush.closing.clear()


def _run_of_another_shard(flush: Flush, name: str) -> None:
    flush.shard = 1
    Part(flush, 1).move(1, 2)


@pytest.mark.parametrize(
    "spoil",
    [
        _two_heads,
        _gap_in_events,
        _events_without_head,
        _new_run_in_the_middle,
        _first_event_without_run,
        _closing_without_status,
        _closed_status_without_closing,
        _run_of_another_shard,
    ],
)
def test_a_flush_that_no_caller_may_make_is_caught(spoil: Callable[[Flush, str], None]) -> None:
    """The oracle finds the caller's mistake instead of storing it, and none of the flush is stored."""
    store = MemoryStore()
    owner = Owner(store)
    names = owner.start(3)
    flush = owner.flush()
    Part(flush, 3).move(1, 2)
    spoil(flush, names[0])

    with pytest.raises(AssertionError):
        store.commit(flush)
    assert [len(store.history(run)) for run in (1, 2, 3)] == [1, 1, 1]


def test_a_store_has_at_least_one_shard() -> None:
    """Asking for none is a mistake of the caller."""
    with pytest.raises(ValueError, match="shard_count is 0"):
        MemoryStore(shard_count=0)
