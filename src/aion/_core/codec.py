"""Events to bytes and back, strictly, by a table of types and versions.

The type column of an event names its type and version: `TimerStarted` is version 1, `TimerStarted.2`
would be version 2. A version that is no longer written keeps its decoder here, followed by an upcast to
the present one. A type that is not in the table is an error for its run and for nothing else.
"""

from __future__ import annotations

import typing

import msgspec

from aion._core.events import AnyEvent
from aion.errors import StoreCorrupt

_TYPES: tuple[type[AnyEvent], ...] = typing.get_args(AnyEvent)

NAME_OF: dict[type, str] = {cls: cls.__name__ for cls in _TYPES}
"""The name under which the present version of each event is written."""

_DECODERS: dict[str, msgspec.json.Decoder[AnyEvent]] = {NAME_OF[cls]: msgspec.json.Decoder(cls) for cls in _TYPES}

encode_event = msgspec.json.Encoder().encode
"""An event's bytes. Deterministic: fields in order of declaration, defaults left out."""


def decode_event(name: str, data: bytes) -> AnyEvent:
    """The event that `encode_event` made these bytes from.

    Raises:
        StoreCorrupt: the type is unknown to this version of Aion, or the bytes do not fit it.
    """
    decoder = _DECODERS.get(name)
    if decoder is None:
        raise StoreCorrupt(
            f"event type {name!r} is unknown to this version of Aion: the history was written by a newer one; upgrade"
        )
    try:
        return decoder.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as exc:
        # What is no UTF-8, or nested without end, is reported by other exceptions than what is no JSON.
        raise StoreCorrupt(f"event of type {name!r} cannot be decoded: {exc}") from exc
