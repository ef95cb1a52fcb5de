"""The clock port: the only place where the runtime reads time, or waits for it."""

from __future__ import annotations

import queue
import time
from collections.abc import Callable
from typing import Any, Protocol


class Clock(Protocol):
    """Wall time for what is recorded, monotonic time for measuring spans in this process."""

    def now(self) -> int:
        """Microseconds since the epoch, UTC. May jump in either direction."""

    def monotonic(self) -> float:
        """Seconds that never go back."""

    def wait(
        self,
        inbox: queue.SimpleQueue[Any],
        timeout: float,
        next_due: Callable[[], int | None] | None,
        awaited: Callable[[], bool],
    ) -> Any | None:
        """The next request, or None when `timeout` seconds went by.

        `next_due` is given when nothing can happen but by a timer or a request; it tells when the next timer
        is due. `awaited` tells whether somebody waits for an outcome. A clock that can jump decides by the two.
        """


class SystemClock:
    """The clock of the machine."""

    def now(self) -> int:
        return time.time_ns() // 1000

    def monotonic(self) -> float:
        return time.monotonic()

    def wait(
        self,
        inbox: queue.SimpleQueue[Any],
        timeout: float,
        next_due: Callable[[], int | None] | None,
        awaited: Callable[[], bool],
    ) -> Any | None:
        try:
            return inbox.get(timeout=timeout) if timeout > 0.0 else inbox.get_nowait()
        except queue.Empty:
            return None
