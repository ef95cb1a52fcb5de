"""Where a run is, in one line, kept up to date by its events."""

from __future__ import annotations

import datetime
from dataclasses import dataclass, field

from aion._runtime.views import HistoryEvent

NAMES_SHOWN_MAX = 3


@dataclass
class RunProgress:
    """What a run has done and what it waits for."""

    events: int = 0
    steps_done: int = 0
    steps: dict[str, str] = field(default_factory=dict)
    """Activities without an outcome: id → name, with the attempt from the second on."""
    timers: dict[str, datetime.datetime] = field(default_factory=dict)
    """Timers that have not fired: id → when they are due."""

    def feed(self, event: HistoryEvent) -> None:
        """Take the next event of the run."""
        self.events = event.seq
        data = event.data
        match event.type:
            case "ActivityScheduled":
                self.steps[data["id"]] = data["name"]
            case "ActivityStarted" if data.get("attempt", 1) > 1:
                name = self.steps[data["id"]].partition(" ")[0]
                self.steps[data["id"]] = f"{name} (attempt {data['attempt']})"
            case "ActivityCompleted" | "ActivityCancelled":
                self.steps.pop(data["id"], None)
                self.steps_done += event.type == "ActivityCompleted"
            case "ActivityFailed" if data.get("retry_in") is None:
                self.steps.pop(data["id"], None)
            case "TimerStarted":
                self.timers[data["id"]] = event.time + datetime.timedelta(microseconds=data["delay"])
            case "TimerFired" | "TimerCancelled":
                self.timers.pop(data["id"], None)

    def line(self, now: datetime.datetime) -> str:
        """The state in one line."""
        done = f"{self.steps_done:,} step{'' if self.steps_done == 1 else 's'} done"
        return f"{done}, {self._waiting(now)}"

    def _waiting(self, now: datetime.datetime) -> str:
        if self.steps:
            names = list(self.steps.values())
            more = len(names) - NAMES_SHOWN_MAX
            return "doing " + ", ".join(names[:NAMES_SHOWN_MAX]) + (f" and {more:,} more" if more > 0 else "")
        if self.timers:
            due = min(self.timers.values())
            left = max(0, round((due - now).total_seconds()))
            return f"asleep for {datetime.timedelta(seconds=left)} more, until {due.astimezone():%Y-%m-%d %H:%M:%S}"
        return "waiting for a signal" if self.events else "starting"
