"""The engine thread: takes requests, lets runs take turns, commits the turns in groups, then carries out effects.

One pass (`step`) is: all requests that wait, due timers, a page of recovery; then the turns of all runs
that are ready; then their commit. While a batch is with the writer thread the next one is built; a run
whose turn is not yet durable takes no other.

Invariant: an answer, an effect or a wake-up leaves only in `_finish`, after the commit of its turn.
Invariant: a turn that could not be committed leaves nothing behind in memory: `_abandon` drops the run, and
    inputs that nobody else remembers wait to be given again.
"""

from __future__ import annotations

import logging
import queue
from collections.abc import Callable, Sequence
from typing import Any

from aion._core.inputs import ActivityReported, TerminateRequested, TimerDue
from aion._runtime import requests as rq
from aion._runtime.again import Again
from aion._runtime.answers import Answers
from aion._runtime.clock import Clock
from aion._runtime.commit import Batch, Committer
from aion._runtime.effects import Effects
from aion._runtime.entropy import Entropy
from aion._runtime.failpoints import Failpoints
from aion._runtime.front import Front
from aion._runtime.ready import ReadyRuns
from aion._runtime.recovery import Recovery
from aion._runtime.registry import Registry
from aion._runtime.residency import REPORTED, Residency
from aion._runtime.resident import Delivery, ResidentRun
from aion._runtime.runner import Runner
from aion._runtime.settings import Settings
from aion._runtime.timers import Timers
from aion._runtime.turn import Turn, TurnPorts
from aion.errors import InvalidState, ShuttingDown, StoreError
from aion.stores.base import Fenced, Lease, Refusal, Store, TimerRow

_log = logging.getLogger("aion.engine")


