"""A run without an engine: a test says what happens to it, and sees what its code asks for.

After each input the code moves, and what it asked for follows the input in the history, as a turn would record it.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

import msgspec
from msgspec import Raw

from aion._core import events as ev
from aion._core.codec import encode_event
from aion._core.commands import event_of
from aion._core.limits import DEFAULT_LIMITS, Limits
from aion._core.state import RunState
from aion._flow.definitions import Workflow, WorkflowCall
from aion._flow.replayer import Recorded, replay
from aion._flow.stepper import Stepper, reacts

START = 1_700_000_000_000_000
SECOND = 1_000_000
OPEN: weakref.WeakSet[Story] = weakref.WeakSet()
"""Stories whose code a test has not closed; `conftest` does."""


class Story:
    """One run of a workflow, from its start on."""

    def __init__(self, call: WorkflowCall[Any], *, limits: Limits = DEFAULT_LIMITS, run_id: str = "r1") -> None:
        OPEN.add(self)
        call.take()
        self.definition: Workflow[..., Any] = call.definition
        self.limits = limits
        payload, named = self.definition.signature.encode_call(call.args, call.kwargs, limits.payload_bytes_max)
        self.started = ev.WorkflowStarted(
            self.definition.name, "w1", run_id, "default", Raw(payload), named, self.definition.version
        )
        self.now = START
        self.history: list[Recorded] = []
        self.state = RunState(1, b"")
        self.size = 0
        self.stepper = Stepper(self.definition, self.started, START, limits)
        self.give(self.started)

    def give(self, event: ev.AnyEvent, after: float = 0.0) -> None:
        """Let something happen, `after` seconds from now."""
        self.now += round(after * SECOND)
        self._record(event)
        if reacts(event):
            self.stepper.react(event, self.now, len(self.history), self.size)
        for command in self.stepper.loop.commands:
            self._record(event_of(command))
        self.stepper.loop.commands.clear()
        if self.stepper.outcome is not None and self.state.closed_by is None:
            self._record(self.stepper.outcome)

    def _record(self, event: ev.AnyEvent) -> None:
        self.size += len(encode_event(event))
        self.history.append(Recorded(len(self.history) + 1, self.now, self.size, event))
        self.state.apply(event, self.now)

    # ── what may happen ──────────────────────────────────────────────────────────────────────────

    def complete(self, id: str, value: Any = None) -> None:
        """An activity gives a result."""
        self.give(ev.ActivityCompleted(id, Raw(msgspec.json.encode(value))))

    def fail(self, id: str, type: str = "Oops", message: str = "no", **fields: Any) -> None:
        """An activity fails for good."""
        self.give(ev.ActivityFailed(id, ev.ErrorInfo(type, message, bases=("Exception",)), **fields))

    def fire(self) -> None:
        """The timer that is due next fires, at its time."""
        timer = min(self.state.timers.values(), key=lambda timer: (timer.due, timer.seq))
        self.give(ev.TimerFired(timer.id), (timer.due - self.now) / SECOND)

    def signal(self, name: str, value: Any = None) -> None:
        """A signal arrives."""
        self.give(ev.SignalReceived(name, Raw(msgspec.json.encode(value))))

    def cancel(self, reason: str = "") -> None:
        """Somebody asks the run to end."""
        self.give(ev.WorkflowCancelRequested(reason))

    def go(self, answer: Callable[[str, str], Any] = lambda name, id: id) -> Any:
        """Answer activities in the order in which they were asked for, then fire timers, until the run has ended.

        The outcome; None if the run waits for something else.
        """
        while self.outcome is None:
            waiting = list(self.state.activities.values())
            if waiting:
                scheduled = waiting[0].scheduled
                self.complete(scheduled.id, answer(scheduled.name, scheduled.id))
            elif self.state.timers:
                self.fire()
            else:
                return None
        return self.outcome

    # ── what came of it ──────────────────────────────────────────────────────────────────────────

    @property
    def outcome(self) -> ev.AnyEvent | None:
        """How the run ended, if it did."""
        return self.stepper.outcome

    @property
    def result(self) -> Any:
        """What the workflow function returned."""
        outcome = self.stepper.outcome
        if isinstance(outcome, ev.WorkflowFailed):
            raise AssertionError(f"the workflow failed with {outcome.error.type}: {outcome.error.message}")
        assert isinstance(outcome, ev.WorkflowCompleted), f"the workflow has not completed: {outcome}"
        return msgspec.json.decode(outcome.result)

    @property
    def error(self) -> ev.ErrorInfo:
        """What the workflow function raised."""
        outcome = self.stepper.outcome
        assert isinstance(outcome, ev.WorkflowFailed), f"the workflow has not failed: {outcome}"
        return outcome.error

    def shape(self) -> list[str]:
        """The history as one word an event: its type, and the id or name in it."""
        return [told(recorded.event) for recorded in self.history]

    def replayed(self, to: int | None = None, definition: Workflow[..., Any] | None = None) -> Stepper:
        """Another copy of the code, brought to the end of this history, or to event `to` of it. To be closed."""
        history = self.history[:to]
        stepper = Stepper(definition or self.definition, self.started, START, self.limits)
        try:
            replay(stepper, history)
        except BaseException:
            stepper.close()
            raise
        return stepper

    def close(self) -> None:
        """End the code."""
        self.stepper.close()


def told(event: ev.AnyEvent) -> str:
    """An event as one word."""
    for field in ("id", "name", "change"):
        value = getattr(event, field, None)
        if value is not None:
            return f"{type(event).__name__}:{value}"
    return type(event).__name__


def inputs_of(history: list[Recorded]) -> list[int]:
    """The places in a history before which it can be cut: where a turn may have ended."""
    return [*[index for index, recorded in enumerate(history) if reacts(recorded.event)][1:], len(history)]


def replay_everywhere(story: Story) -> int:
    """Cut the history at every input, replay up to there, go on live, and compare; how many cuts there were.

    Whatever was recorded, a run that was rebuilt in the middle of it does the same from there on.
    """
    cuts = inputs_of(story.history)
    for cut in cuts:
        stepper = story.replayed(cut)
        try:
            done = list(story.history[:cut])
            for recorded in story.history[cut:]:
                if reacts(recorded.event):
                    done.append(recorded)
                    stepper.react(recorded.event, recorded.time, recorded.seq, recorded.size)
                    for command in stepper.loop.commands:
                        event = event_of(command)
                        expected = story.history[len(done)]
                        assert _without_line(event) == _without_line(expected.event), f"cut at {cut}"
                        done.append(expected)
                    stepper.loop.commands.clear()
                    if stepper.outcome is not None and len(done) < len(story.history):
                        assert told(stepper.outcome) == told(story.history[len(done)].event), f"cut at {cut}"
                        done.append(story.history[len(done)])
            assert len(done) == len(story.history), f"cut at {cut}: {len(done)} of {len(story.history)} events"
        finally:
            stepper.close()
    return len(cuts)


def _without_line(event: Any) -> bytes:
    """An event's bytes without the place in the code, which replay does not compare."""
    return encode_event(msgspec.structs.replace(event, at="") if hasattr(event, "at") else event)
