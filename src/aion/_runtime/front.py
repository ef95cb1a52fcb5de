"""The desk of the engine thread: requests of users are looked up, checked, and become inputs or answers."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Raw

from aion._core import events as ev
from aion._core.codec import decode_event
from aion._core.history import first_digest, next_digest
from aion._core.ids import new_uuid7, run_number
from aion._core.inputs import TerminateRequested
from aion._core.state import RunState
from aion._runtime import requests as rq
from aion._runtime.answers import Asked, Gathered
from aion._runtime.entropy import Entropy
from aion._runtime.residency import Residency
from aion._runtime.resident import Delivery, Opening, ResidentRun
from aion._runtime.turn import Turn
from aion.errors import AionError, AlreadyExists, InvalidState, NonDeterminism, NotFound, StoreCorrupt, StoreError
from aion.stores.base import EventRow, Refusal, RequestRow, RunRecord, RunRow

if TYPE_CHECKING:
    from aion._runtime.scheduler import Scheduler

_log = logging.getLogger("aion.engine")

Key = tuple[str, str]


class Front:
    """Looks up runs in memory first, then in the store, and decides what a request means for them."""

    def __init__(self, scheduler: Scheduler, entropy: Entropy) -> None:
        self._scheduler = scheduler
        self._entropy = entropy
        self._store = scheduler.store
        self._residency: Residency = scheduler.residency
        self._answers = scheduler.answers
        self._last_run = 0
        self._waiters: dict[int, list[rq.AskOutcome]] = {}
        self._asked = Asked()
        self._handlers: dict[type, Any] = {
            rq.Start: self._start,
            rq.StartMany: self._start_many,
            rq.Send: self._send,
            rq.AskOutcome: self._ask_outcome,
            rq.AskQuery: self._ask_query,
            rq.Register: self._register,
            rq.Watch: self._watch,
        }

    def anybody_waits(self) -> bool:
        """Whether somebody waits for a run to end, and has not given up."""
        return any(_still_waits(waiter) for waiters in self._waiters.values() for waiter in waiters)

    def handle(self, request: Any) -> None:
        """Carry out a request; what goes wrong with it is its answer."""
        try:
            self._handlers[request.__class__](request)
        except AionError as exc:
            self._answers.fail(request.reply, exc)
        except Exception as exc:  # noqa: BLE001 - a fault of ours in one request must not stop the others
            _log.exception("a request failed: %r", request)
            self._answers.fail(request.reply, StoreError(f"the engine failed to handle this request: {exc!r}"))

    # ── starting ─────────────────────────────────────────────────────────────────────────────────

    def _start(self, request: rq.Start) -> None:
        started = self._open(request)
        if started is not None:
            self._answers.give(request.reply, started)

    def _open(self, request: rq.Start) -> rq.Started | None:
        """Begin a run, whose turn will answer the request; or return the answer there is already.

        Raises:
            AlreadyExists: the id is taken, and the policy does not say what to do about it.
        """
        key = (request.namespace, request.workflow_id)
        if request.request_id is not None:
            answer = self._store.find_request(*key, "start:" + request.request_id)
            if answer is not None:
                return msgspec.json.decode(answer, type=rq.Started)
            if self._asked.join(request, "start"):
                return None
        chain = 1
        present = self._residency.by_id.get(key)
        if present is not None:
            return self._conflict(request, present.type, present.run_id, present.state.status, present)
        if not request.generated:
            record = self._store.find(*key)
            if record is not None:
                if record.closed is None:
                    return self._conflict(request, record.type, record.run_id, record.status, None)
                if request.on_conflict == "attach":
                    return _attached(request, record.type, record.run_id)
                if request.on_conflict != "restart" and request.on_conflict != "terminate":
                    raise AlreadyExists(request.workflow_id, record.status, record.run_id)
                chain = record.chain + 1
        self._scheduler.ready(self._begin(request, chain))
        return None

    def _begin(self, request: rq.Start, chain: int) -> ResidentRun:
        now = self._scheduler.clock.now()
        definition = request.definition
        self._last_run = run_number(now, self._last_run, int.from_bytes(self._entropy.bytes(2), "big"))
        run_id = new_uuid7(now, self._entropy.bytes(10))
        row = RunRow(
            self._last_run,
            request.namespace,
            request.workflow_id,
            chain,
            run_id,
            definition.name,
            definition.version,
            None,
            now,
            request.attributes or b"{}",
            request.summary,
        )
        event = ev.WorkflowStarted(
            definition.name,
            request.workflow_id,
            run_id,
            request.namespace,
            Raw(request.input),
            request.named,
            definition.version,
            definition.code,
            attributes=Raw(request.attributes) if request.attributes else ev.NO_VALUE,
            summary=request.summary,
        )
        started = rq.Started(request.workflow_id, run_id)
        state = RunState(row.run, first_digest(request.namespace, request.workflow_id, run_id))
        run = ResidentRun(row.run, request.namespace, request.workflow_id, chain, run_id, definition.name, state)
        kept = None
        if request.request_id is not None:
            kept = RequestRow(
                request.namespace, request.workflow_id, "start:" + request.request_id, msgspec.json.encode(started)
            )
        run.opening = Opening(row, event, request.reply, started, kept)
        self._residency.add(run)
        return run

    def _conflict(
        self, request: rq.Start, type: str, run_id: str, status: str, present: ResidentRun | None
    ) -> rq.Started | None:
        """The id has an open run."""
        if present is not None and present.state.closed_by is not None:
            # It is closing right now; whether it is closed is known when its commit is.
            self._after_close(request, present)
            return None
        if request.on_conflict == "attach":
            return _attached(request, type, run_id)
        if request.on_conflict != "terminate":
            raise AlreadyExists(request.workflow_id, status, run_id)
        run = present if present is not None else self._find(request.namespace, request.workflow_id, run_id)
        assert isinstance(run, ResidentRun)
        self._scheduler.give(run, Delivery(TerminateRequested("replaced by another start")))
        self._after_close(request, run)
        return None

    def _after_close(self, request: rq.Start, run: ResidentRun) -> None:
        waiter = rq.AskOutcome(run.namespace, run.workflow_id, run.run_id, request)
        self._waiters.setdefault(run.run, []).append(waiter)

    def start_refused(self, turn: Turn, refusal: Refusal) -> None:
        """Somebody else took the id, or answered the request, between our look and the commit."""
        opening = turn.opening
        assert opening is not None
        run = turn.run
        if refusal is Refusal.REQUEST_TAKEN and opening.request is not None:
            answer = self._store.find_request(run.namespace, run.workflow_id, opening.request.request_id)
            if answer is not None:
                self._answers.give(opening.reply, msgspec.json.decode(answer, type=rq.Started))
                return
        self.start_failed(run, opening.reply, AlreadyExists(run.workflow_id, "running"), turn)

    def start_failed(self, run: ResidentRun, reply: Any, error: AionError, turn: Turn | None = None) -> None:
        """A start was not recorded, as far as is known: what else was asked of the run fails with it."""
        self._answers.fail(reply, error)
        taken = turn.taken if turn is not None else ()
        refused = turn.refused if turn is not None else ()
        for asked in (*taken, *(delivery for delivery, _ in refused), *run.queue, *(run.queries or ())):
            self._answers.fail(asked.reply, error)
        run.queue, run.queries = [], None
        for waiter in self._waiters.pop(run.run, ()):
            self._answers.fail(waiter.reply.reply if isinstance(waiter.reply, rq.Start) else waiter.reply, error)

    def _start_many(self, request: rq.StartMany) -> None:
        """All or none: conflicts are found before the first run begins."""
        seen: set[Key] = set()
        for start in request.starts:
            key = (start.namespace, start.workflow_id)
            if key in seen or key in self._residency.by_id:
                raise AlreadyExists(start.workflow_id, "running")
            record = None if start.generated else self._store.find(*key)
            if record is not None:
                raise AlreadyExists(start.workflow_id, record.status, record.run_id)
            seen.add(key)
        gathered = Gathered(request.reply, len(request.starts))
        for start in request.starts:
            start.reply = gathered.place()
        self._scheduler.ready_together([self._begin(start, 1) for start in request.starts])
        if not request.starts:
            self._answers.give(request.reply, [])

    # ── messages to runs ─────────────────────────────────────────────────────────────────────────

    def _send(self, request: rq.Send) -> None:
        kept = None
        if request.request_id is not None:
            request_id = f"{type(request.input).__name__}:{request.request_id}"
            if self._store.find_request(request.namespace, request.workflow_id, request_id) is not None:
                self._answers.give(request.reply, None)
                return
            if self._asked.join(request, type(request.input).__name__):
                return
            kept = RequestRow(request.namespace, request.workflow_id, request_id, b"null")
        found = self._find(request.namespace, request.workflow_id, request.run_id)
        if not isinstance(found, ResidentRun):
            raise _closed(found)
        self._scheduler.give(found, Delivery(request.input, request.reply, None, None, kept))

    def _find(self, namespace: str, workflow_id: str, run_id: str | None) -> ResidentRun | RunRecord:
        """The run asked for: in memory if it is open, as its record if it is closed.

        Raises:
            NotFound: there is none.
        """
        present = self._residency.by_id.get((namespace, workflow_id))
        if present is not None and (run_id is None or present.run_id == run_id):
            return present
        record = self._store.find(namespace, workflow_id, run_id)
        if record is None:
            raise NotFound(
                f"there is no workflow {workflow_id!r}"
                + (f" with run {run_id}" if run_id else "")
                + f" in {namespace!r}"
            )
        if record.closed is not None:
            return record
        run = self._scheduler.load(record.run)
        return run if run is not None else record

    # ── outcomes ─────────────────────────────────────────────────────────────────────────────────

    def _ask_outcome(self, request: rq.AskOutcome) -> None:
        present = self._residency.by_id.get((request.namespace, request.workflow_id))
        if present is not None and (request.run_id is None or present.run_id == request.run_id):
            self._wait_for_end(present.run, request)
            return
        record = self._store.find(request.namespace, request.workflow_id, request.run_id)
        if record is None:
            raise NotFound(f"there is no workflow {request.workflow_id!r} in {request.namespace!r}")
        if record.closed is None:
            self._wait_for_end(record.run, request)
            return
        event = _last_event(record, self._store.history(record.run, record.seq - 1, 2))
        self._answers.give(request.reply, rq.Outcome(record.workflow_id, record.run_id, record.type, event))

    def _wait_for_end(self, run: int, request: rq.AskOutcome) -> None:
        waiters = self._waiters.setdefault(run, [])
        if len(waiters) >= 16:
            # Callers that ask with a timeout, again and again, leave those they gave up behind.
            waiters[:] = filter(_still_waits, waiters)
        waiters.append(request)

    def look_again(self, run: int) -> None:
        """A run is not open, and nobody was told of its end: those who wait for it find it in the store."""
        for waiter in self._waiters.pop(run, ()):
            self.handle(waiter.reply if isinstance(waiter.reply, rq.Start) else waiter)

    def closed(self, run: ResidentRun) -> None:
        """A run's end is durable: those who wait for it learn of it."""
        waiters = self._waiters.pop(run.run, None)
        if not waiters:
            return
        event = run.state.closed_by
        assert event is not None
        outcome = rq.Outcome(run.workflow_id, run.run_id, run.type, event)
        for waiter in waiters:
            if isinstance(waiter.reply, rq.Start):
                self.handle(waiter.reply)
            else:
                self._answers.give(waiter.reply, outcome)

    # ── queries ──────────────────────────────────────────────────────────────────────────────────

    def _ask_query(self, request: rq.AskQuery) -> None:
        found = self._find(request.namespace, request.workflow_id, request.run_id)
        if not isinstance(found, ResidentRun):
            self._query_closed(request, found)
        elif found.flushing or found.ready:
            # Never from uncommitted state: it is answered when the turn under way is durable.
            if found.queries is None:
                found.queries = []
            found.queries.append(request)
        else:
            self._query(request, found)

    def answer_queries(self, run: ResidentRun) -> None:
        """A turn is durable: answer what was asked meanwhile."""
        queries, run.queries = run.queries, None
        for request in queries or ():
            self.handle(request)

    def _query(self, request: rq.AskQuery, run: ResidentRun) -> None:
        if run.stepper is None:
            reason = run.block.reason if run.block is not None else "its code is not loaded"
            raise InvalidState(f"workflow {run.workflow_id!r} is blocked ({reason}) and cannot answer queries")
        self._answers.give(request.reply, run.stepper.query(request.name, request.argument))

    def _query_closed(self, request: rq.AskQuery, record: RunRecord) -> None:
        """Replay a closed run for as long as the question takes."""
        _, history = self._residency.read(record)
        try:
            stepper = self._residency.stepper_of(record, history)
        except NonDeterminism as exc:
            raise InvalidState(f"the loaded code no longer fits this closed run, so it cannot answer: {exc}") from exc
        try:
            self._answers.give(request.reply, stepper.query(request.name, request.argument))
        finally:
            stepper.close()

    # ── the rest ─────────────────────────────────────────────────────────────────────────────────

    def _register(self, request: rq.Register) -> None:
        changed = request.changed
        if changed:
            for run in list(self._residency.runs.values()):
                # What is in memory runs the old code; the next input replays the run with the new one.
                if run.type in changed and not run.busy:
                    self._residency.drop(run)
            self._scheduler.recovery.look_for_blocked()
        self._answers.give(request.reply, None)

    def _watch(self, request: rq.Watch) -> None:
        sinks = self._answers.sinks
        if request.on:
            sinks.append(request.sink)
        elif request.sink in sinks:
            sinks.remove(request.sink)
        self._answers.give(request.reply, None)

    def take_over(self, old: Front) -> None:
        """Those who wait for outcomes go on waiting."""
        self._waiters = old._waiters
        self._asked = old._asked
        self._last_run = old._last_run

    def fail_all(self, error: AionError) -> None:
        """The engine ends: nobody waits any longer."""
        waiters, self._waiters = self._waiters, {}
        for waiting in waiters.values():
            for waiter in waiting:
                reply = waiter.reply.reply if isinstance(waiter.reply, rq.Start) else waiter.reply
                self._answers.fail(reply, error)


