"""Texts that people give: reasons and summaries."""

from __future__ import annotations

from typing import Any

import pytest

from aion._core.ids import TEXT_CHARACTERS_MAX, check_text
from aion.errors import InvalidInput


@pytest.mark.parametrize("text", ["", "enough", "ünïcödé 🎉\n", "x" * TEXT_CHARACTERS_MAX])
def test_a_text_may_hold_anything_that_can_be_written(text: str) -> None:
    """Also nothing, line breaks, and exactly as much as is allowed."""
    assert check_text(text, "reason") is text


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (None, "reason must be a text of at most 1,000 characters, found NoneType"),
        (7, "found int"),
        ("x" * (TEXT_CHARACTERS_MAX + 1), "found 1,001 characters"),
        ("\ud800", "holds the lone surrogate"),
    ],
)
def test_what_is_no_text_is_refused(text: Any, says: str) -> None:
    """The message says what was expected and what was found."""
    with pytest.raises(InvalidInput, match=says):
        check_text(text, "reason")
