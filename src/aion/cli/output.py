"""What a command prints: JSON for programs; for people tables, in colour on a terminal, with every sign made harmless.

Ids, payloads and messages come from anywhere. A control sequence in one of them could clear the screen, hide a line
or type for the user, so nothing that is not printable reaches people as it is.
"""

from __future__ import annotations

import datetime
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TextIO

import click

if TYPE_CHECKING:
    from rich.console import Console

STATUS_STYLES = {
    "running": "cyan",
    "blocked": "bold yellow",
    "completed": "green",
    "failed": "bold red",
    "cancelled": "magenta",
    "terminated": "magenta",
}


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table. `keep`: it is shown whole, because people copy it."""

    title: str
    right: bool = False
    keep: bool = False


def escape(text: str) -> str:
    """The text with every sign that is not printable written as an escape: on one line, and no terminal obeys it."""
    if text.isprintable():
        return text
    return "".join(sign if sign.isprintable() else _escaped(sign) for sign in text)


def escape_lines(text: str) -> str:
    """The same line by line: line breaks stay."""
    return "\n".join(escape(line) for line in text.split("\n"))


def shorten(text: str, width: int) -> str:
    """At most `width` signs of a text; where some are left out, it ends in an ellipsis."""
    return text if len(text) <= width else text[: width - 1] + "…"


def time_text(time: datetime.datetime) -> str:
    """A time with milliseconds, UTC."""
    return time.astimezone(datetime.UTC).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]


def span_text(micros: int) -> str:
    """A span as people say it: two figures of the units that matter."""
    if micros < 999_500:
        return f"{micros / 1_000:.3g}ms"
    seconds = micros / 1_000_000
    if seconds < 60:
        return f"{seconds:.3g}s"
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f"{days}d{hours}h"
    return f"{hours}h{minutes}m" if hours else f"{minutes}m{seconds}s"


def as_json(value: Any, indent: int | None = None) -> str:
    """A value as JSON of plain ASCII, which no terminal obeys and every program reads."""
    return json.dumps(value, indent=indent)


def print_json(value: Any) -> None:
    """One JSON document on stdout; spread over lines on a terminal."""
    click.echo(as_json(value, indent=2 if is_terminal(sys.stdout) else None))


def print_table(columns: Sequence[Column], rows: Sequence[Sequence[str]], status_column: int | None = None) -> None:
    """A table on stdout. On a terminal it fits the width; elsewhere each row is one line and nothing is cut."""
    if is_terminal(sys.stdout):
        show_table(terminal(sys.stdout), columns, rows, status_column)
    else:
        click.echo(plain_table(columns, rows))


def plain_table(columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> str:
    """A table as lines of aligned columns, two spaces between them."""
    lines = [[column.title for column in columns], *([escape(cell) for cell in row] for row in rows)]
    widths = [max(len(line[place]) for line in lines) for place in range(len(columns))]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if column.right else cell.ljust(width)
            for cell, width, column in zip(line, widths, columns, strict=True)
        ).rstrip()
        for line in lines
    )


def show_table(
    console: Console, columns: Sequence[Column], rows: Sequence[Sequence[str]], status_column: int | None = None
) -> None:
    """A table on a terminal."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, header_style="bold")
    for column in columns:
        table.add_column(
            Text(column.title),
            justify="right" if column.right else "left",
            overflow="fold" if column.keep else "ellipsis",
            no_wrap=not column.keep,
        )
    for row in rows:
        # As text objects: what looks like markup in a value is shown, not obeyed.
        cells = [Text(escape(cell)) for cell in row]
        if status_column is not None:
            cells[status_column].stylize(STATUS_STYLES.get(row[status_column], ""))
        table.add_row(*cells)
    console.print(table)


def print_fields(fields: Sequence[tuple[str, str]]) -> None:
    """Names and values, one a line, the values below each other."""
    width = max(len(name) for name, _ in fields) + 2
    if not is_terminal(sys.stdout):
        click.echo("\n".join(f"{name}:".ljust(width) + escape(value) for name, value in fields))
        return
    from rich.text import Text

    console = terminal(sys.stdout)
    for name, value in fields:
        style = STATUS_STYLES.get(value, "") if name == "status" else ""
        line = Text.assemble((f"{name}:".ljust(width), "dim"), (escape(value), style))
        # Wrapped by the terminal and not by us, so that what is copied has no line breaks in it.
        console.print(line, soft_wrap=True)


def is_terminal(stream: TextIO) -> bool:
    """Whether people look at this stream."""
    return stream.isatty()


def terminal(stream: TextIO) -> Console:
    """A stream as a terminal with its width and colours; none with NO_COLOR, or where it has none."""
    from rich.console import Console

    return Console(file=stream, highlight=False, markup=False, emoji=False)


def _escaped(sign: str) -> str:
    return sign.encode("unicode_escape").decode("ascii")
