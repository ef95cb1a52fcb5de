"""Randomness of the machine."""

from __future__ import annotations

import pytest

from aion._runtime.entropy import SystemEntropy


@pytest.mark.parametrize("size", [0, 1, 10, 5_000])
def test_it_gives_so_many_bytes(size: int) -> None:
    """Also more than it draws at once, and never the same twice."""
    entropy = SystemEntropy()
    drawn = [entropy.bytes(size) for _ in range(1_000 if size == 10 else 3)]

    assert {len(each) for each in drawn} == {size}
    assert len(set(drawn)) == (len(drawn) if size > 1 else len(set(drawn)))


def test_two_sources_differ() -> None:
    """Two engines make different ids."""
    assert SystemEntropy().bytes(16) != SystemEntropy().bytes(16)


def test_spread_is_even_around_nothing() -> None:
    """Between -1 and 1."""
    entropy = SystemEntropy()
    drawn = [entropy.spread() for _ in range(2_000)]

    assert all(-1.0 <= each <= 1.0 for each in drawn)
    assert min(drawn) < -0.8 < 0.8 < max(drawn)
