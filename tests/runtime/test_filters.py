"""Filters of lists: what they mean, and where one that cannot be read goes wrong."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aion._core.transitions import CLOSED_STATUSES, OPEN_STATUSES
from aion._runtime.filters import parse_filter
from aion.errors import InvalidFilter
from aion.stores.base import RunFilter


@pytest.mark.parametrize(
    ("text", "statuses", "types"),
    [
        ("", (), ()),
        ("   ", (), ()),
        ('status = "running"', ("running",), ()),
        ('  status="running"  ', ("running",), ()),
        ('type = "fulfil"', (), ("fulfil",)),
        ('status = "running" and type = "fulfil"', ("running",), ("fulfil",)),
        ('type = "a" AND status IN ("failed", "blocked")', ("failed", "blocked"), ("a",)),
        ('type in ("a","b" , "c")', (), ("a", "b", "c")),
        ('type = "a \\"quoted\\" \\\\ name"', (), ('a "quoted" \\ name',)),
        ('type in ("a", "b") and type in ("b", "c")', (), ("b",)),
        ('type = "a" and type = "b"', (), ("",)),
    ],
)
def test_a_filter_means_what_it_says(text: str, statuses: tuple[str, ...], types: tuple[str, ...]) -> None:
    """Fields, values, lists, and conditions joined by `and`."""
    assert parse_filter(text, "default") == RunFilter("default", statuses, types)


@pytest.mark.parametrize(
    ("text", "position", "says"),
    [
        ("nonsense", 0, "expected 'status' or 'type', found 'nonsense'"),
        ('stat = "running"', 0, "found 'stat'"),
        ('"running" = status', 0, "expected 'status' or 'type'"),
        ("status", 6, "expected '=' or 'in' after 'status', found 'the end'"),
        ('status > "running"', 7, "cannot read"),
        ("status = running", 9, "expected a value in double quotes"),
        ("status =", 8, "found 'the end'"),
        ('status = "gone"', 9, "there is no status 'gone'; there are: running"),
        ('status in "running"', 10, r"expected '\(' after 'in'"),
        ('status in ("running"', 20, r"expected ',' or '\)' in the list"),
        ("status in ()", 11, "expected a value in double quotes"),
        ('status in ("running",)', 21, "expected a value in double quotes"),
        ('status = "running" type = "a"', 19, "expected 'and' or the end, found 'type'"),
        ('status = "running" or type = "a"', 19, "found 'or'"),
        ('status = "running" and', 22, "a condition is missing after 'and'"),
        ('type = "open', 7, "cannot read"),
        ("type = 'single'", 7, "cannot read"),
        ('type = "a" ; drop', 11, "cannot read"),
    ],
)
def test_a_bad_filter_points_at_the_character(text: str, position: int, says: str) -> None:
    """With what was expected and what was found there."""
    with pytest.raises(InvalidFilter, match=says) as caught:
        parse_filter(text, "default")

    assert caught.value.position == position
    assert f"(at character {position})" in str(caught.value)


def test_every_status_can_be_asked_for() -> None:
    """Those of open runs and those of closed ones."""
    for status in (*OPEN_STATUSES, *CLOSED_STATUSES):
        assert parse_filter(f'status = "{status}"', "n").statuses == (status,)


@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    """Nothing else is raised, and the position lies within the text."""
    try:
        parse_filter(text, "default")
    except InvalidFilter as error:
        assert 0 <= error.position <= len(text)


@given(st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1))
def test_any_type_can_be_asked_for(name: str) -> None:
    """Quotes and backslashes are escaped by a backslash."""
    escaped = name.replace("\\", "\\\\").replace('"', '\\"')
    try:
        found = parse_filter(f'type = "{escaped}"', "default").types
    except InvalidFilter:
        # A line break is no part of a value; ids and names have none either.
        assert "\n" in name
        return

    assert found == (name,)
