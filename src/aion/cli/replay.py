"""`aion replay`: does the code still do what a recorded history says?"""

from __future__ import annotations

import sys
from pathlib import Path

import click

from aion._runtime.views import History
from aion.cli.options import json_option
from aion.cli.output import escape, print_json
from aion.cli.target import load_target
from aion.errors import InvalidInput, NotFound, StoreCorrupt
from aion.testing.replayer import decode_history
from aion.testing.replayer import replay as replay_history


@click.command()
@click.argument("target", metavar="MODULE[:WORKFLOW]")
@click.argument("file", metavar="HISTORY.JSON")
@json_option
def replay(target: str, file: str, as_json: bool) -> None:
    """Check a recorded history against the code; nothing is run outside the workflow function.

    HISTORY.JSON is what `aion history --json` wrote; - reads stdin. Without WORKFLOW, it is the one of the type that
    the history names. Where history and code differ, both commands are shown with file and line, and the exit code
    is 1.
    """
    history = read_history(file)
    recorded_type = str(history[0].data["workflow_type"])
    _, workflow = load_target(target, recorded_type)
    if workflow.name != recorded_type:
        raise InvalidInput(f"{file} is a history of workflow {recorded_type!r}, not of {workflow.name!r}")
    replay_history(history, workflow)
    if as_json:
        print_json({"workflow_type": recorded_type, "events": len(history), "fits": True})
    else:
        click.echo(escape(f"{recorded_type} fits: {len(history):,} events replayed"))


def read_history(file: str) -> History:
    """The history in a file, whole and of known events.

    Raises:
        NotFound: there is no such file.
        InvalidInput: it holds no history.
    """
    try:
        text = sys.stdin.read() if file == "-" else Path(file).read_text("utf-8")
    except FileNotFoundError as exc:
        raise NotFound(f"there is no file {file!r}: `aion history ID --json > {file}` writes one") from exc
    except OSError as exc:
        raise InvalidInput(f"{file!r} cannot be read: {exc.strerror}") from exc
    except ValueError as exc:
        raise InvalidInput(f"{file!r} is not a history file: it is not text in UTF-8") from exc
    try:
        history = History.from_json(text)
        decode_history(history)
    except (InvalidInput, StoreCorrupt, TypeError, RecursionError) as exc:
        raise InvalidInput(f"{file!r} cannot be replayed: {exc}") from exc
    return history
