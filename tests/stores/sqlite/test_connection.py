"""Every connection has the settings that an acknowledgement rests on, read back from SQLite."""

from __future__ import annotations

from pathlib import Path

import apsw
import pytest

from aion.errors import InvalidInput, StoreError
from aion.stores.sqlite import SqliteStore
from aion.stores.sqlite.connection import connect_reader, connect_writer, make_durable, require_durable


@pytest.fixture
def path(tmp_path: Path) -> str:
    """A store that nobody has open."""
    SqliteStore.open(tmp_path / "aion.db").close()
    return str(tmp_path / "aion.db")


@pytest.mark.parametrize(("durability", "synchronous"), [("full", 2), ("relaxed", 1)])
def test_the_writer_syncs_each_commit_unless_told_otherwise(path: str, durability: str, synchronous: int) -> None:
    """WAL and FULL, or NORMAL where losing the last commits was accepted."""
    connection = connect_writer(path, 0, None)
    make_durable(connection, path, "full" if durability == "full" else "relaxed")
    settings = [connection.pragma(name) for name in ("journal_mode", "synchronous", "fullfsync", "wal_autocheckpoint")]
    connection.close()

    assert settings == ["wal", synchronous, 1 if durability == "full" else 0, 0]


@pytest.mark.parametrize(
    "weaker", ["PRAGMA synchronous = NORMAL", "PRAGMA synchronous = OFF", "PRAGMA journal_mode = DELETE"]
)
def test_a_weaker_setting_is_refused_unless_accepted(path: str, weaker: str) -> None:
    """A setting that did not take is found out when the file is opened, not when power fails."""
    connection = apsw.Connection(path)
    connection.pragma("synchronous", "full")
    require_durable(connection, path, "full")
    connection.execute(weaker)

    with pytest.raises(StoreError, match="would not survive a power cut"):
        require_durable(connection, path, "full")
    require_durable(connection, path, "relaxed")
    connection.close()


def test_a_store_says_how_durable_it_is(tmp_path: Path) -> None:
    """So that acknowledgements can say it too."""
    full = SqliteStore.open(tmp_path / "full.db")
    relaxed = SqliteStore.open(tmp_path / "relaxed.db", durability="relaxed")
    said = full.durability, relaxed.durability
    full.close()
    relaxed.close()

    assert said == ("full", "relaxed")
    with pytest.raises(InvalidInput, match="say 'full' or 'relaxed'"):
        SqliteStore.open(tmp_path / "none.db", durability="none")  # type: ignore[arg-type]


def test_a_reader_cannot_write(path: str) -> None:
    """Neither by its file handle nor by its settings."""
    connection = connect_reader(path, "full", 0, None)
    with pytest.raises(apsw.ReadOnlyError):
        connection.execute("DELETE FROM events")
    settings = [connection.pragma("query_only"), connection.readonly("main")]
    connection.close()

    assert settings == [1, True]


def test_code_that_was_put_into_a_file_does_not_run(path: str) -> None:
    """A trigger in a file from elsewhere must not act when we write."""
    vandal = apsw.Connection(path)
    vandal.execute("CREATE TRIGGER t AFTER INSERT ON busy BEGIN DELETE FROM shards; END")
    vandal.close()
    connection = connect_writer(path, 0, None)
    connection.execute("INSERT INTO busy VALUES (1)")
    left = connection.execute("SELECT count(*) FROM shards").fetchall()
    connection.close()

    assert left == [(1,)]
