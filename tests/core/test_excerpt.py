"""Excerpts: any value is shown short and without harm."""

from __future__ import annotations

import pytest

from aion._core.excerpt import excerpt


class Broken:
    """A value that cannot be shown."""

    def __repr__(self) -> str:
        raise RuntimeError


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (17, "17"),
        ("a\nb", "'a\\nb'"),
        pytest.param(10**5000, "an integer of 16,610 bits", id="huge"),
        (Broken(), "an object of type Broken"),
        ("x" * 1000, "'" + "x" * 80 + "'... (1,000 long)"),
        ([0] * 1000, "[" + "0, " * 26 + "0..."),
    ],
)
def test_a_value_is_shown_short_and_on_one_line(value: object, text: str) -> None:
    """Long, huge and broken values give a short text all the same."""
    assert excerpt(value) == text
