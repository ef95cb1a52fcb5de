"""What is printed: harmless for terminals, aligned for people, JSON for programs."""

from __future__ import annotations

import io
import json
from contextlib import redirect_stdout

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from aion.cli.output import (
    Column,
    as_json,
    escape,
    escape_lines,
    plain_table,
    print_fields,
    print_table,
    shorten,
    show_table,
    span_text,
)

COLUMNS = [Column("ID", keep=True), Column("STATUS"), Column("EVENTS", right=True)]
ANY_TEXT = st.text(st.characters())


class Terminal(io.StringIO):
    """A stream that says that people look at it."""

    def isatty(self) -> bool:
        """Yes."""
        return True


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """A terminal of 256 colours and 60 columns."""
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "60")
    return Terminal()


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("order-17 é 漢", "order-17 é 漢"),
        ("\x1b[31mred", "\\x1b[31mred"),
        ("two\nlines\r", "two\\nlines\\r"),
        ("\x00\x7f\x9b", "\\x00\\x7f\\x9b"),
        ("abc\u202edcba", "abc\\u202edcba"),
        ("\ud800", "\\ud800"),
        ("a\u2028b", "a\\u2028b"),
    ],
)
def test_what_is_not_printable_is_written_as_an_escape(text: str, shown: str) -> None:
    """Colours, cursor moves, line breaks, reversed text and halves of signs become visible."""
    assert escape(text) == shown


@given(ANY_TEXT)
def test_no_text_reaches_the_terminal_as_a_command(text: str) -> None:
    """Whatever a text holds, what people get is printable."""
    assert escape(text).isprintable()


@given(ANY_TEXT)
def test_lines_stay_lines(text: str) -> None:
    """A traceback keeps its line breaks and nothing else."""
    assert escape_lines(text).count("\n") == text.count("\n")


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | ANY_TEXT, lambda v: st.lists(v) | st.dictionaries(ANY_TEXT, v)
    )
)
def test_json_is_valid_ascii(value: object) -> None:
    """Programs read back what was given, and a terminal sees plain signs only."""
    text = as_json(value)

    assert (json.loads(text), text.isascii()) == (value, True)


def test_a_table_without_a_terminal_is_aligned_lines() -> None:
    """Each row is one line, whatever its cells hold, and nothing is cut."""
    long = "x" * 200

    assert plain_table(COLUMNS, [("a\nb", "failed", "7"), (long, "completed", "1,000")]).splitlines() == [
        "ID" + " " * 198 + "  STATUS     EVENTS",
        "a\\nb" + " " * 196 + "  failed          7",
        long + "  completed   1,000",
    ]


def test_a_table_on_a_terminal_is_coloured_and_fits(terminal: Terminal) -> None:
    """Colours are there, and no line is wider than the terminal."""
    with redirect_stdout(terminal):
        print_table(COLUMNS, [("x" * 100, "failed", "7")], status_column=1)
    lines = terminal.getvalue().splitlines()

    assert "\x1b[1;31mfailed" in terminal.getvalue()
    assert sum(line.count("x") for line in lines) == 100, "the id is folded, not cut"


def test_no_color_is_respected(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    """With NO_COLOR there is a table, but no colour in it."""
    monkeypatch.setenv("NO_COLOR", "1")
    with redirect_stdout(terminal):
        print_table(COLUMNS, [("a", "failed", "7")], status_column=1)

    assert ("failed" in terminal.getvalue(), "31m" in terminal.getvalue()) == (True, False)


def test_a_plain_terminal_gets_no_codes(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the terminal knows no codes, none are sent."""
    monkeypatch.setenv("TERM", "dumb")
    with redirect_stdout(terminal):
        print_table(COLUMNS, [("a", "failed", "7")], status_column=1)

    assert ("failed" in terminal.getvalue(), "\x1b" in terminal.getvalue()) == (True, False)


def test_values_on_a_terminal_are_no_markup() -> None:
    """What looks like markup or a control sequence in a value is shown as it is."""
    stream = io.StringIO()
    show_table(Console(file=stream, width=80), COLUMNS, [("[red]a[/red] :smile:", "\x1b[2J", "7")])

    assert ("[red]a[/red] :smile:" in stream.getvalue(), "\\x1b[2J" in stream.getvalue()) == (True, True)


def test_fields_on_a_terminal_are_not_broken_into_lines(terminal: Terminal) -> None:
    """A long value stays one line, so that it can be copied."""
    with redirect_stdout(terminal):
        print_fields([("id", "x" * 200), ("status", "running")])

    assert "x" * 200 in terminal.getvalue()


@pytest.mark.parametrize(
    ("micros", "text"),
    [
        (0, "0ms"),
        (250, "0.25ms"),
        (99_300, "99.3ms"),
        (999_499, "999ms"),
        (1_100_000, "1.1s"),
        (59_900_000, "59.9s"),
        (61_000_000, "1m1s"),
        (3_660_000_000, "1h1m"),
        (90_000_000_000, "1d1h"),
    ],
)
def test_spans_are_short(micros: int, text: str) -> None:
    """A span is shown in the units that matter."""
    assert span_text(micros) == text


def test_shortened_text_says_that_it_is() -> None:
    """Where signs are left out there is an ellipsis, and a text that fits is whole."""
    assert (shorten("abcdef", 6), shorten("abcdefg", 6)) == ("abcdef", "abcde…")
