"""Whether a failed attempt is followed by another, and when."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aion._core.events import ErrorInfo, RetryPolicy
from aion._core.retry import back_off, retry_delay

ERROR = ErrorInfo("CardRefused", "no", bases=("PaymentError", "Exception"))
SECOND = 1_000_000

POLICIES = st.builds(
    RetryPolicy,
    st.none() | st.integers(1, 50),
    st.integers(0, 10**10),
    st.floats(1.0, 1e6),
    st.integers(0, 10**12),
    st.floats(0.0, 1.0),
    st.just(()),
)


def test_without_a_policy_there_is_one_attempt() -> None:
    """Nobody asked for another, so the first failure is the outcome."""
    assert retry_delay(None, 1, ERROR, 0.0) is None


@pytest.mark.parametrize(
    ("max_attempts", "again"),
    [
        (1, []),
        (2, [1]),
        (3, [1, 2]),
        (None, [1, 2, 3, 4]),
    ],
)
def test_the_first_attempt_counts(max_attempts: int | None, again: list[int]) -> None:
    """`max_attempts` is how often the function runs, not how often it is repeated; None is without end."""
    policy = RetryPolicy(max_attempts)

    assert [n for n in (1, 2, 3, 4) if retry_delay(policy, n, ERROR, 0.0) is not None] == again


@pytest.mark.parametrize(
    ("names", "again"),
    [
        ((), True),
        (("CardRefused",), False),
        (("PaymentError",), False),
        (("Exception",), False),
        (("OSError", "PaymentError"), False),
        (("Refused", "cardrefused", "OSError"), True),
    ],
)
def test_an_error_named_non_retryable_is_the_last(names: tuple[str, ...], again: bool) -> None:
    """The name of the type, or of any of its bases, ends the attempts; a part of a name does not."""
    policy = RetryPolicy(non_retryable=names)

    assert (retry_delay(policy, 1, ERROR, 0.0) is not None) == again


def test_delays_grow_by_the_factor_up_to_the_cap() -> None:
    """One second, doubled, never more than a minute."""
    delays = [back_off(RetryPolicy(), attempt, 0.0) / SECOND for attempt in range(1, 10)]

    assert delays == [1, 2, 4, 8, 16, 32, 60, 60, 60]


@pytest.mark.parametrize(("spread", "delay"), [(-1.0, 0.9), (-0.5, 0.95), (0.0, 1.0), (0.5, 1.05), (1.0, 1.1)])
def test_jitter_moves_a_delay_by_its_share(spread: float, delay: float) -> None:
    """A tenth either way by default."""
    assert back_off(RetryPolicy(), 1, spread) / SECOND == delay


def test_full_jitter_can_take_a_delay_to_nothing_but_not_below() -> None:
    """A delay is never negative."""
    policy = RetryPolicy(jitter=1.0)

    assert [back_off(policy, 1, spread) for spread in (-1.0, 1.0)] == [0, 2 * SECOND]


def test_the_millionth_attempt_still_has_a_delay() -> None:
    """A power that no float can hold is as long as the cap."""
    assert back_off(RetryPolicy(factor=1e6), 10**6, 0.0) == 60 * SECOND


@given(POLICIES, st.integers(1, 10**5), st.floats(-1.0, 1.0))
def test_a_delay_is_a_whole_number_within_bounds(policy: RetryPolicy, attempt: int, spread: float) -> None:
    """Whatever the policy, the delay is at least nothing and at most the cap with its jitter."""
    delay = back_off(policy, attempt, spread)

    assert isinstance(delay, int)
    assert 0 <= delay <= round(policy.max_interval * (1 + policy.jitter)) + 1
