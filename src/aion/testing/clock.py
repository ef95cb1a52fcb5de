"""A clock that stands still until nothing else can happen, and then jumps to the next timer."""

from __future__ import annotations

import asyncio
import queue
from collections.abc import Callable
from typing import Any

from aion._runtime.requests import Wake

# 2030-01-01, so that virtual times are told from real ones at a glance.
START = 1_893_456_000_000_000


class VirtualClock:
    """Time for tests. It moves only by `advance`, and by itself while a result is awaited and nothing can run.

    Before it jumps it lets the event loop run whatever is ready there, so that a request that is about to be
    made is not overtaken.
    """

    def __init__(self, start: int = START) -> None:
        self._now = start
        self._elapsed = 0.0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._targets: list[tuple[int, asyncio.Future[None]]] = []
        self._quiet = False
        self._echo: Wake | None = None
        self.frozen = False

    def attach(self, loop: asyncio.AbstractEventLoop) -> None:
        """The loop on which tests run."""
        self._loop = loop

    def now(self) -> int:
        """The virtual wall time."""
        return self._now

    def monotonic(self) -> float:
        """The virtual seconds that went by."""
        return self._elapsed

    def set(self, now: int) -> None:
        """Move wall time alone, as an operator who changes a machine's clock does."""
        self._now = now

    def wait(
        self,
        inbox: queue.SimpleQueue[Any],
        timeout: float,
        next_due: Callable[[], int | None] | None,
        awaited: Callable[[], bool],
    ) -> Any | None:
        """As the port says; jumps when nothing else can happen."""
        try:
            request = inbox.get_nowait()
        except queue.Empty:
            pass
        else:
            return self._seen(request)
        if timeout <= 0.0:
            return None
        if next_due is not None and (self._targets or (not self.frozen and awaited())):
            if not self._quiet:
                self._ask_the_loop(inbox)
            elif self._jump(next_due()):
                self._quiet = False
                return None
        return self._seen(inbox.get())

    def target(self, micros: int, reached: asyncio.Future[None]) -> None:
        """Go to a time, timer by timer, and say when it is reached."""
        self._targets.append((micros, reached))
        self._targets.sort(key=lambda entry: entry[0])

    def _seen(self, request: Any) -> Any:
        # The loop's own echo means that nothing happened since it was asked; anything else begins anew.
        if request is self._echo:
            self._echo = None
            self._quiet = True
            return None
        self._quiet = False
        return request

    def _ask_the_loop(self, inbox: queue.SimpleQueue[Any]) -> None:
        loop = self._loop
        if loop is None:
            return
        # Each question has an echo of its own: one that something overtook says nothing any more.
        self._echo = Wake()
        # Several rounds, because one wake-up leads to the next before a request is made.
        loop.call_soon_threadsafe(_echo_after, loop, 10, inbox, self._echo)

    def _jump(self, due: int | None) -> bool:
        if self._targets:
            micros, reached = self._targets[0]
            if due is None or due > micros:
                self._targets.pop(0)
                self._move(micros)
                assert self._loop is not None
                self._loop.call_soon_threadsafe(_resolve, reached)
                return True
        if due is None:
            return False
        self._move(due)
        return True

    def _move(self, to: int) -> None:
        if to > self._now:
            self._elapsed += (to - self._now) / 1_000_000
            self._now = to


def _echo_after(loop: asyncio.AbstractEventLoop, rounds: int, inbox: queue.SimpleQueue[Any], echo: Wake) -> None:
    if rounds:
        loop.call_soon(_echo_after, loop, rounds - 1, inbox, echo)
    else:
        inbox.put(echo)


def _resolve(reached: asyncio.Future[None]) -> None:
    if not reached.done():
        reached.set_result(None)
