"""Durations: every spelling means one number of microseconds, and nonsense is refused."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from aion._core.duration import MICROS_MAX, describe_micros, to_micros
from aion.errors import InvalidInput


@pytest.mark.parametrize(
    ("written", "micros"),
    [
        ("250ms", 250_000),
        ("30s", 30_000_000),
        ("5m", 300_000_000),
        ("2h", 7_200_000_000),
        ("3d", 259_200_000_000),
        ("1w", 604_800_000_000),
        ("1h30m", 5_400_000_000),
        ("1m1ms", 60_001_000),
        ("1.5s", 1_500_000),
        ("0.1s", 100_000),
        ("0s", 0),
        (0, 0),
        (-0.0, 0),
        (1, 1_000_000),
        (0.1, 100_000),
        (3 * 24 * 3600, 259_200_000_000),
        (1e-9, 1),
        ("0.0000001s", 1),
        ("0.0000016s", 2),
        ("0.0000014s", 1),
        (timedelta(0), 0),
        (timedelta(days=1, microseconds=7), 86_400_000_007),
        (timedelta(days=365_250), MICROS_MAX),
    ],
)
def test_each_spelling_of_a_span_is_so_many_microseconds(written: timedelta | float | str, micros: int) -> None:
    """Numbers are seconds; text sums its parts; a timedelta is itself; what is not zero does not become zero."""
    assert to_micros(written) == micros


@pytest.mark.parametrize(
    "nonsense",
    [
        "",
        "30",
        "s",
        "30 s",
        "30S",
        "1h30",
        "1.s",
        ".5s",
        "1h-30m",
        "-5s",
        "5y",
        "٣s",
        "1e3s",
        "5s\n",
        "9" * 5000 + "s",
        -1,
        -1e-9,
        float("nan"),
        float("inf"),
        float("-inf"),
        timedelta(microseconds=-1),
        timedelta.max,
        pytest.param(10**10_000, id="huge"),
        pytest.param(-(10**10_000), id="minus huge"),
        1e300,
        "1000000w",
        MICROS_MAX // 1_000_000 + 1,
        True,
        None,
        b"5s",
        [5],
    ],
)
def test_what_is_no_span_is_refused(nonsense: object) -> None:
    """Negative, endless, malformed, absurd and foreign values raise, and the message says for which option."""
    with pytest.raises(InvalidInput, match=r"^timeout: .* is no time span \(") as caught:
        to_micros(nonsense, "timeout")  # type: ignore[arg-type]

    assert isinstance(caught.value, ValueError)


def test_the_message_names_the_value() -> None:
    """What was written is in the message, with what would have been right."""
    with pytest.raises(InvalidInput) as caught:
        to_micros("5 minutes", "queue_timeout")

    assert str(caught.value) == (
        "queue_timeout: '5 minutes' is no time span (it cannot be read): give seconds, a timedelta, "
        "or text such as '250ms', '30s', '1h30m', '3d'"
    )


@pytest.mark.parametrize(
    ("micros", "text"),
    [
        (0, "0s"),
        (1, "0.001ms"),
        (250_000, "250ms"),
        (1_500_000, "1.5s"),
        (90_000_000, "1m30s"),
        (5_400_000_000, "1h30m"),
        (86_400_000_000, "1d"),
        (10 * 86_400_000_000, "10d"),
        (2 * 604_800_000_000, "2w"),
        (3_600_000_001, "1h0.000001s"),
        (-5_000_000, "-5s"),
    ],
)
def test_a_span_is_described_as_people_write_it(micros: int, text: str) -> None:
    """The largest units come first, and nothing is lost."""
    assert describe_micros(micros) == text


@given(st.integers(0, MICROS_MAX))
def test_a_description_reads_back_exactly(micros: int) -> None:
    """What is shown can be pasted into code."""
    assert to_micros(describe_micros(micros)) == micros


@given(st.floats(0, MICROS_MAX / 1e6))
@example(0.1 + 0.2)
def test_seconds_are_rounded_to_the_nearest_microsecond(seconds: float) -> None:
    """A float is off by half a microsecond at most, except that a tiny span is one microsecond."""
    micros = to_micros(seconds)

    assert micros >= (1 if seconds > 0 else 0)
    assert abs(micros - seconds * 1e6) <= max(0.51, seconds * 1e-9) or micros == 1


@given(st.timedeltas(timedelta(0), timedelta(days=365_000)))
def test_a_timedelta_keeps_every_microsecond(span: timedelta) -> None:
    """No float is between a timedelta and its microseconds."""
    assert timedelta(microseconds=to_micros(span)) == span