def _still_waits(waiter: rq.AskOutcome) -> bool:
    return isinstance(waiter.reply, rq.Start) or not waiter.reply.done()


def _last_event(record: RunRecord, rows: list[EventRow]) -> ev.AnyEvent:
    """The end of a closed run, out of its last two rows, checked against the chain of digests and the head."""
    who = f"workflow {record.workflow_id!r} (run {record.run_id})"
    if [row.seq for row in rows] != [record.seq - 1, record.seq]:
        raise StoreCorrupt(f"{who}: its last events, {record.seq - 1} and {record.seq}, are not there")
    before, last = rows
    if not next_digest(before.digest, last.seq, last.type, last.time, last.data) == last.digest == record.digest:
        raise StoreCorrupt(f"{who}: its last event, {record.seq} ({last.type}), does not fit its checksum")
    event = decode_event(last.type, last.data)
    if not isinstance(event, ev.TERMINAL):
        raise StoreCorrupt(f"{who} is {record.status}, but its last event is {last.type}")
    return event


def _attached(request: rq.Start, type: str, run_id: str) -> rq.Started:
    if type != request.definition.name:
        raise InvalidState(
            f"workflow id {request.workflow_id!r} belongs to a workflow of type {type!r}, so a start of "
            f"{request.definition.name!r} cannot attach to it: choose another id"
        )
    return rq.Started(request.workflow_id, run_id)


def _closed(record: RunRecord) -> InvalidState:
    return InvalidState(
        f"workflow {record.workflow_id!r} (run {record.run_id}) is {record.status}: it takes no more inputs"
    )
