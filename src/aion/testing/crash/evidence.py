"""What is left behind after a crash test, read from files only: the store, the effect ledger, the log of calls."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import apsw

from aion._flow.replayer import Recorded
from aion._runtime.residency import verify
from aion.errors import StoreCorrupt
from aion.stores.base import RunFilter, RunRecord
from aion.stores.sqlite import SqliteStore
from aion.testing.crash.folder import CALLS, LEDGER, STORE
from aion.testing.crash.journal import read_journal

_RUNS_MAX = 10_000


@dataclass(frozen=True)
class RunEvidence:
    """One run: its record, and its history; `damage` says why the history cannot be relied on."""

    record: RunRecord
    history: list[Recorded]
    damage: str = ""

    @property
    def name(self) -> str:
        """What messages call it."""
        return f"{self.record.workflow_id} (run {self.record.chain})"

    def key_of(self, activity: str) -> str:
        """The idempotency key of one of its activities."""
        return f"{self.record.namespace}/{self.record.run_id}/{activity}"


@dataclass(frozen=True)
class Evidence:
    """All of it. `rows` are the rows of the tables that wake runs, by table."""

    runs: list[RunEvidence]
    effects: list[dict[str, Any]]
    calls: list[dict[str, Any]]
    rows: dict[str, list[tuple[Any, ...]]] = field(default_factory=dict)
    integrity: str = "ok"

    def runs_of(self, workflow_id: str) -> list[RunEvidence]:
        """The runs of a workflow, first to last."""
        return sorted((r for r in self.runs if r.record.workflow_id == workflow_id), key=lambda r: r.record.chain)


def read_evidence(folder: Path) -> Evidence:
    """Read the folder of a crash test whose processes have all ended."""
    path = folder / STORE
    store = SqliteStore.open(path, read_only=True)
    try:
        runs = list(_runs(store))
    finally:
        store.close()
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        rows = {
            "timers": connection.execute("SELECT run, due, seq FROM timers").fetchall(),
            "inbox": connection.execute("SELECT run, id FROM inbox").fetchall(),
            "busy": connection.execute("SELECT run FROM busy").fetchall(),
        }
        integrity = str(connection.pragma("integrity_check"))
    finally:
        connection.close()
    return Evidence(runs, read_journal(folder / LEDGER), read_journal(folder / CALLS), rows, integrity)


def _runs(store: SqliteStore) -> Iterator[RunEvidence]:
    for record in store.list_runs(RunFilter(), _RUNS_MAX):
        try:
            _, history = verify(record, store.history(record.run))
        except StoreCorrupt as error:
            yield RunEvidence(record, [], str(error))
        else:
            yield RunEvidence(record, history)
