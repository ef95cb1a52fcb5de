"""The SQLite store does with any flushes what the oracle does with them."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import apsw
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aion.stores.base import Fenced, Flush, Refusal, RunFilter, Store
from aion.stores.memory import MemoryStore
from aion.stores.sqlite import SqliteStore
from aion.stores.sqlite.flushing import Flushing
from aion.testing.store_rows import NAMESPACE, TTL, Owner, Part, names_on

RUNS = range(1, 7)

# One part: run, how far its belief about the head is off, how far it moves, which extras it has, a number for them.
parts = st.tuples(
    st.sampled_from(RUNS),
    st.sampled_from([0, 0, 0, 0, 1, -1]),
    st.integers(0, 2),
    st.frozensets(
        st.sampled_from(["timer", "gone", "busy", "idle", "block", "close", "inbox", "twice", "take", "ask"])
    ),
    st.integers(1, 3),
)
flushes = st.lists(st.lists(parts, max_size=6, unique_by=lambda part: part[0]), max_size=8)


def _add(flush: Flush, name: str, ends_at: int, part: tuple[int, int, int, frozenset[str], int]) -> None:
    """Rows of one run that are well-formed, whether or not they fit the store."""
    run, drift, moves, extras, number = part
    base = max(0, ends_at + drift)
    adding = Part(flush, run)
    if base == 0 and moves:
        adding.start(name, moves, chain=number)
    elif moves:
        adding.move(base, base + moves)
    if "timer" in extras:
        adding.timer(10 * number, number)
    if "gone" in extras:
        flush.timers_gone.append((10 * number, run, number))
    if "busy" in extras:
        adding.busy()
    if "idle" in extras:
        flush.idle.append(run)
    if "inbox" in extras:
        adding.inbox(number)
    if "twice" in extras:
        adding.inbox(1)
    if "take" in extras:
        adding.consume(1, number)
    if "ask" in extras:
        adding.request("asked", f"request-{number}", str(run).encode())
    if "close" in extras:
        adding.close()
    elif "block" in extras:
        adding.block()


def _all(store: Store) -> list[object]:
    return [
        store.list_runs(RunFilter(), 100),
        [store.history(run) for run in RUNS],
        [store.inbox(run) for run in RUNS],
        store.timers_due(0, -1, 1_000, 100),
        store.busy_runs(0, 0, 100),
        store.inbox_runs(0, 0, 100),
        store.blocked_runs(0, 0, 100),
        [store.find_request(NAMESPACE, "asked", f"request-{number}") for number in (1, 2, 3)],
    ]


def _compare(script: list[list[tuple[int, int, int, frozenset[str], int]]], path: Path) -> None:
    memory = MemoryStore(shard_count=1)
    file = SqliteStore.open(path, durability="relaxed")
    owners = [Owner(store) for store in (memory, file)]
    # Fewer ids than runs, so that some starts meet a taken one.
    names = [name for name, _ in zip(names_on(memory), range(3), strict=False)]
    for step in script:
        answers: list[dict[int, Refusal]] = []
        ends = {run: len(memory.history(run)) for run in RUNS}
        for owner in owners:
            flush = owner.flush()
            for part in step:
                _add(flush, names[part[0] % 3], ends[part[0]], part)
            answers.append(owner.store.commit(flush))

        assert answers[0] == answers[1]
        assert _all(memory) == _all(file)
    file.close()


def test_any_flushes_are_answered_and_stored_as_by_the_oracle(tmp_path: Path) -> None:
    """The same refusals, for the same reasons, and the same rows afterwards."""
    SqliteStore.open(tmp_path / "new.db").close()

    @settings(max_examples=150)
    @given(flushes)
    def compare(script: list[list[tuple[int, int, int, frozenset[str], int]]]) -> None:
        # A copy of a new file is cheaper to come by than a new file.
        with tempfile.TemporaryDirectory(dir=tmp_path) as directory:
            path = Path(shutil.copy(tmp_path / "new.db", directory))
            _compare(script, path)

    compare()


def test_run_by_run_too_the_owner_is_proved_first(tmp_path: Path) -> None:
    """Between the two tries of a flush somebody else may have taken the shard."""
    store = SqliteStore.open(tmp_path / "aion.db")
    owner = Owner(store)
    owner.start()
    flush = owner.flush()
    Part(flush, 1).move(1, 2)
    store.claim("bob", 2 * TTL, TTL)
    store.close()
    connection = apsw.Connection(str(tmp_path / "aion.db"))
    with pytest.raises(Fenced):
        Flushing(connection).part_by_part(flush)
    events = connection.execute("SELECT count(*) FROM events").fetchall()
    connection.close()

    assert events == [(1,)]
