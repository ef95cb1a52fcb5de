"""A flush takes few steps, however many runs it has."""

from __future__ import annotations

from pathlib import Path

import apsw
import pytest

from aion.stores.sqlite import SqliteStore, statements
from aion.stores.sqlite.statements import ROWS_MAX, Bulk
from aion.testing.store_rows import Owner, Part

KEPT_PREPARED_BYTES = 16_384


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 8, 9, 511, ROWS_MAX, ROWS_MAX + 1, 3 * ROWS_MAX + 2])
def test_every_row_is_written_once_whatever_their_number(count: int) -> None:
    """Padding adds no rows, and a remainder is not forgotten."""
    connection = apsw.Connection(":memory:")
    connection.execute("CREATE TABLE t (a, b)")
    bulk = Bulk(
        2, "INSERT INTO t VALUES (?, ?)", "INSERT INTO t SELECT * FROM (VALUES {rows}) WHERE column1 IS NOT NULL"
    )
    values = [value for number in range(count) for value in (number, None)]
    bulk.run(connection.execute, values)

    assert list(connection.execute("SELECT * FROM t")) == [(number, None) for number in range(count)]


def test_every_statement_can_be_kept_prepared() -> None:
    """One that is longer than the driver's cache takes would be compiled anew each time."""
    bulks = [value for value in vars(statements).values() if isinstance(value, Bulk)]
    longest = max(len(sql) for bulk in bulks for sql in bulk._many)

    assert len(bulks) == 12
    assert longest < KEPT_PREPARED_BYTES


def test_a_flush_of_many_runs_takes_as_few_steps_as_one_of_two(tmp_path: Path) -> None:
    """Each step may wait for Python's global lock: their number must not grow with the runs."""
    steps: list[str] = []

    def count(cursor: apsw.Cursor, sql: str, bindings: object) -> bool:
        steps.append(sql.split()[0])
        return True

    store = SqliteStore.open(tmp_path / "aion.db")
    owner = Owner(store)
    owner.start(400)
    taken = []
    assert store._writer is not None
    store._writer._connection.exec_trace = count
    for runs in (2, 400):
        steps.clear()
        flush = owner.flush()
        for run in range(1, runs + 1):
            Part(flush, run).move(1 if runs == 2 or run > 2 else 2, 2 if runs == 2 or run > 2 else 3).timer(run).busy()

        assert store.commit(flush) == {}
        taken.append(list(steps))
    store.close()

    assert taken == [["BEGIN", "SELECT", "UPDATE", "INSERT", "INSERT", "INSERT", "COMMIT"]] * 2
