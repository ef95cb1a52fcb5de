"""Settings of an engine, with their reasons."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, fields
from typing import Any

from aion._core.excerpt import excerpt
from aion._core.limits import Limits
from aion.errors import InvalidInput


@dataclass(frozen=True, slots=True)
class Settings:
    """What may be tuned; the defaults suit a laptop and a small server alike. Spans in seconds.

    Raises:
        InvalidInput: a value makes no sense.
    """

    namespace: str = "default"
    # Runs kept in memory. More saves replays, each costs some kilobytes.
    resident_runs_max: int = 20_000
    # A run that nothing has happened to for this long is evicted.
    resident_idle: float = 30.0
    # Synchronous activities run in threads; they mostly wait, so more than cores is right.
    activity_threads_max: int = 64
    # How many inline activities run at once; the rest wait for their turn in order.
    inline_activities_max: int = 1_000
    # Turns in one commit. Larger batches only add latency once the fsync is spread over hundreds.
    turns_per_flush_max: int = 500
    # A batch this small is committed by the engine thread itself: two thread switches cost as much as it.
    turns_inline_max: int = 2
    # Timers due within this span are held in memory; later ones stay in the store.
    timer_horizon: float = 10.0
    timer_page: int = 2_000
    recovery_page: int = 100
    # Another engine takes this one's shards when it has not renewed its lease for this long.
    lease_ttl: float = 10.0
    query_timeout: float = 2.0
    # An engine that closes gives up an engine thread that is held up for this long. Passes take milliseconds; one
    # that takes longer is in code that never gives control back, and would keep the process from ending.
    shutdown_seconds_max: float = 5.0
    # Waiting after a store failure, doubled up to the second figure.
    retry_first: float = 0.1
    retry_last: float = 5.0
    limits: Limits = field(default_factory=Limits)

    def __post_init__(self) -> None:
        for each in fields(self):
            value = getattr(self, each.name)
            expected = _expected(each.name, type(each.default), value)
            if expected:
                raise InvalidInput(f"engine setting {each.name}={excerpt(value)}: expected {expected}")


# Batches that are never small enough, runs that may not idle, failures tried again at once: all of use in tests.
_MAY_BE_NOTHING = ("turns_inline_max", "resident_idle", "retry_first", "retry_last")


def _expected(name: str, kind: type, value: Any) -> str:
    """What a setting should be, if it is not."""
    least = 0 if name in _MAY_BE_NOTHING else 1
    if kind is int and (type(value) is not int or value < least):
        return f"a whole number of at least {least}"
    if kind is float:
        number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
        if not number or value < 0 or (value == 0 and least):
            return "a number of seconds" if not least else "a number of seconds above 0"
    if name == "limits" and not isinstance(value, Limits):
        return "an aion.Limits"
    return ""
