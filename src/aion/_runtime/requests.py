"""What the engine thread may be asked. Each request carries its reply, answered on the loop that asked."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

import msgspec

from aion._core import events as ev
from aion._core.inputs import AnyInput
from aion._flow.definitions import Workflow

Reply = asyncio.Future[Any]


@dataclass(slots=True)
class Start:
    """Start a run. Answered with a `Started`."""

    definition: Workflow[..., Any]
    namespace: str
    workflow_id: str
    generated: bool
    input: bytes
    named: bool
    on_conflict: str
    request_id: str | None
    attributes: bytes | None
    summary: str | None
    reply: Any


@dataclass(slots=True)
class StartMany:
    """Start several runs, all or none. Answered with a list of `Started`."""

    starts: list[Start]
    reply: Reply


@dataclass(frozen=True, slots=True)
class Started:
    workflow_id: str
    run_id: str


@dataclass(slots=True)
class Send:
    """Give an input to a run of a workflow: the newest, or the one named. Answered with None."""

    namespace: str
    workflow_id: str
    run_id: str | None
    input: AnyInput
    request_id: str | None
    reply: Reply


class Report(msgspec.Struct, gc=False):
    """An attempt of an activity ended."""

    shard: int
    run: int
    seq: int
    input: AnyInput


@dataclass(slots=True)
class AskOutcome:
    """Answered with an `Outcome` once the run is closed, now or later.

    `reply` may also be a `Start` that waits for its id to be free: it is handled then.
    """

    namespace: str
    workflow_id: str
    run_id: str | None
    reply: Reply | Start


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run ended, and of which type it was."""

    workflow_id: str
    run_id: str
    type: str
    event: ev.AnyEvent


@dataclass(slots=True)
class AskQuery:
    """Answered with the encoded answer of the workflow's handler."""

    namespace: str
    workflow_id: str
    run_id: str | None
    name: str
    argument: bytes | None
    reply: Reply


@dataclass(slots=True)
class Register:
    """The code of these workflow types is new: blocked runs of theirs are tried again. Answered with None."""

    changed: set[str]
    reply: Reply


@dataclass(slots=True)
class Watch:
    """From now on, give every committed event to `sink`, or stop doing so. Answered with None."""

    sink: Any
    on: bool
    reply: Reply


@dataclass(slots=True)
class Flushed:
    """The writer thread is done with a batch."""

    batch: Any
    error: BaseException | None
    refused: dict[int, Any]


@dataclass(slots=True)
class Wake:
    """Look again: the clock was moved, or something else changed outside."""


@dataclass(slots=True)
class Drain:
    """Record what comes, but hand nothing out any more: the engine is about to close."""


@dataclass(slots=True)
class Stop:
    """Finish what is being committed, hand the rest over, and end."""


AnyRequest = (
    Start | StartMany | Send | Report | AskOutcome | AskQuery | Register | Watch | Flushed | Wake | Drain | Stop
)
