"""No read of the store looks at rows that it does not return."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import apsw
import apsw.ext
import pytest

from aion.stores.sqlite import SqliteStore, queries

READS = {
    "find newest": (queries.FIND_NEWEST, ["runs_by_id", "heads"]),
    "find run": (queries.FIND_RUN, ["runs_by_id", "heads"]),
    "find request": (queries.FIND_REQUEST, ["requests"]),
    "records": (queries.RECORDS.query, ["runs", "heads"]),
    "blocked": (queries.BLOCKED.query, ["runs_blocked", "heads"]),
    "history": (queries.HISTORY.query, ["events_by_run"]),
    "inbox": (queries.INBOX.query, ["inbox"]),
    "timers due": (queries.TIMERS_DUE.query, ["timers"]),
    "next due": (queries.NEXT_DUE, ["timers"]),
    "busy runs": (queries.BUSY_RUNS, ["busy"]),
    "inbox runs": (queries.INBOX_RUNS, ["inbox", "inbox", "runs"]),
    "list": (queries.LIST.query, ["runs_by_start", "runs_by_start", "runs", "heads"]),
}

TABLES = {"runs", "heads", "events", "timers", "inbox", "busy", "requests", "shards"}


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[apsw.Connection]:
    """A store's file."""
    SqliteStore.open(tmp_path / "aion.db").close()
    made = apsw.Connection(str(tmp_path / "aion.db"))
    yield made
    made.close()


def _plan(connection: apsw.Connection, sql: str) -> list[str]:
    details = apsw.ext.query_info(connection, sql, explain_query_plan=True).query_plan
    assert details is not None
    return _flat(details)


def _flat(step: apsw.ext.QueryPlan) -> list[str]:
    return [step.detail, *(line for child in step.sub or [] for line in _flat(child))]


def _used(line: str) -> str:
    """The index that a step uses, or the table whose own key it uses."""
    words = line.split()
    return words[words.index("INDEX") + 1] if "INDEX" in words and "INTEGER" not in line else words[1]


@pytest.mark.parametrize("name", READS)
def test_every_read_goes_through_a_key_or_an_index(connection: apsw.Connection, name: str) -> None:
    """Each table it touches is searched, through the index that was made for it, and nothing is sorted."""
    sql, through = READS[name]
    plan = _plan(connection, sql)
    scanned = [line for line in plan if line.startswith("SCAN") and line.split()[1] in TABLES]
    searched = [_used(line) for line in plan if line.startswith("SEARCH")]

    assert scanned == []
    assert sorted(searched) == sorted(through)


@pytest.mark.parametrize("name", sorted(READS.keys() - {"list"}))
def test_no_page_is_sorted(connection: apsw.Connection, name: str) -> None:
    """The order comes from the index, so a page costs what it holds, not what comes after it."""
    sql, _ = READS[name]

    assert [line for line in _plan(connection, sql) if "TEMP B-TREE" in line] == []
