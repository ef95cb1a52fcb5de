"""Inputs: what arrives for a run from outside. `decide` turns each into events, or into nothing.

Inputs are also what inbox rows hold, so they have a stable encoding.
"""

from __future__ import annotations

import msgspec
from msgspec import Raw, Struct

from aion._core.events import NO_VALUE, ErrorInfo


class Input(Struct, frozen=True, gc=False, omit_defaults=True, tag=True):
    """The base of all inputs."""


class ActivityReported(Input, frozen=True):
    """An attempt ended: with a result, or with an error of some kind."""

    id: str
    attempt: int
    dispatch: int
    result: Raw = NO_VALUE
    error: ErrorInfo | None = None
    kind: str = "error"
    non_retryable: bool = False


class AttemptLost(Input, frozen=True):
    """Nobody works on this activity: its worker is gone, or it was never handed out."""

    id: str


class TimerDue(Input, frozen=True):
    """The time, `due`, of the timer that event `seq` armed has come."""

    seq: int
    due: int


class SignalArrived(Input, frozen=True):
    name: str
    value: Raw = NO_VALUE


class CancelRequested(Input, frozen=True):
    reason: str = ""


class TerminateRequested(Input, frozen=True):
    reason: str = ""


AnyInput = ActivityReported | AttemptLost | TimerDue | SignalArrived | CancelRequested | TerminateRequested

encode_input = msgspec.json.Encoder().encode
_decoder: msgspec.json.Decoder[AnyInput] = msgspec.json.Decoder(AnyInput)


def decode_input(data: bytes) -> AnyInput:
    """The input that `encode_input` made these bytes from. Raises `msgspec.DecodeError` on anything else."""
    try:
        return _decoder.decode(data)
    except (UnicodeDecodeError, RecursionError) as exc:
        raise msgspec.DecodeError(str(exc)) from exc
