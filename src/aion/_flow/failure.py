"""Exceptions to what history keeps of them, and back."""

from __future__ import annotations

import traceback
from typing import Any

import msgspec
from msgspec import Raw

from aion._core.events import NO_VALUE, ErrorInfo
from aion._flow.location import short_name
from aion.errors import ActivityFailed, AionError, ApplicationError, ErrorDetail

MESSAGE_CHARACTERS_MAX = 8_000
NAME_CHARACTERS_MAX = 255
DETAILS_BYTES_MAX = 512 * 1024
TRACEBACK_FRAMES_MAX = 20
_CAUSES_MAX = 5


def info_of(exc: BaseException, depth: int = 0) -> ErrorInfo:
    """What is recorded of an exception: bounded, and made even when its `__str__` raises."""
    type_name = getattr(exc, "type", None) if isinstance(exc, ApplicationError) else None
    cause = exc.__cause__
    return ErrorInfo(
        type=_name(type_name if isinstance(type_name, str) else type(exc).__name__),
        message=_message(exc),
        details=_details(exc),
        traceback=_traceback(exc),
        cause=info_of(cause, depth + 1) if cause is not None and depth < _CAUSES_MAX else None,
        bases=tuple(_name(base.__name__) for base in type(exc).__mro__[1:-1]),
    )


def detail_of(info: ErrorInfo) -> ErrorDetail:
    """A recorded error for users."""
    return ErrorDetail(
        info.type,
        info.message,
        msgspec.json.decode(info.details),
        info.traceback,
        None if info.cause is None else detail_of(info.cause),
        info.bases,
    )


def activity_failed(name: str, info: ErrorInfo, kind: str, attempt: int) -> ActivityFailed:
    """The exception that an awaiting workflow gets."""
    return ActivityFailed(name, detail_of(info), kind=kind, attempt=attempt)


def _message(exc: BaseException) -> str:
    try:
        text = str(exc)
    except Exception as inner:  # noqa: BLE001 - what a user's object raises is not the matter here
        return f"<its __str__ raised {type(inner).__name__}>"
    text = _encodable(text)
    return text if len(text) <= MESSAGE_CHARACTERS_MAX else text[: MESSAGE_CHARACTERS_MAX - 1] + "…"


def _name(name: str) -> str:
    return _encodable(name)[:NAME_CHARACTERS_MAX]


def _encodable(text: str) -> str:
    """A lone surrogate cannot be encoded; what else the text says is worth keeping."""
    return text.encode("utf-8", "replace").decode()


def _details(exc: BaseException) -> Raw:
    details: Any = getattr(exc, "details", None) if isinstance(exc, AionError) else None
    if details is None:
        return NO_VALUE
    try:
        data = msgspec.json.encode(details)
    except Exception as inner:  # noqa: BLE001 - what a user's object raises is not the matter here
        data = msgspec.json.encode(f"<details cannot be encoded: {type(inner).__name__}>")
    if len(data) > DETAILS_BYTES_MAX:
        data = msgspec.json.encode(f"<details of {len(data):,} bytes: the limit is {DETAILS_BYTES_MAX:,}>")
    return Raw(data)


def _traceback(exc: BaseException) -> str:
    frames = traceback.extract_tb(exc.__traceback__)
    kept = [frame for frame in frames if short_name(frame.filename)][-TRACEBACK_FRAMES_MAX:]
    lines = [f"  {short_name(frame.filename)}:{frame.lineno} in {frame.name}: {frame.line or ''}" for frame in kept]
    return "\n".join(lines)
