"""Connections to a file that is there already, each with its settings read back.

An acknowledged commit survives power loss only under WAL with `synchronous=FULL`; a setting that did not
take (a file system without shared memory, a wrapped driver) must not be found out by losing data.
"""

from __future__ import annotations

from typing import Literal

import apsw

from aion.errors import StoreError

Durability = Literal["full", "relaxed"]

STATEMENTS_CACHED = 256
"""More than the writer has: its bulk statements come in ten sizes each."""

_CACHE_KIB = 32 * 1024
_WAL_BYTES_KEPT = 64 * 1024 * 1024
_SYNCHRONOUS = {"full": 2, "relaxed": 1}


def connect_writer(path: str, busy_timeout_ms: int, vfs: str | None) -> apsw.Connection:
    """The one connection that writes. It never checkpoints by itself."""
    connection = apsw.Connection(path, apsw.SQLITE_OPEN_READWRITE, vfs, STATEMENTS_CACHED)
    _harden(connection, busy_timeout_ms)
    if connection.readonly("main"):
        connection.close()
        raise StoreError(
            f"{path} cannot be written: give this user write permission on the file and its directory, "
            "or open it read-only"
        )
    connection.pragma("cache_size", -_CACHE_KIB)
    return connection


def make_durable(connection: apsw.Connection, path: str, durability: Durability) -> None:
    """Set what an acknowledgement rests on, and prove that it is set."""
    connection.pragma("journal_mode", "wal")
    connection.pragma("synchronous", _SYNCHRONOUS[durability])
    # Without these two, a Mac's disk keeps acknowledged data in its own cache; elsewhere they do nothing.
    connection.pragma("fullfsync", durability == "full")
    connection.pragma("checkpoint_fullfsync", durability == "full")
    connection.pragma("journal_size_limit", _WAL_BYTES_KEPT)
    connection.wal_autocheckpoint(0)
    require_durable(connection, path, durability)


def connect_reader(path: str, durability: Durability, busy_timeout_ms: int, vfs: str | None) -> apsw.Connection:
    """A connection that cannot write."""
    connection = apsw.Connection(path, apsw.SQLITE_OPEN_READONLY, vfs)
    _harden(connection, busy_timeout_ms)
    connection.pragma("synchronous", _SYNCHRONOUS[durability])
    connection.pragma("query_only", True)
    return connection


def require_durable(connection: apsw.Connection, path: str, durability: Durability) -> None:
    """Refuse a connection whose commits could be lost by a power cut, unless that was asked for."""
    if durability == "relaxed":
        return
    journal = connection.pragma("journal_mode")
    synchronous = connection.pragma("synchronous")
    if journal != "wal" or synchronous < _SYNCHRONOUS["full"]:
        raise StoreError(
            f"{path}: acknowledged data would not survive a power cut (journal_mode is {journal}, synchronous is "
            f"{synchronous}; needed are wal and {_SYNCHRONOUS['full']}). Put the store on a local disk, "
            "or accept the loss with durability='relaxed'"
        )


def _harden(connection: apsw.Connection, busy_timeout_ms: int) -> None:
    """A file that somebody else made up must not run code of theirs: no views, no triggers, no functions in it."""
    connection.set_busy_timeout(busy_timeout_ms)
    connection.config(apsw.SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0)
    connection.config(apsw.SQLITE_DBCONFIG_ENABLE_TRIGGER, 0)
    connection.config(apsw.SQLITE_DBCONFIG_ENABLE_VIEW, 0)
    connection.pragma("temp_store", "memory")
