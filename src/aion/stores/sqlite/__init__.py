"""The SQLite store. Read `store.py` first, then `writer.py` and `flushing.py`, then `reader.py`.

Invariant: one connection writes and checkpoints; all others are read-only.
Invariant: no other code opens the database file itself. Closing any descriptor of it would drop the locks that
    SQLite holds on it for the whole process.
Invariant: no exception of the driver leaves this package.
"""

from aion.stores.sqlite.store import SqliteStore

__all__ = ["SqliteStore"]
