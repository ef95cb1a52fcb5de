"""Whether a failed attempt is followed by another, and after how long."""

from __future__ import annotations

from aion._core.events import ErrorInfo, RetryPolicy


def retry_delay(policy: RetryPolicy | None, attempt: int, error: ErrorInfo, spread: float) -> int | None:
    """Microseconds to wait after failed attempt number `attempt`, or None when it was the last.

    `spread` is uniform in [-1, 1]; it moves the delay by at most the policy's jitter.
    """
    if policy is None:
        return None
    if policy.max_attempts is not None and attempt >= policy.max_attempts:
        return None
    if any(name == error.type or name in error.bases for name in policy.non_retryable):
        return None
    return back_off(policy, attempt, spread)


def back_off(policy: RetryPolicy, attempt: int, spread: float) -> int:
    """The delay after attempt number `attempt`: exponential, capped, with jitter, never negative."""
    try:
        delay = policy.initial * policy.factor ** (attempt - 1)
    except OverflowError:
        delay = float(policy.max_interval)
    delay = min(delay, policy.max_interval)
    return max(0, round(delay * (1 + policy.jitter * spread)))
