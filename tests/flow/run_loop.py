"""The loop of one run by itself: made at the start of a run, without a world around it, and closed after the test."""

from __future__ import annotations

from asyncio import events as asyncio_events
from collections.abc import Iterator
from contextlib import contextmanager

from aion._flow.loop import WorkflowLoop
from tests.flow.story import START

MADE: list[WorkflowLoop] = []
"""The loops that a test made; `conftest` closes them when it is over."""


class NoWorld:
    """A world that compares no inputs."""

    history_length = 9

    def same_input(self, recorded: object, attempted: object) -> bool:
        """No two are alike."""
        return False


def make_loop() -> WorkflowLoop:
    """A loop at the start of a run."""
    loop = WorkflowLoop(START)
    loop.world = NoWorld()
    MADE.append(loop)
    return loop


@contextmanager
def running(loop: WorkflowLoop) -> Iterator[WorkflowLoop]:
    """Make it the running loop of this thread."""
    before = asyncio_events._get_running_loop()
    asyncio_events._set_running_loop(loop)
    try:
        yield loop
    finally:
        asyncio_events._set_running_loop(before)
