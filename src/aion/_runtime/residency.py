"""Which runs are in memory: loading by replay, finding, and eviction of those that idle."""

from __future__ import annotations

import logging
from collections import OrderedDict
from itertools import islice

import msgspec

from aion._core import events as ev
from aion._core.codec import decode_event
from aion._core.history import first_digest, next_digest
from aion._core.inputs import AttemptLost, TerminateRequested, TimerDue, decode_input
from aion._core.state import RunState
from aion._core.version import VERSION
from aion._flow.replayer import Recorded, replay
from aion._flow.stepper import Stepper
from aion._runtime.clock import Clock
from aion._runtime.registry import Registry
from aion._runtime.resident import Delivery, ResidentRun
from aion._runtime.settings import Settings
from aion.errors import NonDeterminism, StoreCorrupt, StoreError
from aion.stores.base import EventRow, RunRecord, Store

_log = logging.getLogger("aion.engine")

CORRUPT = f"corrupt:{VERSION}"
FAULT = f"fault:{VERSION}"
"""Both are tried again whenever the run is loaded: a file may have been mended, and a fault may have been passing."""
MISSING = "missing"
REPORTED = (0, 0)
"""Stands for an attempt whose report has arrived and is not yet durable."""


class Residency:
    """The runs in memory, by number and by workflow id, least recently used first."""

    def __init__(self, store: Store, registry: Registry, clock: Clock, settings: Settings) -> None:
        self._store = store
        self._registry = registry
        self._clock = clock
        self._settings = settings
        self.runs: OrderedDict[int, ResidentRun] = OrderedDict()
        self.by_id: dict[tuple[str, str], ResidentRun] = {}
        self.attempts: dict[tuple[int, int], tuple[int, int]] = {}
        """Attempts of this process: (run, seq of the request) → (attempt, dispatch), or `REPORTED`."""
        self.evictions = 0
        self.replays = 0
        self.replayed_events = 0

    def add(self, run: ResidentRun) -> None:
        run.last_used = self._clock.monotonic()
        self.runs[run.run] = run
        self.by_id[run.namespace, run.workflow_id] = run

    def touch(self, run: ResidentRun, now: float) -> None:
        run.last_used = now
        self.runs.move_to_end(run.run)

    def drop(self, run: ResidentRun) -> None:
        """Forget a run, ending its code without a trace."""
        if self.runs.get(run.run) is run:
            del self.runs[run.run]
        key = (run.namespace, run.workflow_id)
        if self.by_id.get(key) is run:
            del self.by_id[key]
        if run.stepper is not None:
            run.stepper.close()
            run.stepper = None

    def forget_reported(self, number: int) -> None:
        """Reports of attempts that nobody waits for any more were recorded after all."""
        run = self.runs.get(number)
        activities = run.state.activities.values() if run is not None else ()
        pending = {activity.seq for activity in activities if activity.running}
        for key in [key for key, attempt in self.attempts.items() if key[0] == number and attempt is REPORTED]:
            if key[1] not in pending:
                del self.attempts[key]

    def evict(self) -> None:
        """Drop runs that idle too long, or that are too many. Runs with something to do stay."""
        horizon = self._clock.monotonic() - self._settings.resident_idle
        surplus = len(self.runs) - self._settings.resident_runs_max
        for looked_at, run in enumerate(list(islice(self.runs.values(), max(surplus, 0) + 5_000)), 1):
            if looked_at > surplus and run.last_used > horizon:
                break
            if not run.busy:
                self.drop(run)
                self.evictions += 1

    def get(self, number: int) -> ResidentRun | None:
        """The run of that number, loaded if it is not in memory; None when it is closed or unknown."""
        run = self.runs.get(number)
        if run is not None:
            return run
        records = self._store.records([number])
        return self.load(records[0]) if records and records[0].closed is None else None

    def load(self, record: RunRecord) -> ResidentRun:
        """Bring an open run into memory: by replay, or as blocked when that is not possible."""
        run = ResidentRun(
            record.run,
            record.namespace,
            record.workflow_id,
            record.chain,
            record.run_id,
            record.type,
            self._bare_state(record),
        )
        definition = self._registry.workflows.get(record.type)
        code = definition.code if definition is not None else MISSING
        if record.status == "blocked":
            run.block = ev.WorkflowBlocked(record.blocked_reason or "", record.blocked_code or "")
            if record.blocked_code in (code, self.too_long):
                run.aside = len(self._store.inbox(run.run))
                self.add(run)
                return run
        try:
            self._replay(run, record)
            self._queue_what_waits(run)
        except NonDeterminism as exc:
            self._block(run, ev.WorkflowBlocked("nondeterminism", code, str(exc), exc.recorded, exc.attempted))
        except StoreCorrupt as exc:
            self._forget_code(run)
            run.state = self._bare_state(record)
            if record.blocked_code != CORRUPT:
                self._block(run, ev.WorkflowBlocked("corrupt history", CORRUPT, str(exc)))
        except _MissingCode as exc:
            self._block(run, ev.WorkflowBlocked("missing code", MISSING, str(exc)))
        except StoreError:
            raise
        except Exception as exc:  # noqa: BLE001 - a fault of ours in one run must not stop the others
            _log.exception("run %s cannot be rebuilt", run.run_id)
            self._forget_code(run)
            run.state = self._bare_state(record)
            if record.blocked_code != FAULT:
                self._block(run, ev.WorkflowBlocked("engine fault", FAULT, repr(exc)))
        else:
            if record.status == "blocked":
                run.note = ev.WorkflowUnblocked(code)
                run.block = None
        if run.block is not None:
            run.aside = len(self._store.inbox(run.run))
        self.add(run)
        return run

    def read(self, record: RunRecord) -> tuple[RunState, list[Recorded]]:
        """A run's history, verified against its chain of digests and its head, and what it amounts to.

        Raises:
            StoreCorrupt: a row is missing, doubled, altered, or from elsewhere.
        """
        return verify(record, self._store.history(record.run))

    def stepper_of(self, record: RunRecord, history: list[Recorded]) -> Stepper:
        """The code of a run at the end of its history."""
        definition = self._registry.workflows.get(record.type)
        if definition is None:
            raise _MissingCode(
                f"workflow {record.type!r} is not registered with this engine: open it with register=[...] that "
                "contains it, or call engine.register(...)"
            )
        started = history[0].event
        assert isinstance(started, ev.WorkflowStarted)
        stepper = Stepper(definition, started, history[0].time, self._settings.limits)
        try:
            replay(stepper, history)
        except BaseException:
            stepper.close()
            raise
        self.replays += 1
        self.replayed_events += len(history)
        return stepper

    def _replay(self, run: ResidentRun, record: RunRecord) -> None:
        state, history = self.read(record)
        run.state = state
        run.stepper = self.stepper_of(record, history)

    def prepare_end(self, run: ResidentRun) -> None:
        """A run that cannot move is to be ended: what was accepted for it enters its history first."""
        if any(type(delivery.input) is TerminateRequested for delivery in run.queue):
            run.queue = [*self.inbox_of(run, ending=True), *run.queue]

    def quarantine(self, run: ResidentRun, exc: BaseException) -> None:
        """A run whose turn failed through a fault of ours is blocked, from what the store knows of it."""
        self._forget_code(run)
        record = self._store.records([run.run])[0]
        run.state = self._bare_state(record)
        self._block(run, ev.WorkflowBlocked("engine fault", FAULT, repr(exc)))

    def _forget_code(self, run: ResidentRun) -> None:
        run.queue.clear()
        if run.stepper is not None:
            run.stepper.close()
            run.stepper = None

    def _block(self, run: ResidentRun, block: ev.WorkflowBlocked) -> None:
        run.block = block
        run.note = block

    @property
    def too_long(self) -> str:
        """What stands for the code of runs that were blocked for their length: other limits, another try."""
        limits = self._settings.limits
        return f"history:{limits.history_events_max}:{limits.history_bytes_max}"

    def inbox_of(self, run: ResidentRun, *, ending: bool = False) -> list[Delivery]:
        """What was accepted for the run and not consumed, in order.

        Raises:
            StoreCorrupt: a row cannot be read. If the run is `ending` it stands for an input without meaning instead.
        """
        waiting: list[Delivery] = []
        for row in self._store.inbox(run.run):
            try:
                waiting.append(Delivery(decode_input(row.data), inbox=row.id))
            except msgspec.DecodeError as exc:
                message = f"inbox row {row.id} of run {run.run_id} cannot be decoded: {exc}"
                if not ending:
                    raise StoreCorrupt(message) from exc
                _log.error("%s; it goes with its run", message)
                waiting.append(Delivery(TimerDue(0, 0), inbox=row.id))
        return waiting

    def _queue_what_waits(self, run: ResidentRun) -> None:
        run.queue.extend(self.inbox_of(run))
        for id, activity in run.state.activities.items():
            if activity.back_off is None and (run.run, activity.seq) not in self.attempts:
                run.queue.append(Delivery(AttemptLost(id)))

    def _bare_state(self, record: RunRecord) -> RunState:
        """The end of a history without the history: enough to set inputs aside, and to terminate."""
        state = RunState(record.run, record.digest)
        state.seq, state.time, state.size, state.status = record.seq, record.time, record.size, record.status
        return state


