"""The clock port: the only place where the runtime reads time."""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """Wall time for what is recorded, monotonic time for measuring spans in this process."""

    def now(self) -> int:
        """Microseconds since the epoch, UTC. May jump in either direction."""

    def monotonic(self) -> float:
        """Seconds that never go back."""


class SystemClock:
    """The clock of the machine."""

    def now(self) -> int:
        return time.time_ns() // 1000

    def monotonic(self) -> float:
        return time.monotonic()
