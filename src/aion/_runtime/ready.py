"""Runs that have something to do, and the batches of turns that are made of them.

What goes wrong while one run takes its turn is that run's matter alone: it is blocked, with the inputs it was
given in its inbox, or its start is refused; the others go on.
"""

from __future__ import annotations

import logging
from collections import deque

from aion._runtime.clock import Clock
from aion._runtime.commit import Batch
from aion._runtime.front import Front
from aion._runtime.registry import Registry
from aion._runtime.residency import Residency
from aion._runtime.resident import ResidentRun
from aion._runtime.settings import Settings
from aion._runtime.turn import Turn, TurnPorts, take_turn
from aion.errors import StoreError

_log = logging.getLogger("aion.engine")


class ReadyRuns:
    """A queue of runs, each in it at most once, in the order in which they got something to do."""

    def __init__(
        self, residency: Residency, registry: Registry, clock: Clock, settings: Settings, ports: TurnPorts
    ) -> None:
        self._residency = residency
        self._registry = registry
        self._clock = clock
        self._settings = settings
        self._ports = ports
        self._runs: deque[ResidentRun] = deque()
        self._groups: deque[list[ResidentRun]] = deque()
        self.in_turn: ResidentRun | None = None
        """The run whose code is executing now, if any."""

    def __len__(self) -> int:
        return len(self._runs) + len(self._groups)

    def add(self, run: ResidentRun) -> None:
        """The run has something to do. While its last turn is not yet durable it waits; it is added again then."""
        if not run.ready and not run.flushing:
            run.ready = True
            self._runs.append(run)

    def add_together(self, runs: list[ResidentRun]) -> None:
        """These runs begin, and their first turns belong in one commit: all of them, or none."""
        for run in runs:
            run.ready = True
        self._groups.append(runs)

    def take_turns(self, batch: Batch, front: Front) -> None:
        """Add the turns of ready runs to a batch, up to its bounds."""
        now = self._clock.now()
        monotonic = self._clock.monotonic()
        while self._groups:
            self._take_together(batch, self._groups.popleft(), front, now)
        turns_max = self._settings.turns_per_flush_max
        bytes_max = self._settings.limits.flush_bytes_max
        runs = self._runs
        while runs and len(batch.turns) < turns_max and batch.size < bytes_max:
            run = runs.popleft()
            run.ready = False
            if self._residency.runs.get(run.run) is run:
                self._residency.touch(run, monotonic)
                turn = self._turn(run, front, now)
                if turn is not None:
                    batch.add(turn)

    def _take_together(self, batch: Batch, runs: list[ResidentRun], front: Front, now: int) -> None:
        turns: list[Turn] = []
        for run in runs:
            run.ready = False
            turn = self._turn(run, front, now)
            if turn is None:
                # Those that did begin leave nothing either, and nor do those that did not get that far.
                for other in runs:
                    self._residency.drop(other)
                return
            turns.append(turn)
        for turn in turns:
            batch.add(turn)

    def _turn(self, run: ResidentRun, front: Front, now: int) -> Turn | None:
        """One run's turn; None if it is refused with its start."""
        self.in_turn = run
        run.flushing = True
        opening = run.opening
        if run.stepper is None and opening is None:
            self._residency.prepare_end(run)
        try:
            return take_turn(run, self._registry.workflows.get(run.type), now, self._ports)
        except Exception as exc:  # noqa: BLE001 - a fault of ours in one run must not stop the others
            _log.exception("the turn of run %s failed", run.run_id)
            if opening is not None:
                self._residency.drop(run)
                error = StoreError(f"the first turn failed, nothing is recorded: {exc!r}")
                front.start_failed(run, opening.reply, error)
                return None
            waiting = list(run.queue)
            self._residency.quarantine(run, exc)
            run.queue = waiting
            return take_turn(run, None, now, self._ports)
        finally:
            self.in_turn = None
