"""The rig bites: engines that were broken on purpose, one mistake each, do not pass its checks."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.acceptance.crash_programs import PROGRAMS, problems_of, rig_for
from tests.acceptance.programs.sabotage import MISTAKES

# Mistake → the program that shows it, where it is killed (nowhere: it shows without), and what the checker says.
BITES = {
    "early_acks": ("sequential", "commit.before_begin[WorkflowStarted]=kill", "which is not there"),
    "early_hand_outs": ("sequential", "commit.before_begin[ActivityStarted]=kill", "whose hand-out is not recorded"),
    "early_timers": ("sleeps", "", "µs early"),
    "double_results": ("sequential", "", "does not follow from those before it"),
    "forged_results": ("sequential", "", "which no execution of its current hand-out produced"),
    "costly_crashes": ("sequential", "activity.before_report=kill@3", "was handed out as 2.1, expected 1.2"),
    "forgotten_requests": ("signals", "commit.after_commit[SignalReceived]=kill@2", "there are 2 SignalReceived"),
    "forgotten_hand_outs": ("sequential", "activity.before_report=kill@3", "it has 0 terminal events"),
    "leftover_timers": ("sleeps", "", "a row is left over in timers"),
    "lost_signals": ("signals", "", "was acknowledged, but there are 0 SignalReceived"),
}


def test_every_mistake_is_tried() -> None:
    """No mistake is built without being looked for."""
    assert sorted(BITES) == sorted(MISTAKES)


@pytest.mark.parametrize("mistake", BITES)
def test_the_checker_notices(mistake: str, tmp_path: Path) -> None:
    """An engine with this mistake is found out, for the right reason."""
    name, failpoint, complaint = BITES[mistake]
    # Some mistakes leave a run that never ends. A healthy engine needs less than half a second.
    rig = rig_for(name, tmp_path, wrapper=[PROGRAMS / "sabotage.py", mistake], patience=3.0)
    if failpoint:
        assert rig.run(failpoint).killed
    rig.finish()

    assert [line for line in problems_of(name, tmp_path, rig) if complaint in line] != []
