"""Ids and names: which are accepted, and the order of those that are made."""

from __future__ import annotations

import enum
import itertools
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aion._core.ids import check_id, check_name, new_uuid7, run_number
from aion.errors import InvalidInput


class Kind(enum.StrEnum):
    """An id that is not of type `str` itself."""

    ORDER = "order-17"


@pytest.mark.parametrize(
    "good", ["a", "order-17", "x" * 255, "é" * 127 + "x", "a b", "日本語", "🚀", "a/b:c", "aion:x"]
)
def test_text_of_1_to_255_bytes_is_an_id(good: str) -> None:
    """Any script, spaces and signs are fine."""
    assert check_id(good, "workflow id") == good


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        ("", "is empty"),
        ("x" * 256, "256 bytes"),
        ("é" * 128, "256 bytes"),
        ("a\x00b", "control character"),
        ("a\n", "control character"),
        ("\x7f", "control character"),
        ("a\x85", "control character"),
        ("a\ud800", "lone surrogate"),
        (17, "must be text"),
        (None, "must be text"),
        (b"a", "must be text"),
    ],
)
def test_what_cannot_be_an_id_is_refused(bad: object, why: str) -> None:
    """The message begins with what the id is for, and says what is wrong."""
    with pytest.raises(InvalidInput, match=rf"^workflow id .*{why}"):
        check_id(bad, "workflow id")


def test_an_id_is_plain_text_afterwards() -> None:
    """A member of an enum becomes the text it stands for."""
    checked = check_id(Kind.ORDER, "workflow id")

    assert (type(checked), checked) == (str, "order-17")


def test_names_of_the_engine_are_reserved() -> None:
    """What users define cannot be mistaken for what the engine defines."""
    assert check_name("charge", "activity name") == "charge"
    with pytest.raises(InvalidInput, match="reserved"):
        check_name("aion:charge", "activity name")
    with pytest.raises(InvalidInput, match="activity name is empty"):
        check_name("", "activity name")


def test_a_run_number_is_milliseconds_and_twenty_bits() -> None:
    """The time is in front, so that numbers ascend with time."""
    assert run_number(1_700_000_000_123_999, 0, 5) == 1_700_000_000_123 << 20 | 5
    assert run_number(1_000, 0, (1 << 20) + 7) == 1 << 20 | 7


def test_a_clock_that_jumps_back_gives_the_next_number() -> None:
    """The order of runs of one engine is the order of their starts."""
    assert run_number(1_000, 5 << 20, 3) == (5 << 20) + 1
    assert run_number(5_000, 5 << 20, 0) == (5 << 20) + 1


@given(st.lists(st.tuples(st.integers(-(10**15), 8 * 10**15), st.integers(0, 2**64))))
def test_run_numbers_ascend_whatever_the_clock_does(readings: list[tuple[int, int]]) -> None:
    """Standing still or jumping back never repeats a number, and each fits a signed 64-bit column."""
    numbers = [0]
    for now, bits in readings:
        numbers.append(run_number(now, numbers[-1], bits))

    assert all(before < after for before, after in itertools.pairwise(numbers))
    assert numbers[-1] < 2**63


@given(st.integers(0, 2**48 * 1000 - 1), st.binary(min_size=10, max_size=10))
def test_a_uuid7_holds_its_time_its_version_and_its_random_bits(now: int, random_bytes: bytes) -> None:
    """It is what RFC 9562 says a UUID of version 7 is."""
    text = new_uuid7(now, random_bytes)
    made = uuid.UUID(text)

    assert text == str(made)
    assert made.variant == uuid.RFC_4122
    assert made.version == 7
    assert made.int >> 80 == now // 1000
    assert made.int & (1 << 62) - 1 == int.from_bytes(random_bytes[2:]) & (1 << 62) - 1


def test_a_uuid7_of_a_later_millisecond_sorts_after() -> None:
    """Lists by id are lists by time."""
    early = new_uuid7(1_700_000_000_000_000, b"\xff" * 10)
    late = new_uuid7(1_700_000_000_001_000, b"\x00" * 10)

    assert early < late
