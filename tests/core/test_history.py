"""The chain of digests: every event is tied to all before it, and to the run it belongs to."""

from __future__ import annotations

import hashlib

from hypothesis import given
from hypothesis import strategies as st

from aion._core.history import first_digest, next_digest

START = first_digest("default", "order-17", "r1")
FIRST = next_digest(START, 1, "WorkflowStarted", 1_700_000_000_000_000, b'{"a":1}')

TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=6)
STEP = st.tuples(
    st.binary(min_size=32, max_size=32),
    st.integers(1, 10**6),
    st.sampled_from(["TimerFired", "TimerStarted"]),
    st.integers(0, 10**17),
    st.binary(max_size=12),
)


def test_the_digests_of_a_history_never_change() -> None:
    """These values are in files on people's disks; a change here makes every old history corrupt."""
    assert START.hex() == "97876453afd6115295c5358cb71abc3cd69823c7afdadd5ae96263c4be0399e3"
    assert FIRST.hex() == "17b1a4c66aef20cf9999a1c4f2dc260d1a4efc73ca6f8f098c1eaa86ccac78e5"


def test_the_chain_is_plain_sha_256_over_documented_bytes() -> None:
    """Anybody can check a history without our code."""
    start = hashlib.sha256(b"aion.history.1\0default\0order-17\0r1").digest()
    first = hashlib.sha256(start + b'1\0WorkflowStarted\x001700000000000000\0{"a":1}').digest()

    assert (start, first) == (START, FIRST)


@given(st.tuples(TEXT, TEXT, TEXT), st.tuples(TEXT, TEXT, TEXT))
def test_every_run_begins_a_chain_of_its_own(one: tuple[str, str, str], other: tuple[str, str, str]) -> None:
    """A history cannot be moved to another run, not even to one whose ids run together to the same text."""
    assert (first_digest(*one) == first_digest(*other)) == (one == other)


@given(STEP, STEP)
def test_every_part_of_an_event_counts(
    one: tuple[bytes, int, str, int, bytes], other: tuple[bytes, int, str, int, bytes]
) -> None:
    """What came before, the position, the type, the time and each byte: a change of any changes the digest."""
    assert (next_digest(*one) == next_digest(*other)) == (one == other)


def test_one_flipped_bit_changes_the_digest() -> None:
    """Each single bit of the stored bytes is covered."""
    data = b'{"id":"2"}'
    plain = next_digest(START, 2, "TimerFired", 5, data)
    flipped = {
        next_digest(START, 2, "TimerFired", 5, data[:at] + bytes([data[at] ^ 1 << bit]) + data[at + 1 :])
        for at in range(len(data))
        for bit in range(8)
    }

    assert len(flipped) == 8 * len(data)
    assert plain not in flipped
