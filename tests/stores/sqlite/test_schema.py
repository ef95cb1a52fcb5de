"""A file says whose it is and how old, and is brought up to date in whole steps."""

from __future__ import annotations

from pathlib import Path

import apsw
import pytest

from aion.errors import StoreError
from aion.stores.sqlite import SqliteStore
from aion.stores.sqlite.schema import APPLICATION_ID, migrate, migrations


def _alter(path: Path, sql: str) -> None:
    connection = apsw.Connection(str(path))
    connection.execute(sql)
    connection.close()


def test_a_new_store_carries_our_mark_and_the_newest_version(tmp_path: Path) -> None:
    """Anybody can tell from the header what the file is."""
    SqliteStore.open(tmp_path / "aion.db").close()
    header = (tmp_path / "aion.db").read_bytes()[:100]

    assert header[68:72] == b"AION"
    assert int.from_bytes(header[60:64], "big") == len(migrations())


@pytest.mark.parametrize("read_only", [False, True])
def test_a_database_of_another_program_is_refused_and_not_touched(tmp_path: Path, read_only: bool) -> None:
    """Its path was given by mistake; it must not gain tables of ours, nor another journal."""
    path = tmp_path / "other.db"
    _alter(path, "CREATE TABLE songs (title TEXT)")
    before = path.read_bytes()

    with pytest.raises(StoreError, match="is not an Aion store: it is a SQLite database of another program"):
        SqliteStore.open(path, read_only=read_only)
    assert path.read_bytes() == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["other.db"]


@pytest.mark.parametrize("read_only", [False, True])
def test_a_newer_schema_is_refused_and_not_touched(tmp_path: Path, read_only: bool) -> None:
    """An old program must not write what a newer one would misread."""
    path = tmp_path / "aion.db"
    SqliteStore.open(path).close()
    _alter(path, f"PRAGMA user_version = {len(migrations()) + 1}")
    before = path.read_bytes()

    with pytest.raises(StoreError, match="written by a newer Aion"):
        SqliteStore.open(path, read_only=read_only)
    assert path.read_bytes() == before


def test_a_reader_does_not_migrate(tmp_path: Path) -> None:
    """It says how to get there instead."""
    path = tmp_path / "aion.db"
    SqliteStore.open(path).close()
    _alter(path, "PRAGMA user_version = 0")

    with pytest.raises(StoreError, match="open it once for writing"):
        SqliteStore.open(path, read_only=True)


def test_a_step_that_fails_leaves_the_version_before_it() -> None:
    """A migration is a transaction: it can be tried again after whatever stopped it."""
    connection = apsw.Connection(":memory:")
    connection.execute("CREATE TABLE events (in_the_way)")
    with pytest.raises(apsw.SQLError):
        migrate(connection, 0)
    tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_schema")]

    assert tables == ["events"]
    assert (connection.pragma("user_version"), connection.pragma("application_id")) == (0, 0)

    connection.execute("DROP TABLE events")
    migrate(connection, 0)
    assert connection.pragma("application_id") == APPLICATION_ID
    assert connection.pragma("user_version") == len(migrations())


def test_migrating_what_is_new_changes_nothing() -> None:
    """There are no steps left."""
    connection = apsw.Connection(":memory:")
    migrate(connection, 0)
    changes = connection.total_changes()
    migrate(connection, len(migrations()))

    assert connection.total_changes() == changes
