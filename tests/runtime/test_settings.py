"""Settings of an engine: what makes no sense is refused before anything begins."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from aion import testing
from aion._core.limits import Limits
from aion._runtime.settings import Settings
from aion.errors import InvalidInput

COUNTS = [each.name for each in dataclasses.fields(Settings) if type(each.default) is int]
SPANS = [each.name for each in dataclasses.fields(Settings) if type(each.default) is float]


def test_the_defaults_are_sound() -> None:
    """Every setting is a count, a span, the namespace or the limits."""
    assert len(COUNTS) + len(SPANS) + 2 == len(dataclasses.fields(Settings))
    assert Settings().limits == Limits()


@pytest.mark.parametrize("name", COUNTS)
@pytest.mark.parametrize("value", [-1, 1.5, "3", None, True])
def test_counts_are_whole_numbers(name: str, value: Any) -> None:
    """Anything else is refused, with what was expected."""
    with pytest.raises(InvalidInput, match=f"engine setting {name}=.*: expected a whole number of at least"):
        testing.engine(**{name: value})


@pytest.mark.parametrize("name", SPANS)
@pytest.mark.parametrize("value", [-1.0, float("nan"), float("inf"), "3s", None, True])
def test_spans_are_seconds(name: str, value: Any) -> None:
    """Finite and not negative."""
    with pytest.raises(InvalidInput, match=f"engine setting {name}=.*: expected a number of seconds"):
        testing.engine(**{name: value})


@pytest.mark.parametrize("name", [*COUNTS, *SPANS])
def test_nothing_is_allowed_where_it_makes_sense(name: str) -> None:
    """A page of no rows would never come to an end; a pause of no length is one."""
    fine = name in ("turns_inline_max", "resident_idle", "retry_first", "retry_last")
    if fine:
        assert getattr(Settings(**{name: 0}), name) == 0
    else:
        with pytest.raises(InvalidInput, match=f"engine setting {name}=0"):
            Settings(**{name: 0})


def test_limits_are_limits() -> None:
    """Not a dict of them."""
    with pytest.raises(InvalidInput, match=r"limits=.*expected an aion\.Limits"):
        Settings(limits={"payload_bytes_max": 5})  # type: ignore[arg-type]
