"""What activity code may ask about the attempt it is running in."""

from __future__ import annotations

import datetime
from contextvars import ContextVar

from aion.errors import InvalidState


class AttemptInfo:
    """One attempt of an activity.

    `idempotency_key` is the same in all attempts of one request: give it to the outside world, so that it
    can tell a repetition. `dispatch` counts the hand-outs of one attempt, whose processes may die. `deadline`
    is when this attempt's time is over, or None. `cancelled` tells synchronous code that nobody waits for it
    any more.
    """

    def __init__(
        self,
        name: str,
        id: str,
        attempt: int,
        namespace: str = "",
        workflow_id: str = "",
        run_id: str = "",
        deadline: datetime.datetime | None = None,
        dispatch: int = 1,
    ) -> None:
        self.name = name
        self.id = id
        self.attempt = attempt
        self.dispatch = dispatch
        self.namespace = namespace
        self.workflow_id = workflow_id
        self.run_id = run_id
        self.cancelled = False
        self.deadline = deadline

    @property
    def idempotency_key(self) -> str:
        return f"{self.namespace}/{self.run_id}/{self.id}"

    def cancel(self) -> None:
        self.cancelled = True

    def __repr__(self) -> str:
        return f"<attempt {self.attempt} of {self.name} {self.id}>"


current_attempt: ContextVar[AttemptInfo | None] = ContextVar("aion_attempt", default=None)


def activity_info() -> AttemptInfo:
    """The attempt this code runs in. Outside a workflow it is a local one that nobody records.

    Raises:
        InvalidState: this is not activity code.
    """
    info = current_attempt.get()
    if info is None:
        raise InvalidState("aion.activity_info() works inside activities only; inside a workflow use aion.info()")
    return info
