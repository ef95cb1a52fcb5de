"""How a run ended, from its history, in the form in which calls and models give it."""

from __future__ import annotations

from typing import Any

import msgspec

from aion._core import events as ev
from aion.testing.crash.evidence import RunEvidence


def outcome_in(run: RunEvidence) -> list[Any]:
    """`["completed", value]`, `["failed", type]`, `["cancelled"]`, `["terminated"]`, or `["open"]`."""
    match run.history[-1].event if run.history else None:
        case ev.WorkflowCompleted(result):
            return ["completed", msgspec.json.decode(result)]
        case ev.WorkflowFailed(error):
            return ["failed", error.type]
        case ev.WorkflowCancelled():
            return ["cancelled"]
        case ev.WorkflowTerminated():
            return ["terminated"]
    return ["open"]
