"""Armed failpoints count every place, and strike where the rules say."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from aion.testing.crash.failpoints import ArmedFailpoints, parse_rules
from aion.testing.crash.journal import read_journal

STRIKES = """
import sys
from aion.testing.crash.failpoints import ArmedFailpoints
failpoints = ArmedFailpoints.from_environment({"AION_FAILPOINTS": sys.argv[1], "AION_FAILPOINTS_MARK": sys.argv[2]})
for _ in range(3):
    failpoints.reach("claim.mid_tx")
    failpoints.carry(["timers"])
    failpoints.reach("commit.mid_tx")
print("alive")
"""


@pytest.mark.parametrize(
    ("rule", "place", "count"),
    [
        ("claim.mid_tx=kill", "claim.mid_tx", 1),
        ("commit.mid_tx[timers]=kill@2", "commit.mid_tx", 2),
        ("any=kill@3", "claim.mid_tx", 3),
    ],
)
def test_the_process_dies_where_the_rule_says(rule: str, place: str, count: int, tmp_path: Path) -> None:
    """And the place was written down, and synced, before."""
    status, output = strike(rule, tmp_path / "kills")
    kills = [(kill["failpoint"], kill["place"], kill["count"]) for kill in read_journal(tmp_path / "kills")]

    assert (status, output) == (-signal.SIGKILL, "")
    assert kills == [(rule.partition("=")[0], place, count)]


def test_a_place_that_is_reached_less_often_does_not_strike(tmp_path: Path) -> None:
    """A rule for the fourth time lets three times pass."""
    assert strike("claim.mid_tx=kill@4", tmp_path / "kills") == (0, "alive\n")
    assert read_journal(tmp_path / "kills") == []


def test_a_commit_counts_for_each_write_that_it_carries() -> None:
    """Writes that are given with a place count for it; for the store's places those do that were announced."""
    failpoints = ArmedFailpoints()
    failpoints.carry(["timers", "events"])
    failpoints.reach("commit.mid_tx")
    failpoints.reach("commit.before_ack", ["busy"])
    failpoints.reach("renew.mid_tx")

    assert failpoints.reached == {
        "any": 3,
        "commit.mid_tx": 1,
        "commit.mid_tx[timers]": 1,
        "commit.mid_tx[events]": 1,
        "commit.before_ack": 1,
        "commit.before_ack[busy]": 1,
        "renew.mid_tx": 1,
    }


def test_rules_name_a_place_and_a_time() -> None:
    """Several are separated by commas."""
    assert parse_rules("") == {}
    assert parse_rules("claim.mid_tx=kill, commit.mid_tx[timers]=kill@12") == {
        "claim.mid_tx": 1,
        "commit.mid_tx[timers]": 12,
    }


@pytest.mark.parametrize("rule", ["claim.mid_tx", "=kill", "claim.mid_tx=wait", "claim.mid_tx=kill@0", "a=kill@x"])
def test_a_rule_that_cannot_be_read_is_refused(rule: str) -> None:
    """A typing mistake in a failpoint would otherwise be a test that kills nothing."""
    with pytest.raises(ValueError, match="expected name=kill"):
        parse_rules(rule)


def strike(rule: str, mark: Path) -> tuple[int, str]:
    """How a process ends that reaches two places three times, and what it prints."""
    program = "import sys; sys.path[:0] = " + repr(sys.path) + STRIKES
    finished = subprocess.run(
        [sys.executable, "-c", program, rule, str(mark)], capture_output=True, text=True, check=False
    )
    return finished.returncode, finished.stdout
