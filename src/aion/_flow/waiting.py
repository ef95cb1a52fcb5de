"""`wait` and `as_completed`, fixed for ever: a change here changes how old histories replay.

They mean what asyncio of Python 3.13 documents. Where that leaves an order open, ours is the order of the arguments, or
of creation where a set was passed.
"""

from __future__ import annotations

import asyncio
import inspect
from collections import deque
from collections.abc import Awaitable, Coroutine, Iterable, Iterator
from typing import Any, TypeVar

from aion._flow.awaitables import as_future, in_one_order, is_coroutine

T = TypeVar("T")
Future = asyncio.Future[Any]

_CONDITIONS = (asyncio.FIRST_COMPLETED, asyncio.FIRST_EXCEPTION, asyncio.ALL_COMPLETED)


class OrderedSet(set[T]):
    """A set that iterates in the order it was filled in; what is added later comes last, in order of creation.

    So does what is computed from it with `|`, `&`, `-`, `^`: first what was in it, then what the other adds.
    """

    def __init__(self, members: Iterable[T] = ()) -> None:
        self._first = dict.fromkeys(members)
        super().__init__(self._first)

    def in_order(self) -> list[T]:
        """The members, first to last."""
        members = [member for member in self._first if member in self]
        if len(members) < len(self):
            members += sorted((member for member in super().__iter__() if member not in self._first), key=hash)
        return members

    def pop(self) -> T:
        """Remove and return the first member."""
        for member in self.in_order()[:1]:
            self.remove(member)
            return member
        raise KeyError("pop from an empty set")

    def copy(self) -> OrderedSet[T]:
        """A set with the same members in the same order."""
        return OrderedSet(self)

    def __iter__(self) -> Iterator[T]:
        return iter(self.in_order())

    def __repr__(self) -> str:
        return "{" + ", ".join(map(repr, self.in_order())) + "}" if self else "set()"

    def __or__(self, other: Any) -> Any:
        return _in_order(super().__or__(other), self, other)

    def __and__(self, other: Any) -> Any:
        return _in_order(super().__and__(other), self)

    def __sub__(self, other: Any) -> Any:
        return _in_order(super().__sub__(other), self)

    def __xor__(self, other: Any) -> Any:
        return _in_order(super().__xor__(other), self, other)

    def __ror__(self, other: Any) -> Any:
        return _in_order(super().__ror__(other), other, self)  # type: ignore[misc]

    def __rsub__(self, other: Any) -> Any:
        return _in_order(super().__rsub__(other), other)  # type: ignore[misc]

    __rand__, __rxor__ = __and__, __xor__


def _in_order(result: Any, *sources: Iterable[Any]) -> Any:
    """What a set operation gave, in the order of what it was computed from."""
    if result is NotImplemented:
        return result
    listed = (source if isinstance(source, OrderedSet) else sorted(source, key=hash) for source in sources)
    return OrderedSet(member for members in listed for member in members if member in result)


async def wait(
    fs: Iterable[asyncio.Future[T]], *, timeout: float | None = None, return_when: str = asyncio.ALL_COMPLETED
) -> tuple[set[asyncio.Future[T]], set[asyncio.Future[T]]]:
    """The futures that are done and those that are pending, once enough are done or `timeout` seconds have passed.

    Nothing is cancelled, and a timeout raises nothing.
    """
    if asyncio.isfuture(fs) or is_coroutine(fs):
        raise TypeError(f"expect a list of futures, not {type(fs).__name__}")
    if not fs:
        raise ValueError("Set of Tasks/Futures is empty.")
    if return_when not in _CONDITIONS:
        raise ValueError(f"Invalid return_when value: {return_when}: expected one of {', '.join(_CONDITIONS)}")
    futures = in_one_order(fs)
    if any(is_coroutine(future) for future in futures):
        raise TypeError("Passing coroutines is forbidden, use tasks explicitly.")
    if futures:
        await _wait(futures, timeout, return_when)
    done = OrderedSet(future for future in futures if future.done())
    return done, OrderedSet(future for future in futures if not future.done())


