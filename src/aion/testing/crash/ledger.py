"""The effect ledger: what activities did to the world, written by themselves and independent of the engine.

Every execution of an activity is one line, synced before the activity goes on: for whom it was done
(idempotency key), in which attempt and hand-out, by which process, and with what result. The result carries
a token of that very execution into the history, so that a checker can tell whose outcome was recorded.
"""

from __future__ import annotations

import os
import uuid
from dataclasses import dataclass
from typing import Any

from aion._flow.activity_context import activity_info
from aion.testing.crash.folder import LEDGER, here
from aion.testing.crash.journal import Journal


@dataclass(frozen=True)
class Effect:
    """The result of one execution: its value, and the token of its line in the ledger."""

    value: Any
    token: str


def record_effect(value: Any = None) -> Effect:
    """Enter the present execution of an activity into the ledger. To be called in activity code, once."""
    info = activity_info()
    effect = Effect(value, uuid.uuid4().hex)
    Journal(here() / LEDGER).append(
        {
            "key": info.idempotency_key,
            "name": info.name,
            "attempt": info.attempt,
            "dispatch": info.dispatch,
            "pid": os.getpid(),
            "value": value,
            "token": effect.token,
        }
    )
    return effect
