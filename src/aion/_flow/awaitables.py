"""From what users pass, to futures in one order: the first step of every primitive that waits for several things."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Coroutine, Iterable, Set
from typing import Any, TypeGuard, TypeVar

from aion.errors import ForbiddenInWorkflow

T = TypeVar("T")


def as_future(awaitable: Awaitable[T], loop: asyncio.AbstractEventLoop) -> asyncio.Future[T]:
    """The future itself; for anything else that can be awaited, a new task.

    Raises:
        ValueError: the future belongs to another loop.
        TypeError: it cannot be awaited.
    """
    if asyncio.isfuture(awaitable):
        if awaitable.get_loop() is not loop:
            raise ValueError(
                f"{awaitable!r} belongs to another event loop: await in a workflow only what the workflow made"
            )
        return awaitable
    if is_coroutine(awaitable):
        return loop.create_task(awaitable)
    if inspect.isawaitable(awaitable):
        return loop.create_task(_awaited(awaitable))
    raise TypeError(f"expected a coroutine, a task, a future or another awaitable, found {type(awaitable).__name__}")


def is_coroutine(value: object) -> TypeGuard[Coroutine[Any, Any, Any]]:
    """Whether a value is a coroutine, or an object of the same methods.

    `asyncio.iscoroutine` is not asked: on Python 3.11 it says yes to generators as well.
    """
    return isinstance(value, Coroutine)


def in_one_order(awaitables: Iterable[T]) -> list[T]:
    """Each member once: of a set in order of creation, of anything else in its own order.

    Raises:
        ForbiddenInWorkflow: the members of a set say nothing about their order of creation.
    """
    members = list(dict.fromkeys(awaitables))
    # Sets of our own have an order; see `waiting.OrderedSet`.
    if len(members) < 2 or not isinstance(awaitables, Set) or hasattr(awaitables, "in_order"):
        return members
    # Tasks and futures of a workflow hash by creation. The hash of other objects is their place in memory.
    for member in members:
        if type(member).__hash__ is object.__hash__:
            raise ForbiddenInWorkflow(
                f"a set that holds {member!r} has another order on each replay: pass a list instead, "
                "or make tasks first with asyncio.create_task"
            )
    return sorted(members, key=hash)


async def _awaited(awaitable: Awaitable[Any]) -> Any:
    return await awaitable