async def _wait(futures: list[Any], timeout: float | None, return_when: str) -> None:
    loop = asyncio.get_running_loop()
    waiter = loop.create_future()
    left = len(futures)

    def wake() -> None:
        if not waiter.done():
            waiter.set_result(None)

    def on_done(future: Future) -> None:
        nonlocal left
        left -= 1
        failed = not future.cancelled() and future.exception() is not None
        if not left or return_when == asyncio.FIRST_COMPLETED or (failed and return_when == asyncio.FIRST_EXCEPTION):
            wake()

    deadline = None if timeout is None else loop.call_later(timeout, wake)
    for future in futures:
        future.add_done_callback(on_done)
    try:
        await waiter
    finally:
        if deadline is not None:
            deadline.cancel()
        for future in futures:
            future.remove_done_callback(on_done)


def as_completed(fs: Iterable[Awaitable[T]], *, timeout: float | None = None) -> AsCompleted[T]:
    """The results in the order in which they come.

    `for` gives coroutines that return the next result each; `async for` gives the finished futures themselves, and
    the tasks that were made for what was not a future. Past `timeout` seconds, what waits raises `TimeoutError`.
    """
    if inspect.isawaitable(fs):
        raise TypeError(f"expects an iterable of awaitables, not {type(fs).__name__}")
    return AsCompleted(fs, timeout)


class AsCompleted(Iterator[Coroutine[Any, Any, T]]):
    """What `as_completed` returns: a plain and an asynchronous iterator, over the same results."""

    def __init__(self, fs: Iterable[Awaitable[T]], timeout: float | None) -> None:
        loop = asyncio.get_running_loop()
        self._loop = loop
        # A dict, not a set, for its order.
        self._running = dict.fromkeys(as_future(awaitable, loop) for awaitable in in_one_order(fs))
        self._to_give = len(self._running)
        # The futures that finished, None for each that did not in time; and who waits for one.
        self._finished: deque[asyncio.Future[T] | None] = deque()
        self._waiters: deque[asyncio.Future[None]] = deque()
        for future in self._running:
            future.add_done_callback(self._on_done)
        self._deadline: asyncio.Handle | None = None
        if self._running and timeout is not None:
            self._deadline = loop.call_later(timeout, self._give_up)

    def __iter__(self) -> AsCompleted[T]:
        return self

    def __next__(self) -> Coroutine[Any, Any, T]:
        if not self._to_give:
            raise StopIteration
        self._to_give -= 1
        return self._result_of_next()

    def __aiter__(self) -> AsCompleted[T]:
        return self

    async def __anext__(self) -> asyncio.Future[T]:
        if not self._to_give:
            raise StopAsyncIteration
        self._to_give -= 1
        return await self._next()

    async def _result_of_next(self) -> T:
        return (await self._next()).result()

    async def _next(self) -> asyncio.Future[T]:
        while not self._finished:
            waiter: asyncio.Future[None] = self._loop.create_future()
            self._waiters.append(waiter)
            try:
                await waiter
            except BaseException:
                if waiter in self._waiters:
                    self._waiters.remove(waiter)
                elif self._finished and not waiter.cancelled():
                    # It was woken for a result that it will not take: the next in line does.
                    self._wake_one()
                raise
        future = self._finished.popleft()
        if future is None:
            raise TimeoutError
        return future

    def _on_done(self, future: asyncio.Future[T]) -> None:
        if future not in self._running:
            return
        del self._running[future]
        self._finished.append(future)
        self._wake_one()
        if not self._running and self._deadline is not None:
            self._deadline.cancel()

    def _give_up(self) -> None:
        late, self._running = self._running, {}
        for future in late:
            future.remove_done_callback(self._on_done)
            self._finished.append(None)
            self._wake_one()

    def _wake_one(self) -> None:
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return
