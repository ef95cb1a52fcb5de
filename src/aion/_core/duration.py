"""Time spans: what users write, as whole microseconds, and whole microseconds as people read them."""

from __future__ import annotations

import math
import re
from datetime import timedelta
from typing import TypeAlias

from aion._core.excerpt import excerpt
from aion.errors import InvalidInput

Duration: TypeAlias = timedelta | int | float | str

UNITS = {
    "w": 604_800_000_000,
    "d": 86_400_000_000,
    "h": 3_600_000_000,
    "m": 60_000_000,
    "s": 1_000_000,
    "ms": 1_000,
}

# A thousand years. Beyond it lies a mistake (milliseconds taken for seconds), and the calendar ends at year 9999.
MICROS_MAX = 365_250 * UNITS["d"]

# More digits than any real span has. The bound keeps the conversion of a hostile text cheap.
_TEXT_CHARS_MAX = 64
_PART = re.compile(r"([0-9]+)(?:\.([0-9]+))?(ms|[smhdw])")


def to_micros(value: Duration, what: str = "duration") -> int:
    """A time span in microseconds: numbers are seconds, texts are `"250ms"`, `"1.5s"`, `"1h30m"`.

    It is the nearest whole number of microseconds, but never 0 for a span that is not.

    Raises:
        InvalidInput: (a ValueError) it is negative, not finite, malformed, of another type, or over 1,000 years.
    """
    micros = _whole(value, what)
    if micros < 0:
        raise _refused(value, what, "it is negative")
    if micros > MICROS_MAX:
        raise _refused(value, what, "it is longer than 1,000 years")
    return micros


def describe_micros(micros: int) -> str:
    """A span as people write it: `"1h30m"`, `"250ms"`, `"0s"`. `to_micros` reads it back exactly."""
    if micros < 0:
        return f"-{describe_micros(-micros)}"
    if micros == 0:
        return "0s"
    if micros % UNITS["w"] == 0:
        return f"{micros // UNITS['w']}w"
    days, rest = divmod(micros, UNITS["d"])
    hours, rest = divmod(rest, UNITS["h"])
    minutes, rest = divmod(rest, UNITS["m"])
    text = "".join(f"{count}{unit}" for count, unit in ((days, "d"), (hours, "h"), (minutes, "m")) if count)
    if rest == 0:
        return text
    if not text and rest < UNITS["s"]:
        return f"{_decimal(rest, UNITS['ms'])}ms"
    return f"{text}{_decimal(rest, UNITS['s'])}s"


def _whole(value: object, what: str) -> int:
    if isinstance(value, str):
        return _from_text(value, what)
    if isinstance(value, timedelta):
        return value // timedelta(microseconds=1)
    if isinstance(value, float):
        return _from_seconds(value, what)
    if isinstance(value, int) and not isinstance(value, bool):
        return value * UNITS["s"]
    raise _refused(value, what, f"it is of type {type(value).__name__}")


def _from_text(text: str, what: str) -> int:
    parts = list(_PART.finditer(text)) if len(text) <= _TEXT_CHARS_MAX else []
    if not parts or "".join(part[0] for part in parts) != text:
        raise _refused(text, what, "it is negative" if text.startswith("-") else "it cannot be read")
    return sum(_part_micros(part[1], part[2] or "", UNITS[part[3]]) for part in parts)


def _part_micros(whole: str, decimals: str, unit: int) -> int:
    # Whole numbers only: a float would turn "0.1s" into something else, and decimal depends on the caller's context.
    number = int(whole + decimals) * unit
    scale: int = 10 ** len(decimals)
    return max((2 * number + scale) // (2 * scale), 1 if number else 0)


def _from_seconds(seconds: float, what: str) -> int:
    if not math.isfinite(seconds):
        raise _refused(seconds, what, "it is not a finite number")
    if seconds <= 0:
        return -1 if seconds < 0 else 0
    whole = int(seconds)
    return max(whole * UNITS["s"] + round((seconds - whole) * UNITS["s"]), 1)


def _decimal(micros: int, unit: int) -> str:
    whole, rest = divmod(micros, unit)
    decimals = f"{rest:0{len(str(unit)) - 1}}".rstrip("0")
    return f"{whole}.{decimals}" if decimals else str(whole)


def _refused(value: object, what: str, why: str) -> InvalidInput:
    return InvalidInput(
        f"{what}: {excerpt(value)} is no time span ({why}): give seconds, a timedelta, "
        "or text such as '250ms', '30s', '1h30m', '3d'"
    )
