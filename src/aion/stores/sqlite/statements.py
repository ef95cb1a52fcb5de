"""The statements of a flush: each takes any number of rows and runs in as few steps as there can be.

At each step of a statement the driver gives up Python's global lock and then waits to get it back: for
nothing while no other thread runs, but for a whole switch interval (5 ms) each time while one does. With a
step per row, a flush of a hundred runs took 200 ms beside a busy thread; with a step per table it takes 20,
and less than before beside none.

So the rows are one VALUES table of parameters. Tables come in powers of two, so that few statements have
to be kept prepared; what a table has too much is NULL, and no row's first column may be.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

Execute = Callable[[str, Sequence[Any]], Any]

ROWS_MAX = 512
"""The longest statement that the driver still keeps prepared has this many rows of eleven columns."""


class Bulk:
    """One statement, for one row (`one`) and for many (`many`, with `{rows}` where the VALUES go)."""

    def __init__(self, width: int, one: str, many: str) -> None:
        marks = "(" + ",".join("?" * width) + ")"
        sizes = [1 << power for power in range(1, ROWS_MAX.bit_length())]
        self._width = width
        self._one = one
        self._many = tuple(many.format(rows=",".join([marks] * size)) for size in sizes)

    def run(self, execute: Execute, values: list[Any]) -> None:
        """Execute for the rows whose columns are `values`, one after the other in one flat list."""
        if len(values) == self._width:
            execute(self._one, values)
            return
        most = ROWS_MAX * self._width
        if len(values) > most:
            for start in range(0, len(values), most):
                self.run(execute, values[start : start + most])
            return
        rows = len(values) // self._width
        power = (rows - 1).bit_length()
        padding = ((1 << power) - rows) * self._width
        execute(self._many[power - 1], values + [None] * padding if padding else values)


ADD_RUNS = Bulk(
    11,
    "INSERT INTO runs VALUES (?,?,?,?,?,?,?,?,?,?,?, 'running', NULL, NULL, NULL)",
    "INSERT INTO runs SELECT *, 'running', NULL, NULL, NULL FROM (VALUES {rows}) WHERE column1 IS NOT NULL",
)

ADD_HEADS = Bulk(
    6,
    "INSERT INTO heads VALUES (?1, ?3, ?4, ?5, ?6)",
    "INSERT INTO heads SELECT column1, column3, column4, column5, column6 FROM (VALUES {rows}) "
    "WHERE column1 IS NOT NULL",
)

MOVE_HEADS = Bulk(
    6,
    "UPDATE heads SET seq = ?3, time = ?4, digest = ?5, size = ?6 WHERE run = ?1 AND seq = ?2",
    "UPDATE heads SET seq = new.column3, time = new.column4, digest = new.column5, size = new.column6 "
    "FROM (VALUES {rows}) AS new WHERE run = new.column1 AND seq = new.column2",
)

ADD_EVENTS = Bulk(
    6,
    "INSERT INTO events (run, seq, type, time, digest, data) VALUES (?, ?, ?, ?, ?, ?)",
    "INSERT INTO events (run, seq, type, time, digest, data) SELECT * FROM (VALUES {rows}) WHERE column1 IS NOT NULL",
)

# An input for a closed run would never be read, so it finds no row to join.
ADD_INBOX = Bulk(
    4,
    "INSERT INTO inbox SELECT ?1, ?2, ?3, ?4 FROM runs WHERE run = ?1 AND closed IS NULL",
    "INSERT INTO inbox SELECT new.* FROM (VALUES {rows}) AS new JOIN runs ON run = new.column1 WHERE closed IS NULL",
)

DROP_INBOX = Bulk(
    2,
    "DELETE FROM inbox WHERE run = ? AND id = ?",
    "DELETE FROM inbox WHERE (run, id) IN (VALUES {rows})",
)

# A run that closes while an input waits finds itself not updated, which refuses its part of the flush.
SET_STATUSES = Bulk(
    5,
    "UPDATE runs SET status = ?2, closed = ?3, blocked_reason = ?4, blocked_code = ?5 WHERE run = ?1 "
    "AND (?3 IS NULL OR NOT EXISTS (SELECT 1 FROM inbox WHERE inbox.run = ?1))",
    "UPDATE runs SET status = new.column2, closed = new.column3, blocked_reason = new.column4, "
    "blocked_code = new.column5 FROM (VALUES {rows}) AS new WHERE run = new.column1 "
    "AND (new.column3 IS NULL OR NOT EXISTS (SELECT 1 FROM inbox WHERE inbox.run = new.column1))",
)

ADD_REQUESTS = Bulk(
    4,
    "INSERT INTO requests VALUES (?, ?, ?, ?)",
    "INSERT INTO requests SELECT * FROM (VALUES {rows}) WHERE column1 IS NOT NULL",
)

DROP_TIMERS = Bulk(
    3,
    "DELETE FROM timers WHERE due = ? AND run = ? AND seq = ?",
    "DELETE FROM timers WHERE (due, run, seq) IN (VALUES {rows})",
)

ADD_TIMERS = Bulk(
    3,
    "INSERT OR IGNORE INTO timers VALUES (?, ?, ?)",
    "INSERT OR IGNORE INTO timers SELECT * FROM (VALUES {rows}) WHERE column1 IS NOT NULL",
)

DROP_BUSY = Bulk(
    1,
    "DELETE FROM busy WHERE run = ?",
    "DELETE FROM busy WHERE run IN (VALUES {rows})",
)

ADD_BUSY = Bulk(
    1,
    "INSERT OR IGNORE INTO busy VALUES (?)",
    "INSERT OR IGNORE INTO busy SELECT * FROM (VALUES {rows}) WHERE column1 IS NOT NULL",
)
