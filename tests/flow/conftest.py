"""What holds for the tests of workflow code: no code of a run outlives its test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.flow.story import OPEN


@pytest.fixture(autouse=True)
def _closing_stories() -> Iterator[None]:
    """Close every story that a test left open, so that the collector finds nothing to complain of."""
    yield
    for story in list(OPEN):
        story.close()
    OPEN.clear()
