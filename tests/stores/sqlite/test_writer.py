"""A transaction is whole or absent, wherever it is cut."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from aion.errors import StoreError
from aion.stores.sqlite import SqliteStore
from aion.testing.store_rows import TTL, Owner, Part
from tests.stores.sqlite.processes import run

KILL_AT = """
where = {where!r}
def failpoint(name):
    if name == where and armed:
        os.kill(os.getpid(), signal.SIGKILL)
armed = False
store = SqliteStore.open(path, failpoint=failpoint)
owner = Owner(store)
owner.start(2)
print("started", flush=True)
armed = True
{work}
print("not killed", flush=True)
"""

COMMIT = """
flush = owner.flush()
for run in (1, 2):
    Part(flush, run).move(1, 3).timer(9).busy()
store.commit(flush)
"""

POST = 'store.post(1, "signal", b"x", 5)'

CLAIM = 'store.claim("bob", 10_000, 1)'

PLACES = ["before_begin", "mid_tx", "after_commit"]


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(("name", "work"), [("commit", COMMIT), ("post", POST), ("claim", CLAIM)])
def test_a_kill_at_any_point_leaves_all_or_nothing(tmp_path: Path, name: str, work: str, place: str) -> None:
    """Killed before the end of the transaction it left nothing, killed after it everything; the next start is free."""
    path = tmp_path / "aion.db"
    status, printed = run(KILL_AT.format(where=f"{name}.{place}", work=work), path)
    store = SqliteStore.open(path)
    found = (
        [len(store.history(run)) for run in (1, 2)],
        len(store.timers_due(0, -1, 99, 9)),
        store.busy_runs(0, 0, 9),
        [row.data for row in store.inbox(1)],
    )
    (lease,) = store.claim("eve", 0, TTL)
    store.close()
    written = place == "after_commit"
    expected: dict[str, tuple[object, ...]] = {
        "commit": ([3, 3], 2, [1, 2], []) if written else ([1, 1], 0, [], []),
        "post": ([1, 1], 0, [], [b"x"]) if written else ([1, 1], 0, [], []),
        "claim": ([1, 1], 0, [], []),
    }

    assert (status, printed) == (-signal.SIGKILL, "started")
    assert found == expected[name]
    assert lease.epoch == (3 if name == "claim" and written else 2)


class Cut(Exception):
    """What a failpoint raises here."""


@pytest.mark.parametrize("place", PLACES)
def test_an_exception_at_any_point_leaves_all_or_nothing_and_the_store_usable(tmp_path: Path, place: str) -> None:
    """Also without a kill: the transaction is undone, or was done already, and the next one begins cleanly."""
    armed: list[str] = []

    def failpoint(name: str) -> None:
        if name in armed:
            raise Cut

    store = SqliteStore.open(tmp_path / "aion.db", failpoint=failpoint)
    owner = Owner(store)
    owner.start()
    flush = owner.flush()
    Part(flush, 1).move(1, 3)
    calls: dict[str, Callable[[], object]] = {
        "commit": lambda: store.commit(flush),
        "post": lambda: store.post(1, "signal", b"x", 5),
        "renew": lambda: store.renew("ada", [owner.lease], 99),
        "release": lambda: store.release("ada", [owner.lease]),
        "claim": lambda: store.claim("bob", 0, TTL),
    }
    for name, call in calls.items():
        armed.append(f"{name}.{place}")
        with pytest.raises(Cut):
            call()
    written = place == "after_commit"
    found = len(store.history(1)), len(store.inbox(1))
    armed.clear()
    (again,) = store.claim("eve", 2 * TTL, TTL)

    assert found == ((3, 1) if written else (1, 0))
    assert again.epoch == (3 if written else 2)
    store.close()


def test_failpoints_are_passed_in_order(tmp_path: Path) -> None:
    """A refused flush is tried run by run, in a second transaction."""
    passed: list[str] = []
    store = SqliteStore.open(tmp_path / "aion.db", failpoint=passed.append)
    owner = Owner(store)
    owner.start()
    flush = owner.flush()
    Part(flush, 1).move(5, 6)
    passed.clear()
    store.commit(flush)
    store.close()

    assert passed == ["commit.before_begin", *(f"commit.{place}" for place in PLACES)]


def test_an_opened_file_has_no_owner(tmp_path: Path) -> None:
    """Whoever has the file's lock knows that the former owner is gone: nobody waits for its lease to end."""
    store = SqliteStore.open(tmp_path / "aion.db")
    (first,) = store.claim("ada", 0, 10**15)
    store.close()
    store = SqliteStore.open(tmp_path / "aion.db")
    (second,) = store.claim("bob", 1, TTL)
    store.close()

    assert (first.epoch, second.epoch) == (1, 2)


def test_a_read_only_store_refuses_to_write(tmp_path: Path) -> None:
    """Each writing call says who could."""
    SqliteStore.open(tmp_path / "aion.db").close()
    store = SqliteStore.open(tmp_path / "aion.db", read_only=True)
    calls: list[Callable[[], object]] = [
        lambda: store.claim("ada", 0, TTL),
        lambda: store.renew("ada", [], TTL),
        lambda: store.release("ada", []),
        lambda: store.post(1, "signal", b"", 1),
    ]
    for call in calls:
        with pytest.raises(StoreError, match="opened read-only"):
            call()
    store.close()
