"""One shard of the store in this engine: its scheduler, and the supervised thread that runs it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from aion._flow.loop import keep_generators
from aion._runtime.clock import Clock
from aion._runtime.runner import Runner
from aion._runtime.scheduler import Scheduler
from aion._runtime.succession import give_up, take_over
from aion._runtime.supervisor import Supervisor
from aion.errors import StoreError
from aion.stores.base import Fenced, Lease


class Shard:
    """Owns a lease and the thread that works on it. `ended` is called, on that thread, when it is over."""

    def __init__(
        self,
        lease: Lease,
        make_scheduler: Callable[[Lease], Scheduler],
        ended: Callable[[Shard, BaseException | None], None],
        clock: Clock,
        runner: Runner,
    ) -> None:
        self.lease = lease
        self.scheduler = make_scheduler(lease)
        self._make_scheduler = make_scheduler
        self._ended = ended
        self._supervisor = Supervisor(
            f"aion-engine-{lease.shard}", self._work, self._recover, self._gave_up, clock, runner
        )

    def start(self) -> None:
        self._supervisor.start()

    def submit(self, request: Any) -> None:
        """Hand a request to the engine thread."""
        self.scheduler.submit(request)

    @property
    def restarts(self) -> int:
        """How often the engine thread had to be restarted."""
        return self._supervisor.restarts

    def _work(self) -> None:
        sys.set_asyncgen_hooks(keep_generators, None)
        scheduler = self.scheduler
        scheduler.run()
        scheduler.shut()
        self._ended(self, None)

    def _recover(self, exc: BaseException) -> None:
        """Replace a scheduler that failed: its memory is thrown away, requests that wait are kept."""
        if isinstance(exc, Fenced):
            # The shard is somebody else's by now: there is nothing to go on with.
            raise exc
        replacement = self._make_scheduler(self.lease)
        take_over(replacement, self.scheduler)
        self.scheduler = replacement

    def _gave_up(self, exc: BaseException) -> None:
        give_up(self.scheduler, StoreError(f"the engine has stopped: {exc}"))
        self._ended(self, exc)
