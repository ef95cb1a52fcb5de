"""A run in memory: its state, its code, and the inputs that wait for its next turn."""

from __future__ import annotations

from typing import Any

import msgspec

from aion._core import events as ev
from aion._core.inputs import AnyInput
from aion._core.state import RunState
from aion._flow.stepper import Stepper
from aion.stores.base import RequestRow, RunRow


class Delivery(msgspec.Struct, gc=False):
    """An input on its way into a run.

    `reply` is answered with `answer` once the turn that takes it is durable; `inbox` is the id of its row
    if it was accepted earlier; `request` is kept with the turn so that asking again gives the same answer.
    """

    input: AnyInput
    reply: Any = None
    answer: Any = None
    inbox: int | None = None
    request: RequestRow | None = None


class ResidentRun:
    """One run in memory.

    `stepper` is None while the run is blocked. `opening` holds the start of a run that is not yet recorded.
    `block` says why a blocked run is; `note` is a `WorkflowBlocked` or `WorkflowUnblocked` that its next turn
    records first; `aside` counts what waits in its inbox meanwhile. `flushing` means its last turn is not yet
    durable: it takes no other.
    """

    __slots__ = (
        "aside",
        "block",
        "chain",
        "flushing",
        "last_used",
        "namespace",
        "note",
        "opening",
        "queries",
        "queue",
        "ready",
        "run",
        "run_id",
        "state",
        "stepper",
        "type",
        "workflow_id",
    )

    def __init__(
        self, run: int, namespace: str, workflow_id: str, chain: int, run_id: str, type: str, state: RunState
    ) -> None:
        self.run = run
        self.namespace = namespace
        self.workflow_id = workflow_id
        self.chain = chain
        self.run_id = run_id
        self.type = type
        self.state = state
        self.stepper: Stepper | None = None
        self.aside = 0
        self.opening: Opening | None = None
        self.note: ev.WorkflowBlocked | ev.WorkflowUnblocked | None = None
        self.block: ev.WorkflowBlocked | None = None
        self.queue: list[Delivery] = []
        self.queries: list[Any] | None = None
        self.flushing = False
        self.ready = False
        self.last_used = 0.0

    @property
    def busy(self) -> bool:
        """Whether it must stay in memory now."""
        return self.flushing or self.ready or bool(self.queue) or self.opening is not None


class Opening:
    """The start of a run until it is durable."""

    __slots__ = ("answer", "event", "reply", "request", "row")

    def __init__(self, row: RunRow, event: ev.WorkflowStarted, reply: Any, answer: Any, request: RequestRow | None):
        self.row = row
        self.event = event
        self.reply = reply
        self.answer = answer
        self.request = request
