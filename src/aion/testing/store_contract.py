"""What every store must do, as one test class: who may write, what a flush leaves, what a refused part does not.

class TestSomeStore(StoreContract):
    def make_store(self, directory: Path) -> Store:
        return SomeStore(directory / "file")
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial

import pytest

from aion.stores.base import (
    EventRow,
    Fenced,
    Flush,
    HeadRow,
    InboxRow,
    Lease,
    Refusal,
    RunFilter,
    RunRecord,
    Store,
    TimerRow,
    shard_of,
)
from aion.testing.store_reads import StoreReadContract
from aion.testing.store_rows import NAMESPACE, TTL, Owner, Part, digest_of, make_events, make_run, names_on


class StoreContract(StoreReadContract):
    """The whole contract."""

    # ── ownership ────────────────────────────────────────────────────────────────────────────────

    def test_a_shard_has_one_owner_until_its_lease_has_ended(self, store: Store) -> None:
        """Nobody else gets a shard up to and including the last moment of its lease."""
        first = store.claim("ada", 0, TTL)
        too_early = store.claim("bob", TTL, TTL)
        after = store.claim("bob", TTL + 1, TTL)

        assert first == [Lease(shard, 1, TTL) for shard in range(store.shard_count)]
        assert too_early == []
        assert after == [Lease(shard, 2, 2 * TTL + 1) for shard in range(store.shard_count)]

    def test_a_claim_takes_no_more_than_its_limit(self, store: Store) -> None:
        """An owner can leave shards for others."""
        none = store.claim("ada", 0, TTL, limit=0)
        one = store.claim("ada", 0, TTL, limit=1)
        rest = store.claim("bob", 0, TTL)

        assert none == []
        assert one == [Lease(0, 1, TTL)]
        assert [lease.shard for lease in rest] == list(range(1, store.shard_count))

    def test_a_renewed_lease_holds_until_its_new_end(self, store: Store) -> None:
        """Renewing keeps the epoch and moves the end."""
        leases = store.claim("ada", 0, TTL)
        renewed = store.renew("ada", leases, 5 * TTL)

        assert renewed == [Lease(lease.shard, 1, 5 * TTL) for lease in leases]
        assert store.claim("bob", 5 * TTL, TTL) == []

    def test_a_lost_lease_is_not_renewed_and_not_released(self, store: Store) -> None:
        """Whoever was replaced can neither extend nor end the lease of its successor."""
        lost = store.claim("ada", 0, TTL)
        store.claim("bob", TTL + 1, TTL)
        renewed = store.renew("ada", lost, 9 * TTL)
        store.release("ada", lost)

        assert renewed == []
        assert store.claim("eve", TTL + 2, TTL) == []

    def test_a_released_shard_is_free_at_once_and_its_epoch_still_rises(self, store: Store) -> None:
        """A clean shutdown makes nobody wait, and never gives an epoch twice."""
        store.release("ada", store.claim("ada", 0, TTL))
        again = store.claim("ada", 1, TTL)

        assert [lease.epoch for lease in again] == [2] * store.shard_count

    @pytest.mark.parametrize(("owner", "epoch"), [("ada", 1), ("ada", 2), ("bob", 1), ("bob", 3), ("eve", 2)])
    def test_only_the_owner_at_its_epoch_may_write(self, store: Store, owner: str, epoch: int) -> None:
        """A stale epoch, a former owner and a stranger are fenced off, and leave nothing."""
        names = names_on(store)
        store.claim("ada", 0, TTL)
        store.claim("bob", TTL + 1, TTL)
        flush = Flush(0, owner, epoch)
        Part(flush, 1).start(next(names)).timer(10).busy()

        with pytest.raises(Fenced):
            store.commit(flush)
        assert _rows(store) == ([], [], [], [], [])

    def test_nobody_may_write_to_a_released_shard(self, store: Store) -> None:
        """An owner that gave its shard back is fenced off like any other."""
        owner = Owner(store)
        store.release("ada", list(owner.leases.values()))

        with pytest.raises(Fenced):
            owner.start()
        assert _rows(store) == ([], [], [], [], [])

    def test_an_empty_flush_proves_ownership(self, store: Store) -> None:
        """Committing nothing succeeds for the owner, and is fenced for others."""
        owner = Owner(store)

        assert store.commit(owner.flush()) == {}
        with pytest.raises(Fenced):
            store.commit(Flush(0, "bob", owner.lease.epoch))

    def test_racing_claims_give_each_shard_once(self, store: Store) -> None:
        """However many ask at the same moment, a shard has one owner."""
        taken: list[list[Lease]] = []
        barrier = threading.Barrier(4)

        def claim(owner: str) -> None:
            barrier.wait()
            taken.append(store.claim(owner, 0, TTL))

        _in_threads([partial(claim, owner) for owner in "abcd"])

        assert sorted(lease.shard for leases in taken for lease in leases) == list(range(store.shard_count))

    # ── a flush ──────────────────────────────────────────────────────────────────────────────────

    def test_what_a_flush_holds_is_read_back(self, store: Store) -> None:
        """Every kind of row arrives unchanged."""
        owner = Owner(store)
        (name,) = owner.start(seq=2)
        flush = owner.flush()
        Part(flush, 1).move(2, 4).timer(70, 3).timer(60, 4).busy().inbox(7, b"\0x").request(name, "r", b"yes").block()
        refused = store.commit(flush)

        assert refused == {}
        assert store.find(NAMESPACE, name) == RunRecord(
            *make_run(1, name), "blocked", None, "a reason", "code-1", 4, 500, digest_of(1, 4), 40
        )
        assert store.history(1) == make_events(1, 0, 4)
        assert store.timers_due(0, -1, 100, 10) == [TimerRow(60, 1, 4), TimerRow(70, 1, 3)]
        assert store.busy_runs(0, 0, 10) == [1]
        assert store.inbox(1) == [InboxRow(1, 7, "signal", b"\0x")]
        assert store.find_request(NAMESPACE, name, "r") == b"yes"

    def test_a_run_starts_as_running(self, store: Store) -> None:
        """The status of a new run needs no row of its own."""
        (name,) = Owner(store).start()
        found = store.find(NAMESPACE, name)

        assert found is not None
        assert found[11:15] == ("running", None, None, None)

    def test_rows_that_are_gone_stay_gone_and_going_twice_is_nothing(self, store: Store) -> None:
        """Timers, inbox rows and marks are removed by their keys; what is not there is not missed."""
        owner = Owner(store)
        owner.start(2)
        armed = owner.flush()
        for run in (1, 2):
            Part(armed, run).timer(50).timer(60).busy().inbox(5).inbox(6)
        store.commit(armed)
        flush = owner.flush()
        flush.timers_gone += [(50, 1, 1), (50, 1, 2), (60, 2, 1)]
        flush.inbox_gone += [(1, 5), (1, 99), (2, 6)]
        flush.idle += [1, 9]
        refused = store.commit(flush), store.commit(flush)

        assert refused == ({}, {})
        assert store.timers_due(0, -1, 100, 10) == [TimerRow(50, 2, 1), TimerRow(60, 1, 1)]
        assert [row.id for run in (1, 2) for row in store.inbox(run)] == [6, 5]
        assert store.busy_runs(0, 0, 10) == [2]

    def test_marks_and_timers_that_are_there_may_be_set_again(self, store: Store) -> None:
        """Setting a mark twice leaves one mark."""
        owner = Owner(store)
        owner.start()
        flush = owner.flush()
        Part(flush, 1).busy().timer(5)
        refused = store.commit(flush), store.commit(flush)

        assert refused == ({}, {})
        assert (store.busy_runs(0, 0, 10), store.timers_due(0, -1, 9, 10)) == ([1], [TimerRow(5, 1, 1)])

    def test_values_of_every_shape_survive(self, store: Store) -> None:
        """Quotes, line ends, control and foreign characters, zero bytes, empty bodies and large numbers are kept."""
        owner = Owner(store)
        flush = owner.flush()
        text = 'a"b\\c\n\t\x01\0日本 🜁 \u2028' + "'; DROP TABLE runs; --"
        names = (f"{text}{number}" for number in range(10_000))
        id = next(name for name in names if shard_of(NAMESPACE, name, store.shard_count) == 0)
        run, far = 2**53 + 1, 2**62
        row = make_run(run, id)._replace(type=text, version=None, parent=text, attributes=b"", summary=None)
        flush.new_runs.append(row)
        event = EventRow(run, 1, text, -far, b"", bytes(range(256)) * 3)
        flush.events.append(event)
        flush.heads.append(HeadRow(run, 0, 1, -far, b"\0", 0))
        Part(flush, run).timer(far).inbox(far, b"").request(text, text, b"")
        refused = store.commit(flush)

        assert refused == {}
        assert store.records([run]) == [RunRecord(*row, "running", None, None, None, 1, -far, b"\0", 0)]
        assert store.history(run) == [event]
        assert store.timers_due(0, 0, far, 1) == [TimerRow(far, run, 1)]
        assert store.inbox(run) == [InboxRow(run, far, "signal", b"")]
        assert store.find_request(NAMESPACE, text, text) == b""

    # ── refusals ─────────────────────────────────────────────────────────────────────────────────

    def test_a_refused_part_leaves_no_row_and_the_others_are_committed(self, store: Store) -> None:
        """Whatever kind of row a part has, it has none in the store when its history had moved."""
        owner = Owner(store)
        names = owner.start(3)
        flush = owner.flush()
        for run, expected in ((1, 1), (2, 7), (3, 1)):
            part = Part(flush, run).move(expected, expected + 2).timer(50).busy().inbox(4).block()
            part.request(names[run - 1], "r")
        refused = store.commit(flush)

        assert refused == {2: Refusal.HEAD_MOVED}
        assert [len(store.history(run)) for run in (1, 2, 3)] == [3, 1, 3]
        assert [record.status for record in store.records([1, 2, 3])] == ["blocked", "running", "blocked"]
        assert [timer.run for timer in store.timers_due(0, -1, 99, 9)] == [1, 3]
        assert store.busy_runs(0, 0, 9) == [1, 3]
        assert [len(store.inbox(run)) for run in (1, 2, 3)] == [1, 0, 1]
        assert [store.find_request(NAMESPACE, name, "r") for name in names] == [b"answer", None, b"answer"]

    def test_of_two_writers_that_believe_the_same_head_one_is_refused(self, store: Store) -> None:
        """A history has one next event: whoever comes second changes nothing."""
        owner = Owner(store)
        owner.start()
        first, second = owner.flush(), owner.flush()
        Part(first, 1).move(1, 3, time=111)
        Part(second, 1).move(1, 2, time=222)
        refused = store.commit(first), store.commit(second)

        assert refused == ({}, {1: Refusal.HEAD_MOVED})
        assert [event.time for event in store.history(1)] == [500, 111, 111]

    def test_a_repeated_flush_is_refused_whole(self, store: Store) -> None:
        """After an unknown outcome the same flush can be sent again without acting twice."""
        owner = Owner(store)
        flush = owner.flush()
        for run, name in zip((1, 2), names_on(store), strict=False):
            Part(flush, run).start(name, seq=3).timer(9)
        refused = store.commit(flush), store.commit(flush)

        assert refused == ({}, {1: Refusal.HEAD_MOVED, 2: Refusal.HEAD_MOVED})
        assert [len(store.history(run)) for run in (1, 2)] == [3, 3]

    def test_a_history_cannot_begin_in_the_middle(self, store: Store) -> None:
        """A run that is not there has no head to move."""
        owner = Owner(store)
        flush = owner.flush()
        Part(flush, 5).move(2, 3)
        refused = store.commit(flush)

        assert refused == {5: Refusal.HEAD_MOVED}
        assert store.history(5) == []

    def test_a_workflow_id_has_one_run_of_each_chain_number(self, store: Store) -> None:
        """Starting twice gives one run; the next of the chain is another."""
        owner = Owner(store)
        (name,) = owner.start()
        flush = owner.flush()
        Part(flush, 2).start(name).timer(5)
        Part(flush, 3).start(name, chain=2)
        refused = store.commit(flush)

        assert refused == {2: Refusal.ID_TAKEN}
        assert [record.run for record in store.list_runs(RunFilter(), 9)] == [1, 3]
        assert (store.history(2), store.timers_due(0, -1, 9, 9)) == ([], [])

    def test_of_two_starts_of_one_id_in_a_flush_the_lower_run_wins(self, store: Store) -> None:
        """Parts that exclude each other are decided the same way in every store."""
        owner = Owner(store)
        name = next(names_on(store))
        flush = owner.flush()
        Part(flush, 4).start(name)
        Part(flush, 3).start(name)
        refused = store.commit(flush)

        assert refused == {4: Refusal.ID_TAKEN}
        assert [record.run for record in store.list_runs(RunFilter(), 9)] == [3]

    def test_a_request_id_is_answered_once(self, store: Store) -> None:
        """The part that would answer it again is refused, in a later flush and in the same."""
        owner = Owner(store)
        (name, *_) = owner.start(4)
        first, second = owner.flush(), owner.flush()
        Part(first, 1).move(1, 2).request(name, "r", b"first")
        Part(second, 2).move(1, 2).request(name, "r", b"second")
        Part(second, 3).move(1, 2).request(name, "s", b"third")
        Part(second, 4).move(1, 2).request(name, "s", b"fourth")
        refused = store.commit(first), store.commit(second)

        assert refused == ({}, {2: Refusal.REQUEST_TAKEN, 4: Refusal.REQUEST_TAKEN})
        assert [store.find_request(NAMESPACE, name, id) for id in "rs"] == [b"first", b"third"]
        assert [len(store.history(run)) for run in (1, 2, 3, 4)] == [2, 1, 2, 1]

    def test_a_run_does_not_close_while_an_input_waits(self, store: Store) -> None:
        """An acknowledged input comes before the end, or the end is refused."""
        owner = Owner(store)
        owner.start(4)
        flush = owner.flush()
        for run in (1, 2, 3):
            Part(flush, run).inbox(5).inbox(6)
        store.commit(flush)
        closing = owner.flush()
        Part(closing, 1).move(1, 2).close().consume(5)
        Part(closing, 2).move(1, 2).close().consume(5, 6)
        Part(closing, 3).move(1, 2).close().inbox(7).consume(5, 6)
        Part(closing, 4).move(1, 2).close().inbox(8).consume(8)
        refused = store.commit(closing)

        assert refused == {1: Refusal.UNREAD_INBOX, 3: Refusal.UNREAD_INBOX}
        statuses = [record.status for record in store.records([1, 2, 3, 4])]
        assert statuses == ["running", "completed", "running", "completed"]
        assert [len(store.history(run)) for run in (1, 2, 3, 4)] == [1, 2, 1, 2]
        assert [[row.id for row in store.inbox(run)] for run in (1, 2, 3, 4)] == [[5, 6], [], [5, 6], []]

    def test_no_input_reaches_a_run_that_is_closed_or_unknown(self, store: Store) -> None:
        """Nobody would read it, so it must not be acknowledged."""
        owner = Owner(store)
        owner.start(2)
        close, late = owner.flush(), owner.flush()
        Part(close, 1).move(1, 2).close()
        Part(late, 1).inbox(5)
        Part(late, 2).inbox(5)
        Part(late, 9).inbox(5)
        refused = store.commit(close), store.commit(late)

        assert refused == ({}, {1: Refusal.HEAD_MOVED, 9: Refusal.HEAD_MOVED})
        assert store.inbox_runs(0, 0, 9) == [2]

    def test_an_inbox_id_is_given_once(self, store: Store) -> None:
        """A second row of the same id would hide the first, so its part is refused."""
        owner = Owner(store)
        owner.start(2)
        first, second = owner.flush(), owner.flush()
        Part(first, 1).inbox(5, b"first")
        Part(second, 1).inbox(5, b"second")
        Part(second, 2).inbox(6).inbox(6)
        refused = store.commit(first), store.commit(second)

        assert refused == ({}, {1: Refusal.HEAD_MOVED, 2: Refusal.HEAD_MOVED})
        assert [row.data for run in (1, 2) for row in store.inbox(run)] == [b"first"]

    def test_a_large_flush_loses_exactly_its_refused_parts(self, store: Store) -> None:
        """More runs than any statement takes at once, three of them refused, at the edges and within."""
        owner = Owner(store)
        count = 1_300
        owner.start(count)
        flush = owner.flush()
        stale = {1, 700, count}
        for run in range(1, count + 1):
            Part(flush, run).move(3 if run in stale else 1, 5 if run in stale else 3).timer(run).busy()
        refused = store.commit(flush)

        assert refused == dict.fromkeys(sorted(stale), Refusal.HEAD_MOVED)
        records = store.records(range(1, count + 1))
        assert [record.seq for record in records] == [1 if run in stale else 3 for run in range(1, count + 1)]
        kept = [run for run in range(1, count + 1) if run not in stale]
        assert store.busy_runs(0, 0, count) == kept
        assert [timer.run for timer in store.timers_due(0, -1, count, count)] == kept

    # ── posting ──────────────────────────────────────────────────────────────────────────────────

    def test_posted_inputs_wait_in_the_order_they_were_acknowledged(self, store: Store) -> None:
        """Ids ascend, also when the clock stands still, and after ids that the owner gave."""
        owner = Owner(store)
        owner.start()
        flush = owner.flush()
        Part(flush, 1).inbox(9_000_000, b"0")
        store.commit(flush)
        ids = [store.post(1, "signal", data, 7) for data in (b"1", b"2")]

        assert ids == [9_000_001, 9_000_002]
        assert [row.data for row in store.inbox(1)] == [b"0", b"1", b"2"]
        assert store.inbox_runs(0, 0, 9) == [1]

    def test_posting_needs_no_ownership(self, store: Store) -> None:
        """An input for a run of somebody else's shard is left for its owner."""
        owner = Owner(store)
        owner.start()
        store.release("ada", list(owner.leases.values()))

        assert store.post(1, "signal", b"x", 7) == 7_000

    def test_nothing_is_posted_to_a_run_that_is_closed_or_unknown(self, store: Store) -> None:
        """The caller learns that nobody will read it."""
        owner = Owner(store)
        owner.start()
        flush = owner.flush()
        Part(flush, 1).move(1, 2).close()
        store.commit(flush)
        posted = [store.post(run, "signal", b"x", 7) for run in (1, 2)]

        assert posted == [None, None]
        assert (store.inbox(1), store.inbox(2), store.inbox_runs(0, 0, 9)) == ([], [], [])

    def test_a_posted_input_keeps_its_run_from_closing(self, store: Store) -> None:
        """A signal that was left behind the owner's back still comes before the end."""
        owner = Owner(store)
        owner.start()
        store.post(1, "signal", b"x", 7)
        flush = owner.flush()
        Part(flush, 1).move(1, 2).close()

        assert store.commit(flush) == {1: Refusal.UNREAD_INBOX}


def _rows(store: Store) -> tuple[list[RunRecord], list[EventRow], list[TimerRow], list[int], list[int]]:
    """Whatever there is on shard 0."""
    return (
        store.list_runs(RunFilter(), 100),
        store.history(1),
        store.timers_due(0, -1, 2**60, 100),
        store.busy_runs(0, -1, 100),
        store.inbox_runs(0, -1, 100),
    )


def _in_threads(calls: list[Callable[[], None]]) -> None:
    threads = [threading.Thread(target=call) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
