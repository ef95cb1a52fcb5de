"""What the store says of the run, event by event: how far it is, and the facts that the proof rests on."""

from __future__ import annotations

import datetime
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from aion._runtime.views import HistoryEvent
from aion.demo.workflow import index_file, request_review

TERMINAL = {"WorkflowCompleted", "WorkflowFailed", "WorkflowCancelled", "WorkflowTerminated"}


@dataclass
class Record:
    """A run as its events tell it. `feed` takes them in order, a few at a time."""

    events: list[HistoryEvent] = field(default_factory=list)
    names: dict[str, str] = field(default_factory=dict)
    """Activity id → name, of all that were scheduled."""
    paths: dict[str, str] = field(default_factory=dict)
    """Activity id → file, of the steps that index one."""
    running: set[str] = field(default_factory=set)
    """Activities whose present attempt was handed out and has not reported."""
    outcomes: Counter[str] = field(default_factory=Counter)
    """Activity id → how often its completion is recorded."""
    results: dict[str, Any] = field(default_factory=dict)
    hand_outs: int = 0
    """Attempts handed out, first ones and later ones."""
    handed_out_again: int = 0
    """Hand-outs of an attempt that a kill had cut off."""
    files_done: int = 0
    review_failures: list[HistoryEvent] = field(default_factory=list)
    pause: HistoryEvent | None = None
    pause_over: HistoryEvent | None = None
    approvals: list[HistoryEvent] = field(default_factory=list)
    blocked: HistoryEvent | None = None
    ended: HistoryEvent | None = None

    @property
    def last_seq(self) -> int:
        """The end of the history so far."""
        return len(self.events)

    def first_after(self, seq: int) -> HistoryEvent | None:
        """The event that follows a place in the history, if there is one by now."""
        return self.events[seq] if len(self.events) > seq else None

    def completion(self, name: str) -> HistoryEvent | None:
        """When an activity of that name completed last."""
        for event in reversed(self.events):
            if event.type == "ActivityCompleted" and self.names[event.data["id"]] == name:
                return event
        return None

    def feed(self, events: Iterable[HistoryEvent]) -> None:
        """Take the next events."""
        for event in events:
            assert event.seq == self.last_seq + 1, f"event {event.seq} follows event {self.last_seq}"
            self.events.append(event)
            if event.type.startswith("Activity"):
                self._activity(event, event.data["id"])
            elif event.type == "TimerStarted":
                self.pause = event
            elif event.type == "TimerFired":
                self.pause_over = event
            elif event.type == "SignalReceived":
                self.approvals.append(event)
            elif event.type == "WorkflowBlocked":
                self.blocked = event
            elif event.type in TERMINAL:
                self.ended = event

    def _activity(self, event: HistoryEvent, id: str) -> None:
        data = event.data
        match event.type:
            case "ActivityScheduled":
                self.names[id] = data["name"]
                if data["name"] == index_file.name:
                    self.paths[id] = data["input"]["path"]
            case "ActivityStarted":
                self.running.add(id)
                self.hand_outs += 1
                self.handed_out_again += data.get("dispatch", 1) > 1
            case "ActivityCompleted":
                self.running.discard(id)
                self.outcomes[id] += 1
                self.results[id] = data.get("result")
                self.files_done += id in self.paths
            case "ActivityFailed":
                self.running.discard(id)
                if self.names[id] == request_review.name:
                    self.review_failures.append(event)


def seconds_between(earlier: datetime.datetime, later: datetime.datetime) -> float:
    """How long after `earlier` was `later`."""
    return (later - earlier).total_seconds()
