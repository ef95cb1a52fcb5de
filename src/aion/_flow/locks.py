"""`Condition.wait` and `Semaphore.acquire`, fixed for ever: a change here changes how old histories replay.

They mean what asyncio of Python 3.13 documents. Before, a task that was notified and cancelled in one step took the
notification with it (Condition, and Barrier, which is built on it), and a semaphore with free places woke one task
where it could wake several. The rest of asyncio's locks and queues takes the same steps in every version and is left
alone; these two are bodies for the standard objects, and work on what those keep.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any


async def condition_wait(condition: Any) -> bool:
    """Give the lock up, wait to be notified, and take the lock back, also when the waiting ends in an exception.

    Raises:
        RuntimeError: the lock is not held.
    """
    if not condition.locked():
        raise RuntimeError("cannot wait on un-acquired lock")
    waiter = condition._get_loop().create_future()
    condition.release()
    try:
        try:
            condition._waiters.append(waiter)
            try:
                await waiter
            finally:
                condition._waiters.remove(waiter)
        finally:
            await _take_lock_back(condition)
    except BaseException:
        # It may have been notified and will not act on it, so somebody else shall: who waits must expect to be
        # woken without a reason.
        _wake_one(condition._waiters, False)
        raise
    return True


async def semaphore_acquire(semaphore: Any) -> bool:
    """Take one of the semaphore's places, when it is this task's turn."""
    if not semaphore.locked():
        semaphore._value -= 1
        return True
    if semaphore._waiters is None:
        semaphore._waiters = deque()
    waiter = semaphore._get_loop().create_future()
    semaphore._waiters.append(waiter)
    try:
        try:
            await waiter
        finally:
            semaphore._waiters.remove(waiter)
    except asyncio.CancelledError:
        if waiter.done() and not waiter.cancelled():
            # It was given a place, and does not take it.
            semaphore._value += 1
        raise
    finally:
        # Places may have come free while others had to wait behind this task.
        while semaphore._value > 0 and _wake_one(semaphore._waiters, True):
            semaphore._value -= 1
    return True


async def _take_lock_back(condition: Any) -> None:
    """Acquire the lock however often this task is cancelled meanwhile, and be cancelled then."""
    cancelled: asyncio.CancelledError | None = None
    while True:
        try:
            await condition.acquire()
            break
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        raise cancelled


def _wake_one(waiters: deque[asyncio.Future[bool]], result: bool) -> bool:
    """Wake the first that is not awake; whether there was one."""
    for waiter in waiters:
        if not waiter.done():
            waiter.set_result(result)
            return True
    return False
