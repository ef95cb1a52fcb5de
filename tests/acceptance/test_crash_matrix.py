"""Processes are killed at every place around every durable write, and nothing is lost, doubled or left over."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from aion.testing.crash.matrix import kill_cells
from tests.acceptance.crash_programs import NAMES, problems_of, reached, rig_for

# Failpoint → why no program gets there. Its cells are not run, and it must not be reached.
UNREACHED = {
    "post.before_begin": "nobody but the owner of a shard writes to it yet",
    "post.mid_tx": "nobody but the owner of a shard writes to it yet",
    "post.after_commit": "nobody but the owner of a shard writes to it yet",
}

CELLS = [cell for cell in kill_cells() if cell not in UNREACHED]
ATTEMPTS_MAX = 4


def test_every_failpoint_is_reached_by_some_program() -> None:
    """A durable write that no program makes would be one that nobody attacks; none is reached unlisted."""
    places = {name.split("[")[0] for name in kill_cells()}
    found = {place for name in NAMES for place in reached(name)}

    assert sorted(set(CELLS) - found) == []
    assert sorted(UNREACHED.keys() & found) == []
    assert sorted({place.split("[")[0] for place in found} - places) == ["any"]


@pytest.mark.parametrize("cell", CELLS)
def test_a_kill_beside_any_durable_write_does_no_harm(cell: str, tmp_path: Path) -> None:
    """Killed there and started again, the program ends as if nothing had happened."""
    for attempt, (name, count) in enumerate(targets(cell)):
        folder = tmp_path / f"{attempt}-{name}"
        rig = rig_for(name, folder)
        ending = rig.run(f"{cell}=kill@{count}")
        if ending.killed:
            rig.finish()

        assert problems_of(name, folder, rig) == []
        if ending.killed:
            assert [(kill["failpoint"], kill["count"]) for kill in rig.kills()] == [(cell, count)]
            return
    pytest.fail(f"vacuous: {cell} was not hit in {ATTEMPTS_MAX} attempts")


def targets(cell: str) -> Iterator[tuple[str, int]]:
    """Where to attack a cell: in some program at some time of reaching it, then at the first time, then elsewhere.

    Turns are grouped by chance, so a place that was reached five times may be reached but four times the next time.
    """
    chance = random.Random(cell)
    names = [name for name in NAMES if reached(name).get(cell)]
    chance.shuffle(names)
    names.sort(key=lambda name: reached(name)[cell] < 2)
    first = names[0]
    yield first, chance.randint(1, reached(first)[cell])
    yield from ((name, 1) for name in (names * ATTEMPTS_MAX)[: ATTEMPTS_MAX - 1])
