"""The SQLite store keeps the contract."""

from __future__ import annotations

from pathlib import Path

from aion.stores.base import Store
from aion.stores.sqlite import SqliteStore
from aion.testing.store_contract import StoreContract


class TestSqliteStore(StoreContract):
    """One file, one shard."""

    def make_store(self, directory: Path) -> Store:
        """A new file."""
        return SqliteStore.open(directory / "aion.db")
