"""Processes are killed again and again: at random places, at random moments, and at every step of recovery."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from aion.testing.crash.failpoints import ANY
from tests.acceptance.crash_programs import NAMES, problems_of, reached, rig_for
from tests.acceptance.test_crash_matrix import CELLS

IN_A_ROW = 20
PLACES = range(3)
MOMENTS = range(2)
# Programs with enough under way that twenty kills do not see them to their end.
RECOVERED = ("fan_out", "retries", "sequential")


@pytest.mark.parametrize("seed", PLACES)
@pytest.mark.parametrize("name", NAMES)
def test_two_kills_at_random_places_do_no_harm(name: str, seed: int, tmp_path: Path) -> None:
    """The process is killed anywhere, and the one that takes over is killed while it does."""
    chance = random.Random(f"places {name} {seed}")
    rig = rig_for(name, tmp_path)
    # Turns are grouped by chance, so the same program may reach fewer places the next time; half of them it will.
    first = chance.randint(1, reached(name)[ANY] // 2)
    second = chance.randint(1, 30)
    rig.run(f"{ANY}=kill@{first}")
    rig.run(f"{ANY}=kill@{second}")
    if rig.endings[-1].killed:
        rig.finish()

    assert problems_of(name, tmp_path, rig) == []
    assert rig.endings[0].killed


@pytest.mark.parametrize("seed", MOMENTS)
@pytest.mark.parametrize("name", NAMES)
def test_kills_at_random_moments_do_no_harm(name: str, seed: int, tmp_path: Path) -> None:
    """Killed from outside, at whatever instruction it happens to be, until it ends by itself."""
    chance = random.Random(f"moments {name} {seed}")
    rig = rig_for(name, tmp_path)
    for _ in range(4):
        if not rig.run(kill_after=chance.uniform(0.0, 0.12)).killed:
            break
    else:
        rig.finish()

    assert problems_of(name, tmp_path, rig) == []


@pytest.mark.parametrize("name", RECOVERED)
def test_recovery_that_is_killed_at_each_of_its_steps_goes_on_from_there(name: str, tmp_path: Path) -> None:
    """Process after process dies one step later than the one before; the last one finishes the work.

    Attempts are not used up by any of it, which the checker sees, and no run is blocked for it.
    """
    rig = rig_for(name, tmp_path)
    rig.run("commit.after_commit[busy]=kill")
    for step in range(1, IN_A_ROW + 1):
        rig.run(f"{ANY}=kill@{step}")

    assert [kill["count"] for kill in rig.kills()] == [1, *range(1, IN_A_ROW + 1)]

    rig.finish()

    assert problems_of(name, tmp_path, rig) == []


def test_the_same_step_of_recovery_may_kill_any_number_of_times(tmp_path: Path) -> None:
    """Work that has been handed out by twenty processes, each of which died of it, is handed out once more."""
    rig = rig_for("sequential", tmp_path)
    for _ in range(IN_A_ROW):
        rig.run("activity.before_start=kill")

    assert [kill["place"] for kill in rig.kills()] == ["activity.before_start"] * IN_A_ROW

    rig.finish()

    assert problems_of("sequential", tmp_path, rig) == []


def test_at_least_two_hundred_processes_are_killed() -> None:
    """The sum over the tests of this folder that insist on their kills."""
    insisted = len(CELLS) + (len(RECOVERED) + 1) * IN_A_ROW + len(NAMES) * len(PLACES)

    assert insisted >= 200
