"""The driver's plan; what it does to processes is tested by running the demo."""

from __future__ import annotations

from aion.demo.driver import KILL_DELAY, KILL_WINDOWS, plan_kills


def test_the_same_seed_plans_the_same_kills() -> None:
    """A demo can be repeated, and another seed is another demo."""
    assert plan_kills(7) == plan_kills(7)
    assert plan_kills(7) != plan_kills(8)


def test_kills_are_due_while_files_are_being_indexed() -> None:
    """Two kills, one early and one late, neither before the first file nor after the last."""
    for seed in range(200):
        kills = plan_kills(seed)

        assert len(kills) == 2
        for kill, (low, high) in zip(kills, KILL_WINDOWS, strict=True):
            assert low <= kill.share <= high
            assert KILL_DELAY[0] <= kill.delay <= KILL_DELAY[1]
