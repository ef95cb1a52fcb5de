"""Limits: the defaults are those that are documented, and a senseless bound is refused."""

from __future__ import annotations

from dataclasses import asdict

import pytest

from aion._core.limits import DEFAULT_LIMITS, Limits
from aion.errors import InvalidInput


def test_the_defaults_are_the_documented_ones() -> None:
    """A change of a bound is a change of the contract, so it is made here too."""
    assert asdict(DEFAULT_LIMITS) == {
        "payload_bytes_max": 2_097_152,
        "request_bytes_max": 4_194_304,
        "history_events_max": 50_000,
        "history_events_ceiling": 1_000_000,
        "history_bytes_max": 52_428_800,
        "unread_signals_max": 10_000,
        "pending_activities_max": 2_000,
        "id_bytes_max": 255,
        "depth_max": 64,
        "int_digits_max": 4_300,
        "flush_bytes_max": 4_194_304,
    }


@pytest.mark.parametrize("bound", [0, -1, 1.5, True, None, "1"])
def test_a_senseless_bound_is_refused(bound: object) -> None:
    """A bound of nothing, or of no number, would stop or unleash everything."""
    with pytest.raises(InvalidInput, match="payload_bytes_max"):
        Limits(payload_bytes_max=bound)  # type: ignore[arg-type]


def test_a_history_may_be_as_long_as_a_million_events() -> None:
    """The bound can be raised up to its ceiling, and not beyond."""
    Limits(history_events_max=1_000_000)

    with pytest.raises(InvalidInput, match="1,000,000"):
        Limits(history_events_max=1_000_001)
