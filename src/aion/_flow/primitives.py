"""The primitives of asyncio that workflows get from us, fixed for ever, under asyncio's own names.

Read in this order: `cancellation` (taking a cancel request back), `awaitables` (arguments to futures in one order),
`timeouts`, `taskgroup`, `waiting`, `gathering`, `locks`. `dispatch` puts them in the place of asyncio's own wherever a
workflow runs.
"""

from __future__ import annotations

from aion._flow.gathering import gather, shield
from aion._flow.locks import condition_wait, semaphore_acquire
from aion._flow.taskgroup import TaskGroup
from aion._flow.timeouts import Timeout, timeout, timeout_at, wait_for
from aion._flow.waiting import as_completed, wait

__all__ = [
    "TaskGroup",
    "Timeout",
    "as_completed",
    "condition_wait",
    "gather",
    "semaphore_acquire",
    "shield",
    "timeout",
    "timeout_at",
    "wait",
    "wait_for",
]
