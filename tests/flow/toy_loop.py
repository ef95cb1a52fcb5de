"""A small deterministic loop to test primitives and guards on: FIFO, virtual time, nothing recorded.

When nothing is ready, its clock jumps to the next timer. A program that waits for ever is an error.
"""

# ruff: noqa: D102 - most methods are asyncio's, which says what they mean

from __future__ import annotations

import asyncio
import heapq
import random
from asyncio import events
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class ToyFuture(asyncio.Future[Any]):
    """A future that hashes by creation."""

    def __init__(self, *, loop: ToyLoop) -> None:
        self.index = loop.next_index()
        super().__init__(loop=loop)

    def __hash__(self) -> int:
        return self.index


class ToyTask(asyncio.Task[Any]):
    """A task that hashes by creation."""

    def __init__(self, coro: Any, *, loop: ToyLoop, name: str | None, context: Any) -> None:
        self.index = loop.next_index()
        super().__init__(coro, loop=loop, name=name or f"task-{self.index}", context=context)

    def __hash__(self) -> int:
        return self.index


class ToyLoop(asyncio.AbstractEventLoop):
    """Runs one program from start to end, as the loop of a run would; `steps` counts the callbacks it ran."""

    is_aion_workflow = True

    def __init__(self, *, guarded: bool = True, seed: int = 0) -> None:
        self.guarded = guarded
        self.steps = 0
        self.errors: list[dict[str, Any]] = []
        self._now = 0.0
        self._created = 0
        self._random = random.Random(seed)
        self._ready: deque[asyncio.Handle] = deque()
        self._timers: list[tuple[float, int, asyncio.TimerHandle]] = []

    def run(self, main: Coroutine[Any, Any, T]) -> T:
        """The result of `main`; tasks that are left are dropped."""
        events._set_running_loop(self)
        try:
            task = self.create_task(main)
            while not task.done():
                self._step()
            return task.result()
        finally:
            events._set_running_loop(None)

    def _step(self) -> None:
        while not self._ready:
            assert self._timers, "the program waits for something that never comes"
            when, _, timer = heapq.heappop(self._timers)
            if not timer.cancelled():
                self._now = max(self._now, when)
                self._ready.append(timer)
        handle = self._ready.popleft()
        if not handle.cancelled():
            self.steps += 1
            handle._run()

    def next_index(self) -> int:
        """A number for the next task, future or timer."""
        self._created += 1
        return self._created

    def time(self) -> float:
        return self._now

    def workflow_time(self) -> float:
        """The time of the step, in seconds since the epoch."""
        return 1_700_000_000.0 + self._now

    def workflow_random(self) -> random.Random:
        """The run's own generator."""
        return self._random

    def call_soon(self, callback: Callable[..., object], *args: Any, context: Any = None) -> asyncio.Handle:  # type: ignore[override]
        handle = asyncio.Handle(callback, args, self, context)
        self._ready.append(handle)
        return handle

    def call_at(  # type: ignore[override]
        self, when: float, callback: Callable[..., object], *args: Any, context: Any = None
    ) -> asyncio.TimerHandle:
        timer = asyncio.TimerHandle(when, callback, args, self, context)
        heapq.heappush(self._timers, (when, self.next_index(), timer))
        return timer

    def call_later(  # type: ignore[override]
        self, delay: float, callback: Callable[..., object], *args: Any, context: Any = None
    ) -> asyncio.TimerHandle:
        return self.call_at(self._now + delay, callback, *args, context=context)

    def create_future(self) -> asyncio.Future[Any]:
        return ToyFuture(loop=self)

    def create_task(self, coro: Any, *, name: str | None = None, context: Any = None) -> asyncio.Task[Any]:  # type: ignore[override]
        return ToyTask(coro, loop=self, name=name, context=context)

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        self.errors.append(context)

    def get_debug(self) -> bool:
        return False

    def is_running(self) -> bool:
        return events._get_running_loop() is self

    def is_closed(self) -> bool:
        return False

    def get_task_factory(self) -> None:
        return None

    def _timer_handle_cancelled(self, timer: asyncio.TimerHandle) -> None:
        """Cancelled timers are skipped when they come up."""


def run(main: Coroutine[Any, Any, T]) -> T:
    """The result of `main` on a loop of its own, guards off."""
    return ToyLoop(guarded=False).run(main)


def in_callback(function: Callable[[], object]) -> BaseException | None:
    """What a function raises when it is called by the loop, outside any task."""

    async def main() -> None:
        asyncio.get_running_loop().call_soon(function)
        await asyncio.sleep(0)

    loop = ToyLoop(guarded=False)
    loop.run(main())
    return loop.errors[0]["exception"] if loop.errors else None


def inside(function: Callable[[], Any], *, guarded: bool = True) -> Any:
    """What a function gives in a workflow."""

    async def main() -> Any:
        return function()

    return ToyLoop(guarded=guarded).run(main())


def me() -> asyncio.Task[object]:
    """The running task."""
    task = asyncio.current_task()
    assert task is not None
    return task


def now() -> float:
    """The time of the loop."""
    return asyncio.get_running_loop().time()
