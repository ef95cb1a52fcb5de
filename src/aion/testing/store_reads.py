"""The reading half of what every store must do: pages, orders, filters, and reads beside a writer."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from aion.errors import StoreError
from aion.stores.base import RunFilter, Store, TimerRow
from aion.testing.store_rows import NAMESPACE, Owner, Part, make_events, names_on


class StoreReadContract:
    """What reads of any store give."""

    def make_store(self, directory: Path) -> Store:
        """An empty store; `directory` is empty too and goes away afterwards."""
        raise NotImplementedError

    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[Store]:
        """A store of its own for each test."""
        made = self.make_store(tmp_path)
        yield made
        made.close()

    # ── runs ─────────────────────────────────────────────────────────────────────────────────────

    def test_the_newest_run_of_a_chain_is_found_and_each_by_its_run_id(self, store: Store) -> None:
        """A workflow id names its latest run; older ones need their own id."""
        owner = Owner(store)
        (name,) = owner.start()
        flush = owner.flush()
        Part(flush, 2).start(name, chain=10)
        Part(flush, 3).start(name, chain=2)
        store.commit(flush)
        found = [store.find(NAMESPACE, name, run_id) for run_id in (None, "id-1", "id-3", "id-9")]

        assert [record and record.run for record in found] == [2, 1, 3, None]
        assert store.find("other", name) is None
        assert store.find(NAMESPACE, "nothing") is None

    def test_records_come_in_order_and_only_those_that_exist(self, store: Store) -> None:
        """What is asked twice comes once, what is not there does not come."""
        Owner(store).start(4)
        records = store.records([3, 99, 1, 3])

        assert [record.run for record in records] == [1, 3]
        assert store.records([]) == []

    def test_lists_come_in_order_of_start_and_page_without_gap_or_repetition(self, store: Store) -> None:
        """Runs that started at the same moment are told apart by their number."""
        owner = Owner(store)
        flush = owner.flush()
        for run, (name, started) in enumerate(zip(names_on(store), (30, 10, 20, 20, 20, 10), strict=False), 1):
            Part(flush, run).start(name, started=started)
        store.commit(flush)
        pages, after = [], None
        while page := store.list_runs(RunFilter(), 2, after):
            pages.append([(record.started, record.run) for record in page])
            after = pages[-1][-1]

        assert pages == [[(10, 2), (10, 6)], [(20, 3), (20, 4)], [(20, 5), (30, 1)]]

    @pytest.mark.parametrize(
        ("filter", "runs"),
        [
            (RunFilter(), [1, 2, 3, 4]),
            (RunFilter(namespace=NAMESPACE), [1, 2, 3, 4]),
            (RunFilter(namespace="other"), []),
            (RunFilter(statuses=("completed",)), [2]),
            (RunFilter(statuses=("completed", "blocked")), [2, 3]),
            (RunFilter(types=("odd",)), [1, 3]),
            (RunFilter(statuses=("running",), types=("odd", "even")), [1, 4]),
            (RunFilter(statuses=("running",), types=("none",)), []),
        ],
    )
    def test_a_list_shows_what_matches_all_its_fields(self, store: Store, filter: RunFilter, runs: list[int]) -> None:
        """Alternatives within a field, all fields together."""
        owner = Owner(store)
        flush, later = owner.flush(), owner.flush()
        for run, name in zip((1, 2, 3, 4), names_on(store), strict=False):
            Part(flush, run).start(name, type="odd" if run % 2 else "even")
        Part(later, 2).move(1, 2).close()
        Part(later, 3).block()
        store.commit(flush)
        store.commit(later)

        assert [record.run for record in store.list_runs(filter, 10)] == runs
        assert [record.run for record in store.list_runs(filter, 1)] == runs[:1]

    # ── histories ────────────────────────────────────────────────────────────────────────────────

    def test_a_long_history_is_read_whole_and_in_pages(self, store: Store) -> None:
        """Where a page begins and how long it is are the caller's choice."""
        owner = Owner(store)
        owner.start(2)
        flush = owner.flush()
        Part(flush, 1).move(1, 600)
        store.commit(flush)
        events = make_events(1, 0, 600)

        assert store.history(1) == events
        assert store.history(1, 256) == events[255:]
        assert store.history(1, 300, 299) == events[299:598]
        assert store.history(1, 0, 3) == events[:3]
        assert store.history(1, 600, 9) == events[599:]
        assert store.history(1, 601) == []
        assert store.history(1, 1, 0) == []
        assert store.history(9) == []

    # ── what wakes runs ──────────────────────────────────────────────────────────────────────────

    def test_timers_come_by_due_time_in_pages(self, store: Store) -> None:
        """Between two times, the first left out and the second not; ties by run, then by event."""
        owner = Owner(store)
        owner.start(3)
        flush = owner.flush()
        for run, due, seq in ((3, 20, 1), (1, 30, 1), (2, 20, 2), (2, 20, 1), (1, 10, 1)):
            Part(flush, run).timer(due, seq)
        store.commit(flush)
        order = [TimerRow(10, 1, 1), TimerRow(20, 2, 1), TimerRow(20, 2, 2), TimerRow(20, 3, 1), TimerRow(30, 1, 1)]

        assert store.timers_due(0, -1, 30, 9) == order
        assert store.timers_due(0, -1, 29, 9) == order[:4]
        assert store.timers_due(0, 10, 20, 9) == order[1:4]
        assert store.timers_due(0, -1, 30, 2) == order[:2]
        assert store.timers_due(0, 30, 99, 2) == []
        assert store.next_due(0) == 10

    def test_a_shard_without_timers_has_none_due(self, store: Store) -> None:
        """There is no next time."""
        Owner(store).start()

        assert (store.next_due(0), store.timers_due(0, -1, 2**62, 9)) == (None, [])

    def test_busy_runs_come_in_pages(self, store: Store) -> None:
        """After a number, ascending."""
        owner = Owner(store)
        owner.start(5)
        flush = owner.flush()
        flush.busy += [5, 2, 4, 1]
        store.commit(flush)

        assert store.busy_runs(0, 0, 3) == [1, 2, 4]
        assert store.busy_runs(0, 4, 3) == [5]
        assert store.busy_runs(0, 5, 3) == []

    def test_runs_with_inputs_come_in_pages_without_the_blocked_ones(self, store: Store) -> None:
        """However many inputs a run has, it comes once; one that is blocked comes when it goes on."""
        owner = Owner(store)
        owner.start(5)
        flush, later = owner.flush(), owner.flush()
        for run in (1, 2, 3, 5):
            for id in range(1, 4):
                Part(flush, run).inbox(id)
        Part(flush, 2).block()
        Part(later, 2).unblock()
        store.commit(flush)
        blocked = store.inbox_runs(0, 0, 2), store.inbox_runs(0, 1, 9), store.inbox_runs(0, 5, 9)
        store.commit(later)

        assert blocked == ([1, 3], [3, 5], [])
        assert store.inbox_runs(0, 0, 9) == [1, 2, 3, 5]

    def test_an_inbox_is_read_in_order_of_its_ids(self, store: Store) -> None:
        """Also when it is longer than any page, and was filled out of order."""
        owner = Owner(store)
        owner.start()
        flush = owner.flush()
        for id in (*range(300, 701), *range(1, 300)):
            Part(flush, 1).inbox(id, str(id).encode())
        store.commit(flush)

        assert [row.data for row in store.inbox(1)] == [str(id).encode() for id in range(1, 701)]
        assert store.inbox(9) == []

    def test_blocked_runs_come_in_pages_until_they_go_on(self, store: Store) -> None:
        """With the reason and the code they met; a closed or unblocked run is not among them."""
        owner = Owner(store)
        owner.start(5)
        flush, later = owner.flush(), owner.flush()
        for run in (1, 2, 4, 5):
            Part(flush, run).block()
        Part(later, 1).unblock()
        Part(later, 4).move(1, 2).close("terminated")
        store.commit(flush)
        before = store.blocked_runs(0, 1, 2)
        store.commit(later)

        assert [(r.run, r.blocked_reason, r.blocked_code) for r in before] == [
            (2, "a reason", "code-1"),
            (4, "a reason", "code-1"),
        ]
        assert [record.run for record in store.blocked_runs(0, 0, 9)] == [2, 5]

    # ── beside a writer, and after the end ───────────────────────────────────────────────────────

    def test_readers_beside_a_writer_see_whole_flushes_only(self, store: Store) -> None:
        """Each flush moves two runs by three events; no read finds a part of that, or less than was acknowledged."""
        owner = Owner(store)
        owner.start(2)
        acknowledged = [1]
        torn: list[object] = []
        done = threading.Event()

        def read() -> None:
            while not done.is_set():
                least = acknowledged[0]
                first, second = store.records([1, 2])
                events = store.history(1, first.seq + 1)
                if first.seq != second.seq or first.seq % 3 != 1 or first.seq < least or len(events) % 3:
                    torn.append((least, first, second, events))

        readers = [threading.Thread(target=read) for _ in range(3)]
        for reader in readers:
            reader.start()
        for seq in range(1, 61, 3):
            flush = owner.flush()
            for run in (1, 2):
                Part(flush, run).move(seq, seq + 3)

            assert store.commit(flush) == {}
            acknowledged[0] = seq + 3
        done.set()
        for reader in readers:
            reader.join()

        assert torn == []

    def test_a_closed_store_refuses_everything(self, store: Store) -> None:
        """Each call says that the store is closed; closing again is nothing."""
        owner = Owner(store)
        (name,) = owner.start()
        store.close()
        store.close()
        calls: list[Callable[[], object]] = [
            lambda: store.claim("bob", 0, 1),
            lambda: store.renew("ada", [owner.lease], 1),
            lambda: store.release("ada", [owner.lease]),
            lambda: store.commit(owner.flush()),
            lambda: store.post(1, "signal", b"", 1),
            lambda: store.find(NAMESPACE, name),
            lambda: store.records([1]),
            lambda: store.find_request(NAMESPACE, name, "r"),
            lambda: store.history(1),
            lambda: store.timers_due(0, -1, 1, 1),
            lambda: store.next_due(0),
            lambda: store.busy_runs(0, 0, 1),
            lambda: store.inbox_runs(0, 0, 1),
            lambda: store.inbox(1),
            lambda: store.blocked_runs(0, 0, 1),
            lambda: store.list_runs(RunFilter(), 1),
        ]
        for call in calls:
            with pytest.raises(StoreError, match="closed"):
                call()
