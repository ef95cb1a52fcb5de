"""Journals keep what was appended, in order."""

from __future__ import annotations

from pathlib import Path

from aion.testing.crash.journal import Journal, read_journal


def test_what_is_appended_is_read_back(tmp_path: Path) -> None:
    """By several writers to the same file."""
    Journal(tmp_path / "log").append({"number": 1})
    Journal(tmp_path / "log").append({"text": "a\nb"})

    assert read_journal(tmp_path / "log") == [{"number": 1}, {"text": "a\nb"}]


def test_a_journal_that_nobody_wrote_is_empty(tmp_path: Path) -> None:
    """A process that is killed early leaves none."""
    assert read_journal(tmp_path / "log") == []
