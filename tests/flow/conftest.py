"""What holds for the tests of workflow code: no code of a run outlives its test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.flow.run_loop import MADE
from tests.flow.story import OPEN


@pytest.fixture(autouse=True)
def _closing_runs() -> Iterator[None]:
    """Close every story and loop that a test left open, so that the collector finds nothing to complain of."""
    yield
    for story in list(OPEN):
        story.close()
    OPEN.clear()
    for loop in MADE:
        loop.close()
    MADE.clear()
