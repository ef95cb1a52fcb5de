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
from collections import deque
from collections.abc import Callable
from typing import Any

from aion._core.inputs import AttemptLost, TerminateRequested, TimerDue
from aion._runtime import requests as rq
from aion._runtime.answers import Answers
from aion._runtime.clock import Clock
from aion._runtime.commit import Batch, Committer
from aion._runtime.dispatch import ActivityTask
from aion._runtime.entropy import Entropy
from aion._runtime.front import Front
from aion._runtime.recovery import Recovery
from aion._runtime.registry import Registry
from aion._runtime.residency import Residency
from aion._runtime.resident import Delivery, ResidentRun
from aion._runtime.settings import Settings
from aion._runtime.timers import Timers
from aion._runtime.turn import Turn, TurnPorts, take_turn
from aion.errors import AionError, InvalidState, ShuttingDown, StoreError
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
        post: Callable[[list[Any]], None],
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
        self.committer = Committer(store, owner, lease, clock, self.submit)
        self.answers = Answers(post)
        self.front = Front(self, entropy)
        self.stale_reports = 0
        self.stopping = False
        self._ports = TurnPorts(settings.limits, entropy, self._next_inbox_id)
        self._last_inbox_id = 0
        self._ready: deque[ResidentRun] = deque()
        self._groups: deque[list[ResidentRun]] = deque()
        self._stale_timers: list[tuple[int, int, int]] = []
        self._flushing: Batch | None = None
        self._built: Batch | None = None
        self._again: list[tuple[int, Delivery]] = []
        self._again_at: float | None = None
        self._again_delay = settings.retry_first
        self._evict_at = 0.0
        self._lease = lease
        self._owner = owner
        self._renew_at = clock.monotonic() + settings.lease_ttl / 3

    # ── the loop ─────────────────────────────────────────────────────────────────────────────────

    def run(self) -> None:
        """Work until `Stop`."""
        while not self.stopping or self._flushing is not None or self._built is not None:
            self.step(self._wait_time())

    def step(self, timeout: float) -> None:
        """One pass. Waits for a request for at most `timeout` seconds."""
        self._take_requests(timeout)
        if not self.stopping:
            self._fire_timers()
            self._recover()
        if self._ready or self._groups or self._stale_timers or self._built is not None:
            self._advance()
        self.answers.send()
        now = self.clock.monotonic()
        if now >= self._evict_at:
            self.residency.evict()
            self._evict_at = now + 1.0
        if now >= self._renew_at and self._flushing is None:
            self._renew()

    def _wait_time(self) -> float:
        if (self._ready or self._groups or self._built is not None) and self._flushing is None:
            return 0.0
        waits = [1.0]
        due = self.timers.wait()
        if due is not None:
            waits.append(due)
        if self._again_at is not None:
            waits.append(max(0.0, self._again_at - self.clock.monotonic()))
        if self.recovery.pending and len(self._ready) == 0:
            waits.append(0.0)
        return min(waits)

    def _take_requests(self, timeout: float) -> None:
        inbox = self.inbox
        waiting = timeout > 0.0 and self.front.anybody_waits and self.idle()
        request = self.clock.wait(inbox, timeout, self.timers.next_due if waiting else None)
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
        kind = type(request)
        if kind is rq.Report:
            self._reported(request)  # type: ignore[arg-type]
        elif kind is rq.Flushed:
            self._flushed(request)  # type: ignore[arg-type]
        elif kind is rq.Stop:
            self.stopping = True
        elif kind is not rq.Wake:
            if self.stopping:
                self.answers.fail(request.reply, ShuttingDown("the engine is closing"))  # type: ignore[union-attr]
            else:
                self.front.handle(request)  # type: ignore[arg-type]

    # ── inputs ───────────────────────────────────────────────────────────────────────────────────

    def give(self, run: ResidentRun, delivery: Delivery) -> None:
        """Queue an input for a run's next turn."""
        run.queue.append(delivery)
        self.ready(run)

    def ready(self, run: ResidentRun) -> None:
        """The run has something to do."""
        if not run.ready and not run.flushing:
            run.ready = True
            self._ready.append(run)

    def ready_together(self, runs: list[ResidentRun]) -> None:
        """These runs have something to do, and their turns belong in one commit."""
        for run in runs:
            run.ready = True
        self._groups.append(runs)

    def load(self, number: int) -> ResidentRun | None:
        """The open run of that number, in memory; it is made ready if loading it found work."""
        run = self.residency.get(number)
        if run is not None and (run.queue or run.note is not None):
            self.ready(run)
        return run

    def _reported(self, report: rq.Report) -> None:
        key = (report.run, report.seq)
        if self.residency.attempts.pop(key, None) is None:
            self.stale_reports += 1
            return
        run = self.load(report.run)
        if run is None:
            self.stale_reports += 1
        elif type(report.input) is not AttemptLost or run.stepper is not None:
            self.give(run, Delivery(report.input))

    def _fire_timers(self) -> None:
        if self._again_at is not None:
            if self.clock.monotonic() < self._again_at:
                return
            self._give_again()
        if len(self._ready) >= self.settings.turns_per_flush_max:
            return
        for row in self.timers.due(self.settings.turns_per_flush_max):
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
            for number in self.recovery.page():
                self.load(number)

    # ── turns and their commit ───────────────────────────────────────────────────────────────────

    def _advance(self) -> None:
        """Build and commit batches; while one is being written, the next is built and waits for it."""
        while True:
            batch = self._built if self._built is not None else Batch()
            self._built = None
            self._build(batch)
            if not batch:
                return
            if self._flushing is not None:
                self._built = batch
                return
            self._commit(batch)

    def _build(self, batch: Batch) -> None:
        """Let ready runs take their turns, in the order they became ready."""
        now = self.clock.now()
        monotonic = self.clock.monotonic()
        turns = batch.turns
        ready = self._ready
        workflows = self.registry.workflows
        while self._groups:
            for run in self._groups.popleft():
                run.ready = False
                run.flushing = True
                turns.append(take_turn(run, workflows.get(run.type), now, self._ports))
        for _ in range(max(0, min(len(ready), self.settings.turns_per_flush_max - len(turns)))):
            run = ready.popleft()
            run.ready = False
            if self.residency.runs.get(run.run) is not run:
                continue
            self.residency.touch(run, monotonic)
            turn = take_turn(run, workflows.get(run.type), now, self._ports)
            run.flushing = True
            turns.append(turn)
        batch.stale_timers += self._stale_timers
        self._stale_timers.clear()

    def _commit(self, batch: Batch) -> None:
        if len(batch.turns) <= self.settings.turns_inline_max and self.inbox.empty():
            try:
                refused = self.committer.commit_now(batch)
            except StoreError as exc:
                self._failed(batch, exc)
            else:
                self._finish(batch, refused)
        else:
            self._flushing = batch
            self.committer.commit_later(batch)

    def _flushed(self, done: rq.Flushed) -> None:
        if done.batch is not self._flushing:
            # It comes from the writer of a scheduler that this one replaced.
            return
        self._flushing = None
        if done.error is None:
            self._finish(done.batch, done.refused)
        elif isinstance(done.error, StoreError):
            self._failed(done.batch, done.error)
        else:
            raise done.error

    # ── after the commit ─────────────────────────────────────────────────────────────────────────

    def _finish(self, batch: Batch, refused: dict[int, Refusal]) -> None:
        """The batch is durable: answers leave and effects happen."""
        self._again_delay = self.settings.retry_first
        answers = self.answers
        for turn in batch.turns:
            run = turn.run
            run.flushing = False
            if refused and run.run in refused:
                self._refused(turn, refused[run.run])
                continue
            if turn.opening is not None:
                answers.give(turn.opening.reply, turn.opening.answer)
            for delivery in turn.taken:
                if delivery.reply is not None:
                    answers.give(delivery.reply, delivery.answer)
            for delivery, error in turn.refused:
                answers.fail(delivery.reply, error)
            self._carry_out(turn)
        if answers.sinks and batch.rows:
            answers.publish(batch, refused)

    def _carry_out(self, turn: Turn) -> None:
        run = turn.run
        draft = turn.draft
        if draft.armed:
            for seq, timer in draft.armed.items():
                self.timers.add(timer.due, run.run, seq)
        if draft.taken_back:
            for activity in draft.taken_back:
                if self.residency.attempts.pop((run.run, activity.seq), None) is not None:
                    self.answers.cancel(run.run, activity.seq)
        if draft.handed_out:
            self._hand_out(run, draft.handed_out)
        if run.state.closed_by is not None:
            self.residency.drop(run)
            self.front.closed(run)
        elif run.queue:
            self.ready(run)
        if run.queries:
            self.front.answer_queries(run)

    def _hand_out(self, run: ResidentRun, activities: list[Any]) -> None:
        state = run.state
        attempts = self.residency.attempts
        for activity in activities:
            scheduled = activity.scheduled
            # In a longer turn the code may have cancelled it again.
            if not activity.running or state.activities.get(scheduled.id) is not activity:
                continue
            stepper = run.stepper
            waiting = stepper.waiting.get(scheduled.id) if stepper is not None else None
            if waiting is None:
                continue
            attempts[run.run, activity.seq] = (activity.attempt, activity.dispatch)
            self.answers.launch(
                ActivityTask(
                    run.run,
                    activity.seq,
                    scheduled.id,
                    activity.attempt,
                    activity.dispatch,
                    self.registry.activities.get(scheduled.name) or waiting.call.definition,
                    bytes(scheduled.input),
                    scheduled.named,
                    scheduled.timeout,
                    run.namespace,
                    run.workflow_id,
                    run.run_id,
                )
            )

    def _refused(self, turn: Turn, refusal: Refusal) -> None:
        """The store left this turn out. Nothing of it is recorded, so the run begins again from what is."""
        run = turn.run
        self.residency.drop(run)
        if turn.opening is not None:
            self.front.start_refused(turn, refusal)
            return
        _log.info("turn of run %s was refused (%s): it is taken again", run.run_id, refusal.value)
        self._give_later(turn)
        self._again_at = self.clock.monotonic()

    def _failed(self, batch: Batch, error: StoreError) -> None:
        """The commit failed, or its outcome is unknown: nothing in memory can be relied on."""
        _log.error("a commit of %d turns failed: %s", len(batch.turns), error)
        for turn in batch.turns:
            run = turn.run
            run.flushing = False
            self.residency.drop(run)
            if turn.opening is not None:
                self.answers.fail(turn.opening.reply, error)
            else:
                self._give_later(turn, error)
        self.timers.forget()
        self._stale_timers.extend(batch.stale_timers)
        self._again_at = self.clock.monotonic() + self._again_delay
        self._again_delay = min(self._again_delay * 2, self.settings.retry_last)

    def _give_later(self, turn: Turn, error: AionError | None = None) -> None:
        """Callers learn of the failure; inputs that only we know of are kept and given again."""
        run = turn.run
        deliveries = [*turn.taken, *(delivery for delivery, _ in turn.refused), *run.queue]
        for delivery in deliveries:
            if delivery.reply is not None and error is not None:
                self.answers.fail(delivery.reply, error)
            elif delivery.inbox is None and not isinstance(delivery.input, AttemptLost | TimerDue):
                self._again.append((run.run, delivery))
            elif isinstance(delivery.input, TimerDue) and delivery.inbox is None:
                self.timers.add(delivery.input.due, run.run, delivery.input.seq)
        if run.queries:
            for query in run.queries:
                self.answers.fail(query.reply, error or InvalidState("the run was reloaded; ask again"))
        self._again.append((run.run, _NOTHING))

    def _give_again(self) -> None:
        again, self._again = self._again, []
        self._again_at = None
        for position, (number, delivery) in enumerate(again):
            try:
                run = self.load(number)
            except StoreError:
                self._again = again[position:]
                self._again_at = self.clock.monotonic() + self._again_delay
                self._again_delay = min(self._again_delay * 2, self.settings.retry_last)
                return
            if delivery is _NOTHING:
                continue
            if run is not None:
                self.give(run, delivery)
            elif delivery.reply is not None:
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

    def idle(self) -> bool:
        """Whether nothing can happen before a timer is due or a request comes."""
        return (
            not self._ready
            and not self._groups
            and self._flushing is None
            and self._built is None
            and not self.residency.attempts
            and not self.recovery.pending
            and self._again_at is None
            and self.inbox.empty()
        )

    def take_over(self, old: Scheduler) -> None:
        """Go on where a scheduler that failed stopped: from the store, with its queue and what only it knew."""
        old.committer.close()
        self.inbox = old.inbox
        self.submit = old.submit
        self.committer.report_to(self.submit)
        self.residency.attempts = old.residency.attempts
        self.answers.sinks = old.answers.sinks
        self.front.take_over(old.front)
        error = StoreError("the engine had to restart itself; whether this call took effect is unknown: ask again")
        for turn in old.turns_under_way():
            if turn.opening is not None:
                self.answers.fail(turn.opening.reply, error)
            self._give_later(turn, error)
        for run in old.residency.runs.values():
            if run.opening is not None:
                self.answers.fail(run.opening.reply, error)
            for delivery in run.queue:
                if delivery.reply is not None:
                    self.answers.fail(delivery.reply, error)
                elif delivery.inbox is None:
                    self._again.append((run.run, delivery))
            run.stepper = None
        self._again_at = self.clock.monotonic()

    def turns_under_way(self) -> list[Turn]:
        """Turns that were taken and whose commit is not known."""
        turns: list[Turn] = []
        for batch in (self._flushing, self._built):
            if batch is not None:
                turns.extend(batch.turns)
        return turns

    def give_up(self, error: AionError) -> None:
        """Nothing can go on: everybody who waits learns why."""
        for turn in self.turns_under_way():
            for delivery in turn.taken:
                self.answers.fail(delivery.reply, error)
            if turn.opening is not None:
                self.answers.fail(turn.opening.reply, error)
        for run in self.residency.runs.values():
            if run.opening is not None:
                self.answers.fail(run.opening.reply, error)
            for delivery in run.queue:
                self.answers.fail(delivery.reply, error)
        self.front.fail_all(error)
        while True:
            try:
                request = self.inbox.get_nowait()
            except queue.Empty:
                break
            self.answers.fail(getattr(request, "reply", None), error)
        self.answers.send()

    def shut(self) -> None:
        """End the code of all runs in memory; what they wait for is in the store."""
        self.committer.close()
        for run in list(self.residency.runs.values()):
            self.residency.drop(run)
        self.front.fail_all(ShuttingDown("the engine was closed"))
        self.answers.send()


_NOTHING: Any = Delivery(TimerDue(0, 0))
