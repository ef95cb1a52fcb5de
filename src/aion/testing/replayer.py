"""Replay a recorded history against the code that is there now."""

from __future__ import annotations

from typing import Any

import msgspec

from aion._core import events as ev
from aion._core.codec import decode_event
from aion._core.limits import Limits
from aion._flow.definitions import Workflow
from aion._flow.replayer import Recorded
from aion._flow.replayer import replay as replay_history
from aion._flow.stepper import Stepper
from aion._runtime.views import History
from aion.errors import InvalidInput


def replay(history: History, workflow: Workflow[..., Any]) -> None:
    """Check that the code does what a history records. A plain, synchronous call; nothing is run outside.

    `history` is what `await handle.history()` gives, or `History.from_json` of what `aion history --json` wrote.

    Raises:
        NonDeterminism: it does not; the message names the first difference, its line, and both commands.
        InvalidInput: this is not a whole history from its beginning.
    """
    recorded = decode_history(history)
    started = recorded[0].event
    assert isinstance(started, ev.WorkflowStarted)
    stepper = Stepper(workflow, started, recorded[0].time, Limits())
    try:
        replay_history(stepper, recorded)
    finally:
        stepper.close()


def decode_history(history: History) -> list[Recorded]:
    """Events for users as the replayer takes them."""
    recorded: list[Recorded] = []
    size = 0
    for event in history:
        data = msgspec.json.encode(event.data)
        size += len(data)
        micros = round(event.time.timestamp() * 1_000_000)
        recorded.append(Recorded(event.seq, micros, size, decode_event(event.type, data)))
    if not recorded or not isinstance(recorded[0].event, ev.WorkflowStarted):
        raise InvalidInput("a history to replay begins with its WorkflowStarted event")
    return recorded
