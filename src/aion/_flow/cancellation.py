"""Taking back a cancel request, alike on every Python.

A primitive that cancels its own task (a deadline, a task group) must undo that before code behind it runs on. What
`Task.uncancel` does to a request that the task has not felt yet differs: up to Python 3.12 it still strikes at the next
await, from 3.13 on it is gone when the count reaches zero. Here it is gone, always, and in the same number of steps.
"""

from __future__ import annotations

import asyncio
from typing import Any


async def take_back(task: asyncio.Task[Any], before: int) -> bool:
    """Withdraw the one cancel request that the caller made of its own task, felt or not.

    `before` is how many requests there were when the caller began. Returns whether no others came since; if
    one did, it is left to strike.
    """
    unfelt: bool = task._must_cancel  # type: ignore[attr-defined]
    left = task.uncancel()
    if left > before:
        return False
    if unfelt:
        try:
            await asyncio.sleep(0)
        except asyncio.CancelledError as error:
            if task.cancelling() > left:
                # Not ours: it came during this one step. It strikes at the next await instead.
                cancel_again(task, error)
    return True


def cancel_again(task: asyncio.Task[Any], error: asyncio.CancelledError | None) -> None:
    """Let a request that was felt, but not yet obeyed, strike once more at the next await; its count stays."""
    task.uncancel()
    task.cancel(*(error.args[:1] if error is not None else ()))
