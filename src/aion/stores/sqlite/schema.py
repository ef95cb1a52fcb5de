"""What an Aion file is: its mark, its schema version, and the numbered steps from one version to the next.

Each step is one SQL file and runs in one transaction together with the version it leads to, so a file is
always at exactly one version, whenever the process dies.
"""

from __future__ import annotations

from importlib.resources import files

import apsw

from aion.errors import StoreError

APPLICATION_ID = int.from_bytes(b"AION", "big")
"""Stands in the file's header, so that no other program's database is taken for ours, nor ours for theirs."""


def migrations() -> tuple[str, ...]:
    """The SQL of every step; the first leads from an empty file to version 1."""
    folder = files(__package__ or __name__) / "migrations"
    steps = sorted((step.name, step.read_text("utf-8")) for step in folder.iterdir() if step.name.endswith(".sql"))
    numbers = [int(name.split("_")[0]) for name, _ in steps]
    assert numbers == list(range(1, len(steps) + 1)), f"migrations are not numbered 1..n: {numbers}"
    return tuple(sql for _, sql in steps)


def identify(connection: apsw.Connection, path: str) -> int:
    """The schema version of a file, after making sure that it is ours and not from a newer program."""
    mark = connection.pragma("application_id")
    if mark != APPLICATION_ID:
        raise StoreError(
            f"{path} is not an Aion store: it is a SQLite database of another program (application id {mark}). "
            "Check the path, or choose a new file"
        )
    version = int(connection.pragma("user_version"))
    newest = len(migrations())
    if version > newest:
        raise StoreError(
            f"{path} was written by a newer Aion: its schema is version {version}, this program knows {newest}. "
            "Install that version again; nothing was changed"
        )
    return version


def require_current(connection: apsw.Connection, path: str) -> None:
    """For readers, which cannot migrate."""
    version = identify(connection, path)
    if version < len(migrations()):
        raise StoreError(
            f"{path} has schema version {version}, this program reads {len(migrations())}: "
            "open it once for writing, which migrates it"
        )


def migrate(connection: apsw.Connection, version: int) -> None:
    """Take a file from `version` to the newest, one transaction a step."""
    for number, sql in enumerate(migrations()[version:], version + 1):
        connection.execute("BEGIN IMMEDIATE")
        try:
            connection.execute(sql)
            connection.pragma("application_id", APPLICATION_ID)
            connection.pragma("user_version", number)
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
