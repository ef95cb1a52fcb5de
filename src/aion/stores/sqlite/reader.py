"""Reading: a few connections beside the writing one, and queries that bring many rows in one step.

Every call takes an idle connection or opens one, so reads neither wait for each other nor for a commit,
and each sees all that was committed before it began.

A query that returned its rows one by one would give up Python's global lock at each (`statements.py` tells
what that costs), so `Packed` lets SQLite put all rows into one: plain columns as JSON, bytes end to end.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

import apsw
import msgspec

from aion.errors import StoreError
from aion.stores.sqlite.failures import translate

CONNECTIONS_KEPT = 8

Row = TypeVar("Row")

_decode = msgspec.json.Decoder(list[list[Any]]).decode


class Readers:
    """The idle connections of one store."""

    def __init__(self, path: str, connect: Callable[[], apsw.Connection]) -> None:
        self._path = path
        self._connect = connect
        self._idle: deque[apsw.Connection] = deque()
        self._closed = False

    def rows(self, query: str, *parameters: Any) -> list[Any]:
        """All rows of a query; a tuple each."""
        try:
            connection = self._take()
            try:
                return connection.execute(query, parameters).fetchall()
            finally:
                self._give(connection)
        except apsw.Error as error:
            raise translate(error, self._path, "read") from error

    def close(self) -> None:
        """Close the idle connections now, and those in use when they come back."""
        self._closed = True
        while self._idle:
            self._idle.pop().close(True)

    def _take(self) -> apsw.Connection:
        if self._closed:
            raise StoreError(f"{self._path} is closed: open the store again")
        try:
            return self._idle.pop()
        except IndexError:
            return self._connect()

    def _give(self, connection: apsw.Connection) -> None:
        if len(self._idle) >= CONNECTIONS_KEPT:
            connection.close(True)
            return
        self._idle.append(connection)
        # Looked at last: `close` may have emptied the list while this connection was in use.
        if self._closed:
            self.close()


class Packed(Generic[Row]):
    """A query for rows of `columns`, read in one step; `blobs` names the columns that hold bytes.

    The query has to end in a LIMIT: that is what keeps SQLite from dropping its ORDER BY.
    """

    def __init__(
        self, make: Callable[[list[Any]], Row], columns: Sequence[str], query: str, blobs: Sequence[str] = ()
    ) -> None:
        plain = ", ".join(f"length({column})" if column in blobs else column for column in columns)
        bodies = "".join(f", CAST(group_concat({column}, '') AS BLOB)" for column in blobs)
        self.query = f"SELECT json_group_array(json_array({plain})){bodies} FROM ({query})"
        self._make = make
        self._blobs = [list(columns).index(column) for column in blobs]

    def read(self, readers: Readers, *parameters: Any) -> list[Row]:
        """The rows, in the order of the query."""
        ((packed, *bodies),) = readers.rows(self.query, *parameters)
        rows = _decode(packed)
        for column, body in zip(self._blobs, bodies, strict=True):
            start = 0
            for row in rows:
                end = start + row[column]
                row[column] = body[start:end]
                start = end
        return list(map(self._make, rows))
