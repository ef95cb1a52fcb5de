"""An engine for tests: in memory, on a virtual clock."""

from __future__ import annotations

import asyncio
import datetime
from collections.abc import Iterable
from typing import Any

from aion._compose import Engine
from aion._core.duration import Duration, to_micros
from aion._flow.api import from_micros
from aion._runtime.requests import Wake
from aion.stores.base import Store
from aion.testing.clock import VirtualClock


class TestEngine(Engine):
    """`aion.Engine` whose time jumps: while a result is awaited and nothing can run, to the next timer."""

    __test__ = False

    def __init__(
        self,
        *,
        register: Iterable[object] = (),
        store: str | Store = "memory:",
        clock: VirtualClock | None = None,
        **settings: Any,
    ) -> None:
        self.clock = clock or VirtualClock()
        super().__init__(store, register=register, clock=self.clock, **settings)

    async def start_serving(self) -> None:
        """Open the engine; its clock watches the event loop."""
        self.clock.attach(asyncio.get_running_loop())
        await super().start_serving()

    def now(self) -> datetime.datetime:
        """The engine's present time."""
        return from_micros(self.clock.now())

    async def advance(self, duration: Duration) -> None:
        """Let time go by; timers that come due on the way fire in order, each at its own time."""
        reached = self._reply()
        self.clock.target(self.clock.now() + to_micros(duration), reached)
        self._submit_to_all(Wake())
        await reached

    def freeze(self) -> _Frozen:
        """Stop time until `unfreeze`; also a context manager. `advance` still works."""
        self.clock.frozen = True
        return _Frozen(self)

    def unfreeze(self) -> None:
        """Let time jump again."""
        self.clock.frozen = False
        self._submit_to_all(Wake())


class _Frozen:
    """Unfreezes on exit."""

    def __init__(self, engine: TestEngine) -> None:
        self._engine = engine

    def __enter__(self) -> None:
        """Time stands still already."""

    def __exit__(self, *exc: object) -> None:
        self._engine.unfreeze()


def engine(
    *,
    register: Iterable[object] = (),
    store: str | Store = "memory:",
    clock: VirtualClock | None = None,
    **settings: Any,
) -> TestEngine:
    """An in-memory engine on a virtual clock: a workflow that sleeps for a year ends at once.

    ```python
    async with aion.testing.engine(register=[reminder]) as engine:
        assert await engine.execute(reminder("ada")) == "sent"
    ```
    """
    return TestEngine(register=register, store=store, clock=clock, **settings)
