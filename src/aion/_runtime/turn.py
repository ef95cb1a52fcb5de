"""A turn: one run takes the inputs that wait for it, its code moves, and all of it becomes one draft.

Inputs are applied one at a time; what the code asks for after each follows it in history before the next.
So it never matters how inputs were split into turns.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from aion._core import events as ev
from aion._core.commands import ScheduleActivity, event_of
from aion._core.decide import decide
from aion._core.draft import Draft
from aion._core.inputs import SignalArrived, TerminateRequested, TimerDue, encode_input
from aion._core.limits import Limits
from aion._flow.definitions import Workflow
from aion._flow.stepper import Stepper, reacts
from aion._runtime.entropy import Entropy
from aion._runtime.resident import Delivery, Opening, ResidentRun
from aion.errors import AionError, InvalidState, LimitExceeded
from aion.stores.base import InboxRow


class Turn:
    """One run's part of a flush. `taken` are the inputs it consumed, `refused` those it answers with an error."""

    __slots__ = ("draft", "inbox", "opening", "refused", "run", "taken")

    def __init__(self, run: ResidentRun) -> None:
        self.run = run
        self.draft = Draft(run.state)
        self.opening: Opening | None = None
        self.taken: list[Delivery] = []
        self.refused: list[tuple[Delivery, AionError]] = []
        self.inbox: list[InboxRow] = []


@dataclass(slots=True)
class TurnPorts:
    """What turns need besides the run: bounds, randomness, and ids for inbox rows that ascend.

    `hand_out` is False while the engine closes: activities are then recorded, and handed out by the next one.
    """

    limits: Limits
    entropy: Entropy
    next_inbox_id: Callable[[], int]
    hand_out: bool = True


def take_turn(run: ResidentRun, definition: Workflow[..., object] | None, now: int, ports: TurnPorts) -> Turn:
    """Let a run take everything that waits for it. Its state is ahead of the store until the turn is committed."""
    turn = Turn(run)
    state = run.state
    time = max(now, state.time)
    draft = turn.draft
    if run.opening is not None:
        assert definition is not None
        turn.opening = run.opening
        run.stepper = Stepper(definition, turn.opening.event, time, ports.limits)
        _apply(run, draft, turn.opening.event, time, ports.hand_out)
    if run.note is not None:
        draft.record(run.note, time)
        run.note = None
    _mind_the_length(run, draft, time, ports.limits)
    # Ending a run needs no code: what waits for it enters its history first.
    ending = run.stepper is None and any(type(delivery.input) is TerminateRequested for delivery in run.queue)
    for delivery in run.queue:
        if run.stepper is None and not ending:
            _set_aside(turn, delivery, ports)
        else:
            _take(turn, delivery, time, ports)
    # Not before: whoever gives a turn up that never ends must find what it was given.
    run.opening = None
    run.queue = []
    draft.close()
    return turn


def _take(turn: Turn, delivery: Delivery, time: int, ports: TurnPorts) -> None:
    run = turn.run
    arrived = delivery.input
    if type(arrived) is SignalArrived and delivery.inbox is None:
        refusal = _refusal(run, arrived, ports.limits)
        if refusal is not None:
            turn.refused.append((delivery, refusal))
            return
    turn.taken.append(delivery)
    for event in decide(run.state, arrived, ports.entropy.spread):
        _apply(run, turn.draft, event, time, ports.hand_out)


def _mind_the_length(run: ResidentRun, draft: Draft, time: int, limits: Limits) -> None:
    """A history that is too long to be rebuilt in reasonable time stops growing; nothing of it is lost."""
    state = run.state
    if run.stepper is None or state.closed_by is not None:
        return
    if state.seq < limits.history_events_max and state.size < limits.history_bytes_max:
        return
    run.stepper.close()
    run.stepper = None
    run.block = ev.WorkflowBlocked(
        "history limit",
        f"history:{limits.history_events_max}:{limits.history_bytes_max}",
        f"the history has {state.seq:,} events and {state.size:,} bytes: open the engine with higher limits to let the "
        "run finish, and split the work over several runs",
    )
    draft.record(run.block, time)


def _refusal(run: ResidentRun, arrived: SignalArrived, limits: Limits) -> AionError | None:
    if run.state.closed_by is not None:
        return InvalidState(f"workflow {run.workflow_id!r} is {run.state.status}: it takes no more signals")
    box = run.stepper.signals.get(arrived.name) if run.stepper is not None else None
    if box is not None and len(box.buffer) >= limits.unread_signals_max:
        return LimitExceeded(
            f"workflow {run.workflow_id!r} has {len(box.buffer):,} unread signals named {arrived.name!r}, which is the "
            "limit: send slower, or have the workflow receive them"
        )
    return None


def _apply(run: ResidentRun, draft: Draft, event: ev.AnyEvent, time: int, hand_out: bool) -> None:
    """Record an input's event, let the code react, and record what it asked for."""
    draft.record(event, time)
    stepper = run.stepper
    if stepper is None or not reacts(event):
        return
    state = run.state
    stepper.react(event, time, state.seq, state.size)
    commands = stepper.loop.commands
    if commands:
        for command in commands:
            draft.record(event_of(command))
            if hand_out and type(command) is ScheduleActivity:
                # The hand-out is recorded with the request, so that a sequential step costs one commit.
                draft.record(ev.ActivityStarted(command.id))
        commands.clear()
    if stepper.outcome is not None:
        draft.record(stepper.outcome)


def _set_aside(turn: Turn, delivery: Delivery, ports: TurnPorts) -> None:
    """The run cannot move: its input becomes a durable inbox row, and that is its acknowledgement."""
    if type(delivery.input) is SignalArrived and delivery.inbox is None:
        waiting, bound = turn.run.aside, ports.limits.unread_signals_max
        if waiting >= bound:
            refusal = LimitExceeded(
                f"workflow {turn.run.workflow_id!r} is blocked and has {waiting:,} inputs waiting, which is the limit: "
                "load code that fits it, or terminate it"
            )
            turn.refused.append((delivery, refusal))
            return
    turn.taken.append(delivery)
    if delivery.inbox is not None:
        # It is in the inbox already and stays there.
        delivery.inbox = None
        return
    arrived = delivery.input
    run = turn.run.run
    turn.run.aside += 1
    turn.inbox.append(InboxRow(run, ports.next_inbox_id(), "input", encode_input(arrived)))
    if type(arrived) is TimerDue:
        turn.draft.disarmed.append((arrived.due, run, arrived.seq))
