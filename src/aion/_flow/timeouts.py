"""`timeout`, `timeout_at` and `wait_for`, fixed for ever: a change here changes how old histories replay.

They mean what asyncio of Python 3.13 documents. A deadline is a timer of the running loop, hence durable; one that is
not in the future arms none.
"""

from __future__ import annotations

import asyncio
import enum
from collections.abc import Awaitable
from types import TracebackType
from typing import Any, TypeVar

from aion._flow.awaitables import as_future
from aion._flow.cancellation import take_back

T = TypeVar("T")


def timeout(delay: float | None) -> Timeout:
    """An `async with` block that raises `TimeoutError` when it takes longer than `delay` seconds; None: no limit."""
    return Timeout(None if delay is None else asyncio.get_running_loop().time() + delay)


def timeout_at(when: float | None) -> Timeout:
    """Like `timeout`, with the deadline as a time of the loop's clock."""
    return Timeout(when)


async def wait_for(fut: Awaitable[T], timeout: float | None) -> T:
    """The result of `fut`, awaited in this very task; past `timeout` seconds it is cancelled.

    Raises:
        TimeoutError: it took longer, and its cancellation has ended.
    """
    loop = asyncio.get_running_loop()
    if timeout is None or not timeout <= 0:
        async with Timeout(None if timeout is None else loop.time() + timeout):
            return await fut
    inner: asyncio.Future[T] = as_future(fut, loop)
    if inner.done():
        return inner.result()
    await _cancel_and_wait(inner)
    try:
        return inner.result()
    except asyncio.CancelledError as error:
        raise TimeoutError from error


class _State(enum.Enum):
    CREATED = "created"
    ENTERED = "active"
    EXPIRING = "expiring"
    EXPIRED = "expired"
    EXITED = "finished"


class Timeout:
    """A deadline around a block of code; `timeout` and `timeout_at` make them."""

    def __init__(self, when: float | None) -> None:
        self._when = when
        self._state = _State.CREATED
        self._task: asyncio.Task[Any] | None = None
        self._cancels_before = 0
        self._handle: asyncio.Handle | None = None

    def when(self) -> float | None:
        """The deadline on the loop's clock; None if there is none."""
        return self._when

    def reschedule(self, when: float | None) -> None:
        """Move the deadline, or with None take it away.

        Raises:
            RuntimeError: the block has not been entered, or is over.
        """
        if self._state is not _State.ENTERED:
            if self._state is _State.CREATED:
                raise RuntimeError("Timeout has not been entered: reschedule it inside its `async with` block")
            raise RuntimeError(f"Cannot change state of {self._state.value} Timeout")
        self._when = when
        self._disarm()
        if when is None:
            return
        loop = asyncio.get_running_loop()
        if when <= loop.time():
            self._handle = loop.call_soon(self._strike)
        else:
            self._handle = loop.call_at(when, self._strike)

    def expired(self) -> bool:
        """Whether the deadline passed while the block ran."""
        return self._state in (_State.EXPIRING, _State.EXPIRED)

    async def __aenter__(self) -> Timeout:
        if self._state is not _State.CREATED:
            raise RuntimeError("Timeout has already been entered: make a new one for each block")
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("Timeout should be used inside a task")
        self._state = _State.ENTERED
        self._task = task
        self._cancels_before = task.cancelling()
        self.reschedule(self._when)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._disarm()
        task, self._task = self._task, None
        if self._state is _State.ENTERED:
            self._state = _State.EXITED
        if self._state is not _State.EXPIRING or task is None:
            return
        self._state = _State.EXPIRED
        ours_alone = await take_back(task, self._cancels_before)
        if ours_alone and isinstance(error, asyncio.CancelledError):
            raise TimeoutError from error
        if ours_alone and error is not None:
            _explain(error)
            for part in error.exceptions if isinstance(error, ExceptionGroup) else ():
                _explain(part)

    def __repr__(self) -> str:
        when = f" when={self._when}" if self._state is _State.ENTERED else ""
        return f"<Timeout [{self._state.value}]{when}>"

    def _strike(self) -> None:
        self._handle = None
        self._state = _State.EXPIRING
        assert self._task is not None, "a timer outlived the block it belongs to"
        self._task.cancel()

    def _disarm(self) -> None:
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None


def _explain(error: BaseException) -> None:
    """Where an error came of the cancellation that a deadline caused, say in its chain that a deadline did."""
    while (context := error.__context__) is not None:
        if isinstance(context, asyncio.CancelledError):
            late = TimeoutError()
            late.__context__ = late.__cause__ = context
            error.__context__ = late
            return
        error = context


async def _cancel_and_wait(inner: asyncio.Future[Any]) -> None:
    waiter = asyncio.get_running_loop().create_future()

    def wake(_: asyncio.Future[Any]) -> None:
        if not waiter.done():
            waiter.set_result(None)

    inner.add_done_callback(wake)
    try:
        inner.cancel()
        await waiter
    finally:
        inner.remove_done_callback(wake)
