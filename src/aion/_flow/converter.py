"""Values to bytes and back: JSON by type hint. What would not come back is refused before anything is recorded.

`encode` is on the hottest path there is: one call of the JSON library, then three searches of the bytes. Only bytes
that hold `null`, an array or many objects can hide something, and only then the value itself is looked through:
the library writes NaN as `null`, and a set as an array in whatever order this process has it.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any, LiteralString, Never, NoReturn

import msgspec

from aion._core.limits import Limits
from aion._flow.foreign import from_plain, to_json
from aion._flow.soundness import ENCODE_ERRORS, holds_sets, refusal, refuse_long_integers, with_sorted_sets
from aion.errors import InvalidInput, PayloadTooLarge

_INT_DIGITS_MAX = Limits.int_digits_max
_DEPTH_MAX = Limits.depth_max
_LONG_INTEGER = re.compile(rb"[0-9]{%d}" % (_INT_DIGITS_MAX + 1))

# Looking for one byte takes a tenth of the time of looking for text, and most texts without `null` have no `u`.
_BRACKET = ord("[")
_LETTER_U = ord("u")

# Objects take at least five bytes a level: `{"":` and `}`.
_DEEP_BYTES_MIN = 5 * _DEPTH_MAX


def encode(value: object, limit: int = Limits.payload_bytes_max, what: str = "value") -> bytes:
    """A value as JSON; `limit` in bytes. The keys of a dict keep their order, sets are sorted.

    Raises:
        InvalidInput: the value, or a part of it, would not come back; the message says which part and why.
        PayloadTooLarge: it takes more bytes than `limit`.
    """
    try:
        data = to_json(value)
    except ENCODE_ERRORS as error:
        refused = refusal(value, error, what)
        if refused is None:
            raise
        raise refused from error
    size = len(data)
    if size > limit:
        raise PayloadTooLarge(what, size, limit)
    if size > _INT_DIGITS_MAX and _python_writes_longer_integers() and _LONG_INTEGER.search(data):
        refuse_long_integers(value, what)
    if (
        _BRACKET in data
        or (_LETTER_U in data and b"null" in data)
        or (size > _DEEP_BYTES_MIN and data.count(b"{") > _DEPTH_MAX)
    ) and holds_sets(value, what):
        data = to_json(with_sorted_sets(value))
    return data


class ValueCodec:
    """Writes values, and reads them by one type hint; made once for each place where values pass.

    `hint` is the type that `decode` gives; None, or Any, is plain JSON. `what` begins the messages.

    Raises:
        InvalidInput: values of this type cannot be told apart, or made, from JSON.
    """

    __slots__ = ("_decode", "hint", "what")

    def __init__(self, hint: Any = None, what: str = "value") -> None:
        self.hint = Any if hint is None else hint
        self.what = what
        self._decode: Callable[[bytes], Any] | None = None
        # A field may be of a class that is defined further down: it is then looked up when the first value comes.
        with suppress(NameError):
            self._decode = _decoder(self.hint, what)

    def encode(self, value: object, limit: int = Limits.payload_bytes_max) -> bytes:
        """The value as JSON, whatever its type.

        Raises:
            InvalidInput: it would not come back.
            PayloadTooLarge: it takes more bytes than `limit`.
        """
        return encode(value, limit, self.what)

    def encode_checked(self, value: object, limit: int = Limits.payload_bytes_max) -> bytes:
        """The value as JSON, if it can be read back by the hint. For senders, who are the ones to be told.

        Raises:
            InvalidInput: it would not come back, or is of another type.
            PayloadTooLarge: it takes more bytes than `limit`.
        """
        data = encode(value, limit, self.what)
        if self.hint is not Any:
            self.decode(data)
        return data

    def decode(self, data: bytes) -> Any:
        """The value of the hinted type that the bytes stand for.

        Raises:
            InvalidInput: they are not JSON, or not of that type; the message has the place.
        """
        decode = self._decode
        if decode is None:
            decode = self._decode = self._resolved()
        try:
            return decode(data)
        except Exception as error:  # classes of the user's are built here, and may raise anything
            if isinstance(error, msgspec.ValidationError) and "out of range" in str(error):
                return self._decode_slowly(data)
            raise self._unreadable(error) from error

    def _decode_slowly(self, data: bytes) -> Any:
        # The fast reader counts a minus sign as a digit, and so refuses the longest negative integers.
        try:
            plain = json.loads(data, parse_constant=_refuse_constant)
            return msgspec.convert(plain, self.hint, str_keys=True, dec_hook=from_plain)
        except Exception as error:  # as in `decode`
            raise self._unreadable(error) from error

    def _resolved(self) -> Callable[[bytes], Any]:
        try:
            return _decoder(self.hint, self.what)
        except NameError as error:
            raise InvalidInput(f"{self.what}: {unresolved(self.hint, error)}") from error

    def _unreadable(self, error: Exception) -> Exception:
        if isinstance(error, MemoryError):
            return error
        if isinstance(error, RecursionError):
            return InvalidInput(f"{self.what}: the JSON is nested too deep to be read")
        kind = "" if isinstance(error, msgspec.MsgspecError) else f"{type(error).__name__}: "
        return InvalidInput(f"{self.what}: {kind}{error}")

    def __repr__(self) -> str:
        return f"ValueCodec({self.hint!r})"


def codec_for(hint: Any = None, what: str = "value") -> ValueCodec:
    """The codec of a type hint. Keep it: making one costs many times what using it does."""
    return ValueCodec(hint, what)


def readable(hint: Any) -> Any:
    """The type to read by for a hint that says something about code rather than about values."""
    if hint is NoReturn or hint is Never:
        return Any
    return str if hint is LiteralString else hint


def unresolved(hint: Any, error: NameError) -> str:
    """What to say of a hint that names something which is not there."""
    return (
        f"the type {hint!r} cannot be resolved ({error}): define or import the name in the module, "
        "outside `if TYPE_CHECKING:` and outside functions"
    )


def _decoder(hint: Any, what: str) -> Callable[[bytes], Any]:
    try:
        return msgspec.json.Decoder(readable(hint), dec_hook=from_plain).decode
    except NameError:
        raise
    except Exception as error:  # hints are expressions of the user's, and fail in many ways
        advice = (
            ": tag the classes (class Card(msgspec.Struct, tag=True)), or use one type" if "union" in str(error) else ""
        )
        raise InvalidInput(f"{what}: the type {hint!r} cannot be read from JSON: {error}{advice}") from error


def _python_writes_longer_integers() -> bool:
    return not 0 < sys.get_int_max_str_digits() <= _INT_DIGITS_MAX


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")