class Scheduler:
    """The state of one shard's engine thread. Not thread-safe, except `submit`."""

    def __init__(
        self,
        store: Store,
        owner: str,
        lease: Lease,
        registry: Registry,
        clock: Clock,
        entropy: Entropy,
        settings: Settings,
        post: Callable[[Sequence[Any]], None],
        runner: Runner,
        failpoints: Failpoints | None = None,
    ) -> None:
        self.store = store
        self.registry = registry
        self.clock = clock
        self.settings = settings
        self.inbox: queue.SimpleQueue[rq.AnyRequest] = queue.SimpleQueue()
        self.submit = self.inbox.put
        self.residency = Residency(store, registry, clock, settings)
        self.timers = Timers(
            store, lease.shard, clock, horizon=int(settings.timer_horizon * 1_000_000), page=settings.timer_page
        )
        self.recovery = Recovery(store, lease.shard, self.residency, registry, settings.recovery_page)
        self.committer = Committer(store, owner, lease, clock, self.submit, runner, failpoints)
        self.answers = Answers(post)
        self.again = Again(clock, settings, self.answers, self.timers)
        self.front = Front(self, entropy)
        self.stale_reports = 0
        self.draining = False
        self.passes = 0
        """How many passes were begun: while it stands still, the engine thread is held up by something."""
        self.stopping = False
        self._effects = Effects(lease.shard, self.residency, self.timers, self.answers, self.front, registry)
        self._ports = TurnPorts(settings.limits, entropy, self._next_inbox_id)
        self._last_inbox_id = 0
        self._ready = ReadyRuns(self.residency, registry, clock, settings, self._ports)
        self._stale_timers: list[tuple[int, int, int]] = []
        self._flushing: Batch | None = None
        self._built: Batch | None = None
        self._evict_at = 0.0
        self._lease = lease
        self._owner = owner
        self._failpoints = failpoints
        self._renew_at = clock.monotonic() + settings.lease_ttl / 3

    # ── the loop ─────────────────────────────────────────────────────────────────────────────────

    def run(self) -> None:
        """Work until `Stop`."""
        while not self.stopping or self._flushing is not None or self._built is not None:
            self.step(self._wait_time())

    def step(self, timeout: float) -> None:
        """One pass. Waits for a request for at most `timeout` seconds."""
        self.passes += 1
        self._take_requests(timeout)
        if self.again.waiting:
            if self.again.seconds_left() == 0.0:
                self._give_again()
        elif not self.draining:
            self._guarded(self._fire_timers)
            self._guarded(self._recover)
        if self._ready or self._stale_timers or self._built is not None:
            self._advance()
        self.answers.send()
        now = self.clock.monotonic()
        if now >= self._evict_at:
            self.residency.evict()
            self._evict_at = now + 1.0
        if now >= self._renew_at and self._flushing is None:
            self._renew()

    def _wait_time(self) -> float:
        if (self._ready or self._built is not None) and self._flushing is None:
            return 0.0
        if self.again.waiting:
            return min(1.0, self.again.seconds_left())
        if self.draining:
            return 1.0
        if self.recovery.pending and not self._ready:
            return 0.0
        return min(1.0, self.timers.wait())

    def _take_requests(self, timeout: float) -> None:
        inbox = self.inbox
        idle = timeout > 0.0 and self.idle()
        request = self.clock.wait(inbox, timeout, self.timers.next_due if idle else None, self.front.anybody_waits)
        if request is None:
            return
        handle = self.handle
        # A bounded number at once, so that turns and timers get their share under a flood.
        for _ in range(4 * self.settings.turns_per_flush_max):
            handle(request)
            try:
                request = inbox.get_nowait()
            except queue.Empty:
                return
        handle(request)

    def handle(self, request: rq.AnyRequest) -> None:
        """Carry out one request, or queue what it leads to."""
        if type(request) is rq.Report:
            self._reported(request)
        elif type(request) is rq.Flushed:
            self._flushed(request)
        elif type(request) is rq.Drain:
            self.draining = True
            self._ports.hand_out = False
        elif type(request) is rq.Stop:
            self.stopping = True
        elif type(request) is not rq.Wake:
            if self.stopping:
                self.answers.fail(request.reply, ShuttingDown("the engine is closing"))  # type: ignore[union-attr]
            else:
                self.front.handle(request)

    # ── inputs ───────────────────────────────────────────────────────────────────────────────────

    def give(self, run: ResidentRun, delivery: Delivery) -> None:
        """Queue an input for a run's next turn."""
        run.queue.append(delivery)
        self.ready(run)

    def ready(self, run: ResidentRun) -> None:
        """The run has something to do."""
        self._ready.add(run)

    def ready_together(self, runs: list[ResidentRun]) -> None:
        """These runs begin, all of them or none."""
        self._ready.add_together(runs)

    def load(self, number: int) -> ResidentRun | None:
        """The open run of that number, in memory; it is made ready if loading it found work."""
        run = self.residency.get(number)
        if run is not None and (run.queue or run.note is not None):
            self.ready(run)
        return run

    def _reported(self, report: rq.Report) -> None:
        key = (report.run, report.seq)
        attempts = self.residency.attempts
        if not _is_current(report, attempts.get(key)):
            self.stale_reports += 1
            return
        delivery = Delivery(report.input)
        try:
            run = self.load(report.run)
        except StoreError as exc:
            _log.error("run %d could not be loaded for a report: %s", report.run, exc)
            self.again.keep(report.run, delivery)
            self.again.later()
            run = None
        else:
            if run is None:
                del attempts[key]
                self.stale_reports += 1
                return
            self.give(run, delivery)
        # Until the report is durable the attempt counts as ours, so that loading the run does not repeat it.
        attempts[key] = REPORTED

    def _guarded(self, part: Callable[[], None]) -> None:
        """Work that reads the store of its own accord: when that fails, it is tried again later."""
        try:
            part()
        except StoreError as exc:
            _log.error("the store could not be read: %s", exc)
            self.timers.forget()
            self.recovery.restart()
            self.again.later()

    def _fire_timers(self) -> None:
        if len(self._ready) >= self.settings.turns_per_flush_max:
            return
        for row in self.timers.due(self.settings.turns_per_flush_max):
            if self._failpoints is not None:
                self._failpoints.reach("timer.due")
            self._fire(row)

    def _fire(self, row: TimerRow) -> None:
        run = self.load(row.run)
        if run is None:
            # Its run ended without its history being read (terminated): the row is a leftover.
            self._stale_timers.append((row.due, row.run, row.seq))
        elif run.block is not None or row.seq in run.state.timers or run.flushing:
            self.give(run, Delivery(TimerDue(row.seq, row.due)))

    def _recover(self) -> None:
        """A page of runs that a former process left with something to do, when there is room for it."""
        if self.recovery.pending and len(self._ready) < self.settings.recovery_page:
            if self._failpoints is not None:
                self._failpoints.reach("recovery.page")
            for number in self.recovery.page():
                self.load(number)

    # ── turns and their commit ───────────────────────────────────────────────────────────────────

    def _advance(self) -> None:
        """Build and commit batches; while one is being written, the next is built and waits for it."""
        while True:
            batch = self._built if self._built is not None else Batch()
            self._built = None
            self._ready.take_turns(batch, self.front)
            batch.stale_timers += self._stale_timers
            self._stale_timers.clear()
            if not batch:
                return
            if self._flushing is not None:
                self._built = batch
                return
            self._commit(batch)

    def _commit(self, batch: Batch) -> None:
        if self._failpoints is not None:
            self._failpoints.reach("turns.taken")
        # Whoever replaces a scheduler that fails in the middle of this finds the turns here.
        self._flushing = batch
        if len(batch.turns) > self.settings.turns_inline_max or not self.inbox.empty():
            self.committer.commit_later(batch)
            return
        try:
            refused = self.committer.commit_now(batch)
        except StoreError as exc:
            self._failed(batch, exc)
        else:
            self._finish(batch, refused)
        self._flushing = None

    def _flushed(self, done: rq.Flushed) -> None:
        if done.batch is not self._flushing:
            # It comes from the writer of a scheduler that this one replaced.
            return
        assert done.batch is not None
        if done.error is None:
            self._finish(done.batch, done.refused)
        elif isinstance(done.error, StoreError):
            self._failed(done.batch, done.error)
        else:
            raise done.error
        self._flushing = None

    # ── after the commit ─────────────────────────────────────────────────────────────────────────

    def _finish(self, batch: Batch, refused: dict[int, Refusal]) -> None:
        """The batch is durable: answers leave and effects happen."""
        self.again.succeeded()
        if self._failpoints is not None:
            self._failpoints.reach("commit.before_ack", batch.writes)
        answers = self.answers
        for turn in batch.turns:
            run = turn.run
            run.flushing = False
            if refused and run.run in refused:
                self._refused(turn, refused[run.run])
                continue
            self._effects.answer(turn)
            self._effects.carry_out(turn)
            if run.state.closed_by is None:
                self._go_on(run)
            if run.queries:
                self.front.answer_queries(run)
        if answers.sinks and batch.rows:
            answers.publish(batch, refused)
        if self._failpoints is not None:
            answers.reach("commit.after_ack", batch.writes)

    def _go_on(self, run: ResidentRun) -> None:
        """After a turn: the next one, or other code if it was registered meanwhile."""
        stepper = run.stepper
        if stepper is not None and stepper.definition.code != self.registry.code_of(run.type):
            waiting, queries = run.queue, run.queries
            self.residency.drop(run)
            for delivery in waiting:
                self.again.keep_delivery(run.run, delivery, None)
            for query in queries or ():
                self.submit(query)
            run.queries = None
            self.again.keep(run.run, None)
            self.again.soon()
        elif run.queue:
            self.ready(run)

    def _refused(self, turn: Turn, refusal: Refusal) -> None:
        """The store left this turn out. Nothing of it is recorded, so the run begins again from what is."""
        self.residency.drop(turn.run)
        if turn.opening is not None:
            self.front.start_refused(turn, refusal)
            return
        _log.info("a turn of run %s was refused (%s): it is taken again", turn.run.run_id, refusal.value)
        self.again.keep_turn(turn, None)
        self.again.soon()

    def _failed(self, batch: Batch, error: StoreError) -> None:
        """The commit failed, or its outcome is unknown: nothing in memory can be relied on."""
        _log.error("a commit of %d turns failed: %s", len(batch.turns), error)
        for turn in batch.turns:
            turn.run.flushing = False
            self.residency.drop(turn.run)
            if turn.opening is not None:
                self.front.start_failed(turn.run, turn.opening.reply, error, turn)
                # If it was written all the same, there is work to be handed out.
                self.again.keep(turn.run.run, None)
            else:
                self.again.keep_turn(turn, error)
        self.timers.forget()
        self._stale_timers.extend(batch.stale_timers)
        self.again.later()

    def _give_again(self) -> None:
        inputs = self.again.take()
        for position, (number, delivery) in enumerate(inputs):
            try:
                run = self.load(number)
            except StoreError:
                for kept in inputs[position:]:
                    self.again.keep(*kept)
                self.again.later()
                return
            # What the failed commit held may be in the store all the same: results, or the end of the run.
            self.residency.forget_reported(number)
            if run is None:
                self.front.look_again(number)
            if delivery is None:
                continue
            if run is not None:
                self.give(run, delivery)
            elif delivery.reply is not None:
                self._answer_late(delivery)

    def _answer_late(self, delivery: Delivery) -> None:
        """The run has ended before its input could be given again."""
        if isinstance(delivery.input, TerminateRequested):
            self.answers.give(delivery.reply, delivery.answer)
        else:
            self.answers.fail(delivery.reply, InvalidState("the workflow has ended in the meantime"))

    # ── small things ─────────────────────────────────────────────────────────────────────────────

    def _next_inbox_id(self) -> int:
        self._last_inbox_id = max(self._last_inbox_id + 1, self.clock.now() * 1000)
        return self._last_inbox_id

    def _renew(self) -> None:
        """Keep the shard. Losing it ends this scheduler: its writes would be refused anyway."""
        ttl = self.settings.lease_ttl
        until = self.clock.now() + int(ttl * 1_000_000)
        self._renew_at = self.clock.monotonic() + ttl / 3
        try:
            kept = self.store.renew(self._owner, [self._lease], until)
        except StoreError as exc:
            _log.warning("the lease could not be renewed, it is tried again: %s", exc)
            return
        if not kept:
            raise Fenced("another engine has taken this store over")

    def what_runs(self) -> str:
        """What the engine thread is busy with, for people. May be asked from any thread."""
        run = self._ready.in_turn
        if run is None:
            return "it waits for the store, or for code that is being replayed"
        return f"the code of workflow {run.workflow_id!r} ({run.type}, run {run.run_id}) does not give control back"

    def idle(self) -> bool:
        """Whether nothing can happen before a timer is due or a request comes."""
        return (
            not self._ready
            and self._flushing is None
            and self._built is None
            and not self.residency.attempts
            and not self.recovery.pending
            and not self.again.waiting
            and self.inbox.empty()
        )

    def adopt(self, old: Scheduler) -> None:
        """Take the parts of a scheduler that failed which outlive it."""
        self.inbox = old.inbox
        self.submit = old.submit
        self.committer.report_to(self.submit)
        self.residency.attempts = old.residency.attempts
        self.answers.sinks = old.answers.sinks
        self.draining = old.draining
        self.stopping = old.stopping
        self.front.take_over(old.front)

    def turns_under_way(self) -> list[Turn]:
        """Turns that were taken and whose commit is not known."""
        turns: list[Turn] = []
        for batch in (self._flushing, self._built):
            if batch is not None:
                turns.extend(batch.turns)
        return turns

    def shut(self) -> None:
        """End the code of all runs in memory; what they wait for is in the store."""
        self.committer.close()
        for run in list(self.residency.runs.values()):
            self.residency.drop(run)
        self.front.fail_all(ShuttingDown("the engine was closed"))
        self.answers.send()


def _is_current(report: rq.Report, attempt: tuple[int, int] | None) -> bool:
    """Whether a report belongs to the attempt of this process that is under way."""
    if attempt is None or attempt is REPORTED:
        return False
    arrived = report.input
    return type(arrived) is not ActivityReported or attempt == (arrived.attempt, arrived.dispatch)
