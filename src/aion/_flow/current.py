"""The loop of the run whose code is executing in this thread."""

from __future__ import annotations

from asyncio import _get_running_loop

from aion._flow.loop import WorkflowLoop
from aion.errors import InvalidState


def current_loop(what: str) -> WorkflowLoop:
    """The running workflow's loop.

    Raises:
        InvalidState: this is not workflow code.
    """
    loop = _get_running_loop()
    if type(loop) is not WorkflowLoop:
        raise InvalidState(f"{what} works inside workflow code only; here, use the engine or a workflow handle")
    return loop
