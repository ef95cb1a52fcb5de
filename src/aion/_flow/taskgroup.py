"""`TaskGroup`, fixed for ever: a change here changes how old histories replay.

It means what asyncio of Python 3.13 documents. Where that leaves an order open, ours is the order of creation: children
are cancelled in it, and their errors stand in it in the `ExceptionGroup`, with the block's own error last.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Coroutine, Generator
from types import TracebackType
from typing import Any, TypeVar

from aion._flow.cancellation import cancel_again, take_back

T = TypeVar("T")


class TaskGroup:
    """Tasks that all have ended when the `async with` block has; when one fails, the others are cancelled."""

    def __init__(self) -> None:
        self._parent: asyncio.Task[Any] | None = None
        self._cancels_before = 0
        self._made = 0
        # Child → its number. A dict, not a set, for its order.
        self._children: dict[asyncio.Task[Any], int] = {}
        self._errors: list[tuple[int, BaseException]] = []
        self._fatal: BaseException | None = None
        self._all_ended: asyncio.Future[None] | None = None
        self._entered = self._leaving = self._aborting = self._struck = False

    def create_task(
        self,
        coro: Generator[Any, None, T] | Coroutine[Any, Any, T],
        *,
        name: str | None = None,
        context: contextvars.Context | None = None,
    ) -> asyncio.Task[T]:
        """A new task of this group.

        Raises:
            RuntimeError: the group has not been entered, is shutting down or is over; `coro` is closed then.
        """
        if not self._entered:
            self._refuse(coro, "has not been entered: create tasks inside its `async with` block")
        if self._leaving and not self._children:
            self._refuse(coro, "is finished")
        if self._aborting:
            self._refuse(coro, "is shutting down, because the block was left by an exception or a task failed")
        task = asyncio.get_running_loop().create_task(coro, name=name, context=context)
        self._children[task] = self._made
        self._made += 1
        task.add_done_callback(self._on_end)
        return task

    async def __aenter__(self) -> TaskGroup:
        if self._entered:
            raise RuntimeError(f"TaskGroup {self!r} has already been entered: make a new one for each block")
        parent = asyncio.current_task()
        if parent is None:
            raise RuntimeError(f"TaskGroup {self!r} cannot determine the parent task: use it inside a task")
        self._parent = parent
        self._cancels_before = parent.cancelling()
        self._entered = True
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        parent = self._parent
        assert parent is not None, "a block is left that was not entered"
        self._leaving = True
        if error is not None:
            self._note_fatal(error)
            self._abort()
        cancelled = await self._wait_for_children(error if isinstance(error, asyncio.CancelledError) else None)
        if self._struck:
            await take_back(parent, self._cancels_before)
        errors = [failure for _, failure in sorted(self._errors, key=lambda pair: pair[0])]
        if error is not None and not isinstance(error, asyncio.CancelledError):
            errors.append(error)
        fatal = self._fatal
        # An exception refers to this frame, and this frame must not keep the exceptions alive in return.
        self._parent, self._fatal, self._errors, error = None, None, [], None
        try:
            if fatal is not None:
                raise fatal
            if not errors and cancelled is not None:
                raise cancelled
            if errors:
                if parent.cancelling() > self._cancels_before:
                    # Someone cancelled the parent meanwhile. The errors go first, the cancellation is not lost.
                    cancel_again(parent, cancelled)
                raise BaseExceptionGroup("unhandled errors in a TaskGroup", errors) from None
        finally:
            del fatal, errors, cancelled, parent

    def __repr__(self) -> str:
        state = [f"tasks={len(self._children)}"] if self._children else []
        state += [f"errors={len(self._errors)}"] if self._errors else []
        state += ["cancelling"] if self._aborting else ["entered"] if self._entered else []
        return " ".join(["<TaskGroup", *state]) + ">"

    async def _wait_for_children(self, cancelled: asyncio.CancelledError | None) -> asyncio.CancelledError | None:
        """Wait until every child has ended, whatever happens; returns the last cancellation that came from outside."""
        while self._children:
            self._all_ended = asyncio.get_running_loop().create_future()
            try:
                await self._all_ended
            except asyncio.CancelledError as error:
                cancelled = error
                if not self._aborting:
                    self._abort()
            finally:
                self._all_ended = None
        return cancelled

    def _on_end(self, task: asyncio.Task[Any]) -> None:
        number = self._children.pop(task)
        if not self._children and self._all_ended is not None and not self._all_ended.done():
            self._all_ended.set_result(None)
        failure = None if task.cancelled() else task.exception()
        if failure is None:
            return
        self._errors.append((number, failure))
        self._note_fatal(failure)
        parent = self._parent
        assert parent is not None, "a group was over while a task of it ran"
        if parent.done():
            task.get_loop().call_exception_handler(
                {"message": f"Task {task!r} failed after its TaskGroup was gone", "exception": failure, "task": task}
            )
        elif not self._aborting:
            self._abort()
            if not self._leaving:
                # The block is still running: wake it. This is undone when it has been left.
                self._struck = True
                parent.cancel()

    def _abort(self) -> None:
        self._aborting = True
        for task in list(self._children):
            if not task.done():
                task.cancel()

    def _note_fatal(self, error: BaseException) -> None:
        """`SystemExit` and `KeyboardInterrupt` leave the group as they are, not in a group of exceptions."""
        if self._fatal is None and isinstance(error, SystemExit | KeyboardInterrupt):
            self._fatal = error

    def _refuse(self, coro: Any, reason: str) -> None:
        coro.close()
        raise RuntimeError(f"TaskGroup {self!r} {reason}")
