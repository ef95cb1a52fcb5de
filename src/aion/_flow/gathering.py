"""`gather` and `shield`, fixed for ever: a change here changes how old histories replay.

They mean what asyncio of Python 3.13 documents. Asyncio's own are not used, because what they return hashes by its
place in memory, and because `gather` of futures that are already done takes another number of steps on 3.11.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any, TypeVar

from aion._flow.awaitables import as_future

T = TypeVar("T")
Future = asyncio.Future[Any]


def gather(*coros_or_futures: Awaitable[Any], return_exceptions: bool = False) -> asyncio.Future[list[Any]]:
    """A future of all results, in the order of the arguments.

    The first error is passed on at once, and the others run on; with `return_exceptions` errors stand among the
    results. Cancelling the future cancels what still runs.
    """
    loop = asyncio.get_running_loop()
    # One task for an argument that is passed twice.
    futures = {id(argument): as_future(argument, loop) for argument in dict.fromkeys(coros_or_futures)}
    children = [futures[id(argument)] for argument in coros_or_futures]
    if not children:
        nothing: asyncio.Future[list[Any]] = loop.create_future()
        nothing.set_result([])
        return nothing
    for argument, child in zip(coros_or_futures, children, strict=True):
        if child is not argument and isinstance(child, asyncio.Task):
            # Only the gathered future may complain that it was never awaited.
            child._log_destroy_pending = False  # type: ignore[attr-defined]
    gathered = Gathered(children, list(futures.values()), return_exceptions, loop)
    for child in futures.values():
        child.add_done_callback(gathered.on_done)
    return gathered


class Gathered(asyncio.Future[list[Any]]):
    """The future that `gather` returns: it hashes by creation, and cancelling it cancels its children."""

    def __init__(
        self, children: list[Future], distinct: list[Future], keep_errors: bool, loop: asyncio.AbstractEventLoop
    ) -> None:
        super().__init__(loop=loop)
        self._creation = hash(loop.create_future())
        self._children = children
        self._distinct = distinct
        self._left = len(distinct)
        self._keep_errors = keep_errors
        self._errors: dict[Future, BaseException | None] = {}
        self._cancel_asked = False

    def __hash__(self) -> int:
        return self._creation

    def cancel(self, msg: Any | None = None) -> bool:
        """Cancel every child that still runs; this future ends when they have."""
        if self.done():
            return False
        asked = [child.cancel(msg=msg) for child in self._distinct]
        if any(asked):
            # A child may swallow it. The gathered future is cancelled all the same.
            self._cancel_asked = True
        return any(asked)

    def on_done(self, child: Future) -> None:
        """Take note of a child that ended."""
        self._left -= 1
        # Asked once only: a cancelled future forgets its message when it has told it.
        error = self._errors[child] = _error_of(child)
        if self.done():
            return
        if error is not None and not self._keep_errors:
            self.set_exception(error)
        elif not self._left and self._cancel_asked:
            self.set_exception(error if isinstance(error, asyncio.CancelledError) else asyncio.CancelledError())
        elif not self._left:
            results = [(child, self._errors[child]) for child in self._children]
            self.set_result([child.result() if error is None else error for child, error in results])


def shield(arg: Awaitable[T]) -> asyncio.Future[T]:
    """A future of the result of `arg` whose cancellation does not reach `arg`."""
    loop = asyncio.get_running_loop()
    inner = as_future(arg, loop)
    if inner.done():
        return inner
    outer: asyncio.Future[T] = loop.create_future()

    def pass_on(_: asyncio.Future[T]) -> None:
        error = _error_of(inner)
        if outer.done():
            return
        if isinstance(error, asyncio.CancelledError):
            outer.cancel(*error.args[:1])
        elif error is not None:
            outer.set_exception(error)
        else:
            outer.set_result(inner.result())

    def let_go(_: asyncio.Future[T]) -> None:
        if not inner.done():
            inner.remove_done_callback(pass_on)

    inner.add_done_callback(pass_on)
    outer.add_done_callback(let_go)
    return outer


def _error_of(future: Future) -> BaseException | None:
    """Why a done future has no result; asking keeps it from complaining that nobody did."""
    try:
        return future.exception()
    except asyncio.CancelledError as error:
        return error