class _MissingCode(Exception):
    """No definition of the run's type is registered."""


def verify(record: RunRecord, rows: list[EventRow]) -> tuple[RunState, list[Recorded]]:
    """Check rows against the chain of digests and the head, decode them, and add them up."""
    who = f"run {record.run_id} of workflow {record.workflow_id!r}"
    state = RunState(record.run, first_digest(record.namespace, record.workflow_id, record.run_id))
    digest = state.digest
    history: list[Recorded] = []
    size = 0
    time = 0
    for row in rows:
        seq = state.seq + 1
        if row.seq != seq:
            raise StoreCorrupt(f"{who}: event {seq} is missing; the next stored one is {row.seq}")
        digest = next_digest(digest, seq, row.type, row.time, row.data)
        if digest != row.digest:
            raise StoreCorrupt(f"{who}: event {seq} ({row.type}) does not fit its checksum")
        event = decode_event(row.type, row.data)
        size += len(row.data)
        time = max(time, row.time)
        history.append(Recorded(seq, row.time, size, event))
        try:
            state.apply(event, row.time)
        except (KeyError, AssertionError) as exc:
            raise StoreCorrupt(f"{who}: event {seq} ({row.type}) does not follow from those before it") from exc
    if state.seq != record.seq or digest != record.digest:
        raise StoreCorrupt(f"{who}: its history ends at event {state.seq}, its head says {record.seq}")
    if not history or not isinstance(history[0].event, ev.WorkflowStarted):
        raise StoreCorrupt(f"{who}: its history does not begin with WorkflowStarted")
    state.digest, state.time, state.size = digest, time, size
    return state, history
