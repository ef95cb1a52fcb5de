"""Reading takes as many connections as there are readers, keeps a few, and gives rows in one step."""

from __future__ import annotations

import threading
from pathlib import Path

import apsw
import pytest

from aion.errors import StoreError
from aion.stores.sqlite.reader import CONNECTIONS_KEPT, Packed, Readers


class Counting:
    """Connects to one database, and counts."""

    def __init__(self, path: Path) -> None:
        self.path = str(path)
        self.made: list[apsw.Connection] = []

    def __call__(self) -> apsw.Connection:
        """One more."""
        self.made.append(apsw.Connection(self.path))
        return self.made[-1]

    def open(self) -> int:
        """How many are still open."""
        return len([connection for connection in apsw.connections() if connection in self.made])


def test_one_reader_keeps_one_connection(tmp_path: Path) -> None:
    """A connection that is idle is used again."""
    connect = Counting(tmp_path / "a.db")
    readers = Readers("a.db", connect)
    answers = [readers.rows("SELECT ?", number) for number in range(5)]
    readers.close()

    assert answers == [[(number,)] for number in range(5)]
    assert (len(connect.made), connect.open()) == (1, 0)


def test_readers_at_the_same_time_have_a_connection_each_and_a_few_are_kept(tmp_path: Path) -> None:
    """Threads come and go; what they used is used again or closed."""
    connect = Counting(tmp_path / "a.db")
    readers = Readers("a.db", connect)
    count = CONNECTIONS_KEPT + 4
    barrier = threading.Barrier(count)

    def wait(*_: object) -> int:
        barrier.wait()
        return 1

    def connect_and_wait() -> apsw.Connection:
        connection = connect()
        connection.create_scalar_function("wait", wait)
        return connection

    readers = Readers("a.db", connect_and_wait)
    threads = [threading.Thread(target=readers.rows, args=("SELECT wait()",)) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    kept = connect.open()
    readers.close()

    assert (len(connect.made), kept, connect.open()) == (count, CONNECTIONS_KEPT, 0)


def test_a_connection_in_use_while_closing_is_closed_when_it_comes_back(tmp_path: Path) -> None:
    """Closing waits for nobody and leaves nothing open."""
    connect = Counting(tmp_path / "a.db")

    def shut(*_: object) -> None:
        readers.close()

    def connect_closing() -> apsw.Connection:
        connection = connect()
        connection.create_scalar_function("shut", shut)
        return connection

    readers = Readers("a.db", connect_closing)
    readers.rows("SELECT shut()")

    assert connect.open() == 0
    with pytest.raises(StoreError, match="is closed"):
        readers.rows("SELECT 1")


@pytest.mark.parametrize("count", [0, 1, 3])
def test_packed_rows_are_the_rows(tmp_path: Path, count: int) -> None:
    """Text, numbers, nothing and bytes come back as they are, in order, however many."""
    connect = Counting(tmp_path / "a.db")
    connect().execute("CREATE TABLE t (a INTEGER, b TEXT, c BLOB, d BLOB)")
    rows = [(2**62 + n, 'x"\\\n\0é' if n else None, bytes([0, 255, n]) * n, b"'" * (3 - n)) for n in range(count)]
    connect.made[0].executemany("INSERT INTO t VALUES (?, ?, ?, ?)", rows)
    readers = Readers("a.db", connect)
    packed = Packed(tuple, "abcd", "SELECT * FROM t ORDER BY a DESC LIMIT ?", blobs="cd")
    found = packed.read(readers, 100)
    readers.close()
    connect.made[0].close()

    assert found == rows[::-1]
