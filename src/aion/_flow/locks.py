"""`Condition.wait` and `Semaphore.acquire`, fixed for ever: a change here changes how old histories replay.

They mean what asyncio of Python 3.13 documents. Before 3.13, who was woken and cancelled in one step lost the wake-up for
everybody (Condition, and Barrier, which is built on it), or passed it on too sparingly (Semaphore). The rest of asyncio's
locks and queues takes the same steps in every version, and is left alone; these work on the standard objects.
"""

from __future__ import annotations

import asyncio
from typing import Any


async def wait(condition: Any) -> bool:
    """Give the lock up, wait to be notified, and take the lock back: also when the waiting ends in an exception.

    Raises:
        RuntimeError: the lock is not held.
    """
    if not condition.locked():
        raise RuntimeError("cannot wait on un-acquired lock")
    waiter = asyncio.get_running_loop().create_future()
    condition.release()
    try:
        condition._waiters.append(waiter)
        try:
            await waiter
        finally:
            condition._waiters.remove(waiter)
            await _take_back_lock(condition)
    except BaseException:
        # It may have been notified, and will not act on it: somebody else shall.
        condition.notify(1) if condition.locked() else None
        raise
    return True


async def acquire(semaphore: Any) -> bool:
    """Take one of the semaphore's places, in turn."""
    if not semaphore.locked():
        semaphore._value -= 1
        return True
    if semaphore._waiters is None:
        semaphore._waiters = type(semaphore)._aion_queue()
    return True


async def _take_back_lock(condition: Any) -> None:
    cancelled: asyncio.CancelledError | None = None
    while True:
        try:
            await condition.acquire()
            break
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        raise cancelled
