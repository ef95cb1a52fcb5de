"""`aion list`, `aion describe`, `aion history`: looking at a store, also beside an engine that has it open."""

from __future__ import annotations

import datetime
from typing import Any

import click

from aion._runtime.views import Description, HistoryEvent
from aion.cli.options import json_option, namespace_option, open_reader, run_id_option, store_option
from aion.cli.output import (
    Column,
    as_json,
    escape,
    print_fields,
    print_json,
    print_table,
    shorten,
    span_text,
    time_text,
)

DETAIL_WIDTH = 100
"""Signs of one value in a table; `--json` gives it whole."""


@click.command(name="list")
@click.argument("filter_text", metavar="[FILTER]", default="")
@click.option("--limit", type=click.IntRange(1, 10_000), default=100, show_default=True, help="Runs in one page.")
@click.option("--cursor", metavar="CURSOR", help="Go on after an earlier page, which printed it.")
@store_option
@namespace_option
@json_option
def list_runs(filter_text: str, limit: int, cursor: str | None, store: str, namespace: str, as_json: bool) -> None:
    """List runs, those that started first at the top.

    FILTER compares status and type with values in double quotes, joined by `and`:

    \b
    aion list 'status = "running" and type in ("fulfil", "refund")'
    """
    with open_reader(store, namespace) as reader:
        page = reader.list(filter_text, limit=limit, cursor=cursor)
    if as_json:
        print_json({"runs": [description_data(run) for run in page], "cursor": page.cursor})
        return
    if not page.runs:
        click.echo("no runs" + (" match" if filter_text else ""), err=True)
        return
    columns = [
        Column("ID", keep=True),
        Column("TYPE"),
        Column("STATUS", keep=True),
        Column("STARTED (UTC)", keep=True),
        Column("TOOK", right=True),
        Column("EVENTS", right=True),
        Column("SUMMARY"),
    ]
    print_table(columns, [_row(run) for run in page], status_column=2)
    if page.cursor is not None:
        click.echo(f"more follow: --cursor {page.cursor}", err=True)


@click.command()
@click.argument("workflow_id", metavar="ID")
@run_id_option
@store_option
@namespace_option
@json_option
def describe(workflow_id: str, run_id: str | None, store: str, namespace: str, as_json: bool) -> None:
    """Show one run: what it is, where it stands, and why it does not move if it is blocked."""
    with open_reader(store, namespace) as reader:
        data = description_data(reader.describe(workflow_id, run_id))
    if as_json:
        print_json(data)
    else:
        shown = {name: value for name, value in data.items() if value not in (None, {})}
        print_fields([(name.replace("_", " "), _field_text(value)) for name, value in shown.items()])


@click.command()
@click.argument("workflow_id", metavar="ID")
@run_id_option
@store_option
@namespace_option
@json_option
def history(workflow_id: str, run_id: str | None, store: str, namespace: str, as_json: bool) -> None:
    """Show what is recorded of a run, event by event.

    With --json it is the file that `aion replay` and `aion.testing.replay` read:

    \b
    aion history order-17 --json > order-17.json
    aion replay shop:fulfil order-17.json
    """
    with open_reader(store, namespace) as reader:
        events = reader.history(workflow_id, run_id)
    if as_json:
        click.echo(events.to_json(), nl=False)
        return
    columns = [Column("SEQ", right=True), Column("TIME (UTC)", keep=True), Column("EVENT", keep=True), Column("WHAT")]
    print_table(columns, [(str(event.seq), time_text(event.time), event.type, what(event)) for event in events])


def description_data(run: Description) -> dict[str, Any]:
    """A run for programs: the fields of `describe()`, times in ISO 8601."""
    return {
        "id": run.id,
        "run_id": run.run_id,
        "type": run.type,
        "status": run.status,
        "version": run.version,
        "namespace": run.namespace,
        "started": run.started.isoformat(),
        "closed": None if run.closed is None else run.closed.isoformat(),
        "attributes": run.attributes,
        "summary": run.summary,
        "blocked_reason": run.blocked_reason,
        "parent": run.parent,
        "history_length": run.history_length,
        "history_bytes": run.history_bytes,
    }


def what(event: HistoryEvent) -> str:
    """The fields of an event in one line: names and places first, values cut short."""
    data = dict(event.data)
    parts = [str(data.pop(name)) for name in ("name", "id", "change", "workflow_type") if name in data]
    at = data.pop("at", None)
    if "delay" in data:
        parts.append(f"for {span_text(data.pop('delay'))}")
    if data.get("retry_in") is not None:
        parts.append(f"again in {span_text(data.pop('retry_in'))}")
    if isinstance(error := data.get("error"), dict):
        data["error"] = f"{error.get('type')}: {error.get('message')}"
    parts += [f"{name}={_value_text(value)}" for name, value in data.items() if name not in _LEFT_OUT]
    if at:
        parts.append(f"at {at}")
    return " ".join(parts)


# Said elsewhere (by `describe`), or of no use to people.
_LEFT_OUT = {"workflow_id", "run_id", "namespace", "named", "code", "queue", "retry", "timeout"}


def _row(run: Description) -> tuple[str, ...]:
    took = "" if run.closed is None else span_text((run.closed - run.started) // datetime.timedelta(microseconds=1))
    note = run.blocked_reason if run.status == "blocked" else run.summary
    return (
        run.id,
        run.type,
        run.status,
        time_text(run.started),
        took,
        f"{run.history_length:,}",
        shorten(note or "", DETAIL_WIDTH),
    )


def _field_text(value: Any) -> str:
    return value if isinstance(value, str) else as_json(value)


def _value_text(value: Any) -> str:
    return shorten(escape(value) if isinstance(value, str) else as_json(value), DETAIL_WIDTH)
