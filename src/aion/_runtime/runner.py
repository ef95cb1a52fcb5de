"""The turn runner port: where the parts of an engine run, and how blocking calls leave the event loop.

In production every part has a thread of its own. A simulation gives them turns on one thread instead.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any, Protocol, TypeVar

T = TypeVar("T")


class Runner(Protocol):
    """Runs what must not run on the event loop."""

    def start(self, name: str, work: Callable[[], None]) -> None:
        """Run `work` to its end, beside everything else. It does not keep the process alive."""

    async def call(self, blocking: Callable[..., T], *args: Any) -> T:
        """The result of a blocking call, made without holding up the event loop."""

    def here(self) -> int:
        """Tells one line of execution from another."""


class ThreadRunner:
    """Threads of this process."""

    def start(self, name: str, work: Callable[[], None]) -> None:
        threading.Thread(target=work, name=name, daemon=True).start()

    async def call(self, blocking: Callable[..., T], *args: Any) -> T:
        return await asyncio.to_thread(blocking, *args)

    def here(self) -> int:
        return threading.get_ident()
