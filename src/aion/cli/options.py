"""Options that several commands take, with one meaning everywhere."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from aion._compose import open_store
from aion._runtime.reader import RunReader
from aion.errors import InvalidInput

Command = TypeVar("Command", bound=Callable[..., Any])

DEFAULT_STORE = "sqlite:///aion.db"


def store_option(command: Command) -> Command:
    """`--store URL`."""
    return click.option(
        "--store",
        metavar="URL",
        envvar="AION_STORE",
        default=DEFAULT_STORE,
        help=f"Where runs are recorded, such as sqlite:///shop.db.  [default: $AION_STORE, or {DEFAULT_STORE}]",
    )(command)


def namespace_option(command: Command) -> Command:
    """`--namespace NAME`."""
    return click.option(
        "--namespace", metavar="NAME", default="default", show_default=True, help="Runs of one namespace see no others."
    )(command)


def run_id_option(command: Command) -> Command:
    """`--run-id ID`."""
    return click.option("--run-id", metavar="ID", help="One run of the workflow, if it had several; else the newest.")(
        command
    )


def json_option(command: Command) -> Command:
    """`--json`."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON for programs; errors too, on stderr.")(
        command
    )


def open_reader(store: str, namespace: str) -> RunReader:
    """A store to look at, also while an engine has it open.

    Raises:
        InvalidInput: it is one that only its own process sees.
        StoreError: it cannot be opened.
    """
    if store == "memory:":
        raise InvalidInput("store 'memory:' is seen only by the process that made it: name a file, sqlite:///path.db")
    return RunReader(open_store(store, read_only=True), namespace)
