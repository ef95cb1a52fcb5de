"""Background parts of the engine, each restarted when it fails, within a restart intensity.

A part that fails more often than that cannot recover: the supervisor gives up, and the engine stops. An
embedded engine never ends its host's process; every later call raises `StoreError` instead.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable

from aion._runtime.clock import Clock
from aion._runtime.runner import Runner

_log = logging.getLogger("aion.engine")

RESTARTS_MAX = 5
WITHIN_SECONDS = 60.0


class Supervisor:
    """Runs one part in a thread of its own until it returns, restarting it when it raises.

    `recover` is called before each restart and must leave the part as if it were new.
    """

    def __init__(
        self,
        name: str,
        part: Callable[[], None],
        recover: Callable[[BaseException], None],
        gave_up: Callable[[BaseException], None],
        clock: Clock,
        runner: Runner,
    ) -> None:
        self._name = name
        self._runner = runner
        self._part = part
        self._recover = recover
        self._gave_up = gave_up
        self._clock = clock
        self._failures: deque[float] = deque()
        self.restarts = 0

    def start(self) -> None:
        self._runner.start(self._name, self._run)

    def _run(self) -> None:
        while True:
            try:
                self._part()
                return
            except BaseException as exc:  # noqa: BLE001 - whatever ended the part, somebody must restart it
                _log.exception("%s failed", self._name)
                if not self._may_restart():
                    self._gave_up(exc)
                    return
                try:
                    self._recover(exc)
                except BaseException as again:  # noqa: BLE001 - a part that cannot recover is given up
                    _log.exception("%s could not recover", self._name)
                    self._gave_up(again)
                    return
                self.restarts += 1

    def _may_restart(self) -> bool:
        now = self._clock.monotonic()
        self._failures.append(now)
        while self._failures and self._failures[0] < now - WITHIN_SECONDS:
            self._failures.popleft()
        return len(self._failures) <= RESTARTS_MAX
