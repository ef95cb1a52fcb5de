"""Ids and names: which ones are accepted, and how new ones are made from a given time and given random bytes."""

from __future__ import annotations

import re

from aion._core.excerpt import excerpt
from aion._core.limits import Limits
from aion.errors import InvalidInput

RESERVED_PREFIX = "aion:"

TEXT_CHARACTERS_MAX = 1_000

RANDOM_BITS = 20
RUN_NUMBER_MAX = 2**63 - 1

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


def check_id(value: object, what: str) -> str:
    """The value, if it can be an id: text of 1 to 255 bytes in UTF-8 without control characters.

    Raises:
        InvalidInput: it cannot; the message begins with `what`.
    """
    if not isinstance(value, str):
        raise InvalidInput(f"{what} must be text, not {excerpt(value)} ({type(value).__name__})")
    if type(value) is not str:
        # A subclass (an enum member, say) would be written to the store and compared in ways of its own.
        value = str.__str__(value)
    if value.isascii() and value.isprintable() and 0 < len(value) <= Limits.id_bytes_max:
        return value
    if not value:
        raise InvalidInput(f"{what} is empty: give a text of 1 to {Limits.id_bytes_max} bytes")
    control = _CONTROL.search(value)
    if control is not None:
        raise InvalidInput(f"{what} {excerpt(value)} holds the control character {control[0]!r}: leave it out")
    try:
        size = len(value.encode())
    except UnicodeEncodeError as error:
        lone = value[error.start]
        raise InvalidInput(
            f"{what} {excerpt(value)} holds the lone surrogate {lone!r}, which is no character"
        ) from None
    if size > Limits.id_bytes_max:
        raise InvalidInput(f"{what} {excerpt(value)} is {size:,} bytes long, the limit is {Limits.id_bytes_max}")
    return value


def check_text(value: object, what: str) -> str:
    """The value, if it is a text of at most 1,000 characters that can be written: a reason, a summary.

    Raises:
        InvalidInput: it is not.
    """
    if not isinstance(value, str) or len(value) > TEXT_CHARACTERS_MAX:
        found = f"{len(value):,} characters" if isinstance(value, str) else type(value).__name__
        raise InvalidInput(f"{what} must be a text of at most {TEXT_CHARACTERS_MAX:,} characters, found {found}")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        lone = value[error.start]
        raise InvalidInput(f"{what} holds the lone surrogate {lone!r}, which is no character") from None
    return value


def check_name(value: object, what: str) -> str:
    """The value, if a workflow, an activity, a signal or the like can be called that.

    Raises:
        InvalidInput: it is no valid id, or begins with `aion:`, which is kept for the engine's own.
    """
    name = check_id(value, what)
    if name.startswith(RESERVED_PREFIX):
        raise InvalidInput(f"{what} {name!r} begins with {RESERVED_PREFIX!r}, which is reserved: choose another name")
    return name


def run_number(now_micros: int, last: int, low_bits: int) -> int:
    """A number for a new run, greater than `last`: milliseconds since the epoch, then 20 bits of `low_bits`.

    Ascending numbers keep new rows at the end of an index, which is where inserting is cheap. It fits a signed
    64-bit column. A clock that stands still, or jumps back, gives `last + 1`.
    """
    millis = max(now_micros, 0) // 1000
    number = max(millis << RANDOM_BITS | low_bits & (1 << RANDOM_BITS) - 1, last + 1)
    assert number <= RUN_NUMBER_MAX, f"run number {number} for the time {now_micros} µs does not fit 63 bits"
    return number


def new_uuid7(now_micros: int, random_bytes: bytes) -> str:
    """A UUID of version 7 (RFC 9562) as text: ids made later sort after those of earlier milliseconds.

    `random_bytes` are ten, of which 74 bits are used.
    """
    assert len(random_bytes) == 10, f"a UUID takes 10 random bytes, got {len(random_bytes)}"
    millis = max(now_micros, 0) // 1000 & (1 << 48) - 1
    high = int.from_bytes(random_bytes[:2]) & 0xFFF
    low = int.from_bytes(random_bytes[2:]) & (1 << 62) - 1
    text = f"{millis << 80 | 0x7 << 76 | high << 64 | 0b10 << 62 | low:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
