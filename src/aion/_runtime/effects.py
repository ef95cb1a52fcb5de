"""What happens after a commit: attempts are handed out or taken back, timers watched, ends made known."""

from __future__ import annotations

from aion._core.inputs import ActivityReported
from aion._core.state import PendingActivity
from aion._runtime.answers import Answers
from aion._runtime.dispatch import ActivityTask
from aion._runtime.front import Front
from aion._runtime.registry import Registry
from aion._runtime.residency import REPORTED, Residency
from aion._runtime.resident import ResidentRun
from aion._runtime.timers import Timers
from aion._runtime.turn import Turn
from aion.errors import InvalidState


class Effects:
    """Carries out what follows from turns that are durable. Nothing here is done for one that is not."""

    def __init__(
        self, shard: int, residency: Residency, timers: Timers, answers: Answers, front: Front, registry: Registry
    ) -> None:
        self._shard = shard
        self._residency = residency
        self._timers = timers
        self._answers = answers
        self._front = front
        self._registry = registry

    def answer(self, turn: Turn) -> None:
        """Those whose requests the turn carried learn that they are durable."""
        answers = self._answers
        if turn.opening is not None:
            answers.give(turn.opening.reply, turn.opening.answer)
        for delivery in turn.taken:
            if delivery.reply is not None:
                answers.give(delivery.reply, delivery.answer)
        for delivery, error in turn.refused:
            answers.fail(delivery.reply, error)

    def carry_out(self, turn: Turn) -> None:
        """Attempts, timers, and the end of the run."""
        run = turn.run
        draft = turn.draft
        if draft.armed:
            for seq, timer in draft.armed.items():
                self._timers.add(timer.due, run.run, seq)
        if draft.taken_back:
            self._take_back(run, draft.taken_back)
        if draft.handed_out:
            self._hand_out(run, draft.handed_out)
        if turn.inbox:
            self._set_aside(turn)
        if run.state.closed_by is not None:
            self._close(run)

    def _take_back(self, run: ResidentRun, activities: list[PendingActivity]) -> None:
        attempts = self._residency.attempts
        for activity in activities:
            attempt = attempts.pop((run.run, activity.seq), None)
            if attempt is not None and attempt is not REPORTED:
                self._answers.cancel((self._shard, run.run, activity.seq))

    def _hand_out(self, run: ResidentRun, activities: list[PendingActivity]) -> None:
        pending = run.state.activities
        stepper = run.stepper
        if stepper is None:
            return
        waiting = stepper.waiting
        for activity in activities:
            scheduled = activity.scheduled
            future = waiting.get(scheduled.id)
            # In a longer turn the code may have cancelled it again.
            if future is None or not activity.running or pending.get(scheduled.id) is not activity:
                continue
            self._residency.attempts[run.run, activity.seq] = (activity.attempt, activity.dispatch)
            called = future.call.definition
            definition = self._registry.activities.get(scheduled.name) or called
            self._answers.launch(
                ActivityTask(
                    self._shard,
                    run.run,
                    activity.seq,
                    scheduled.id,
                    activity.attempt,
                    activity.dispatch,
                    definition,
                    # How the call wants it run, unless the function has become another kind since.
                    (called if called.is_async == definition.is_async else definition).settings.executor,
                    bytes(scheduled.input),
                    scheduled.named,
                    scheduled.timeout,
                    run.namespace,
                    run.workflow_id,
                    run.run_id,
                )
            )

    def _set_aside(self, turn: Turn) -> None:
        """Reports that went to the inbox are durable there: their attempts are over for this process."""
        for delivery in turn.taken:
            if type(delivery.input) is ActivityReported:
                reported = turn.run.state.activities.get(delivery.input.id)
                if reported is not None:
                    self._residency.attempts.pop((turn.run.run, reported.seq), None)

    def _close(self, run: ResidentRun) -> None:
        for delivery in run.queue:
            # It came while the end was being written, and was not acknowledged.
            self._answers.fail(
                delivery.reply,
                InvalidState(f"workflow {run.workflow_id!r} is {run.state.status}: it takes no more inputs"),
            )
        run.queue.clear()
        self._residency.drop(run)
        self._front.closed(run)
