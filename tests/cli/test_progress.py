"""The line that shows where a run is."""

from __future__ import annotations

import datetime

import pytest

from aion._runtime.views import HistoryEvent
from aion.cli.progress import RunProgress

NOON = datetime.datetime(2026, 1, 1, 12, tzinfo=datetime.UTC)

STARTED = ("WorkflowStarted", {})
CHARGE = ("ActivityScheduled", {"id": "1", "name": "charge"})
SHIP = ("ActivityScheduled", {"id": "2", "name": "ship"})
CHARGED = ("ActivityCompleted", {"id": "1"})
AGAIN = ("ActivityFailed", {"id": "1", "retry_in": 5})
SECOND = ("ActivityStarted", {"id": "1", "attempt": 2})
GIVEN_UP = ("ActivityFailed", {"id": "1"})
DROPPED = ("ActivityCancelled", {"id": "1"})
TIMER = ("TimerStarted", {"id": "3", "delay": 90_000_000})
FIRED = ("TimerFired", {"id": "3"})
DISARMED = ("TimerCancelled", {"id": "3"})


def crowd(count: int) -> list[tuple[str, dict[str, str]]]:
    """That many activities at once."""
    return [("ActivityScheduled", {"id": str(number), "name": "load"}) for number in range(count)]


@pytest.mark.parametrize(
    ("events", "line"),
    [
        ([], "0 steps done, starting"),
        ([STARTED], "0 steps done, waiting for a signal"),
        ([STARTED, CHARGE], "0 steps done, doing charge"),
        ([STARTED, CHARGE, SHIP], "0 steps done, doing charge, ship"),
        ([STARTED, *crowd(1_500)], "0 steps done, doing load, load, load and 1,497 more"),
        ([STARTED, CHARGE, CHARGED], "1 step done, waiting for a signal"),
        ([STARTED, CHARGE, AGAIN], "0 steps done, doing charge"),
        ([STARTED, CHARGE, AGAIN, SECOND], "0 steps done, doing charge (attempt 2)"),
        ([STARTED, CHARGE, GIVEN_UP], "0 steps done, waiting for a signal"),
        ([STARTED, CHARGE, DROPPED], "0 steps done, waiting for a signal"),
        ([STARTED, CHARGE, TIMER], "0 steps done, doing charge"),
        ([STARTED, TIMER, FIRED], "0 steps done, waiting for a signal"),
        ([STARTED, TIMER, DISARMED], "0 steps done, waiting for a signal"),
    ],
)
def test_the_line_says_what_the_run_is_at(events: list[tuple[str, dict[str, object]]], line: str) -> None:
    """Activities come first, then timers, then signals; the figures are those of the history."""
    assert fed(events).line(NOON) == line


def test_a_sleep_is_shown_with_its_end() -> None:
    """A run that sleeps says for how long, counted from when the timer was armed."""
    line = fed([STARTED, TIMER]).line(NOON + datetime.timedelta(seconds=30))
    due = (NOON + datetime.timedelta(seconds=90)).astimezone()

    assert line == f"0 steps done, asleep for 0:01:00 more, until {due:%Y-%m-%d %H:%M:%S}"


def fed(events: list[tuple[str, dict[str, object]]]) -> RunProgress:
    """The progress after these events."""
    progress = RunProgress()
    for seq, (type, data) in enumerate(events, 1):
        progress.feed(HistoryEvent(seq, type, NOON, data))
    return progress
