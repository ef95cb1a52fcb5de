"""Checks of activities: histories against the effect ledger, in both directions."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import msgspec

from aion._core import events as ev
from aion.testing.crash.evidence import Evidence, RunEvidence

Lines = dict[str, list[dict[str, Any]]]
HandOut = tuple[int, int]


def check_activities(evidence: Evidence, processes: int) -> Iterator[str]:
    """What is wrong with any activity, in runs that lived through that many processes."""
    lines: Lines = defaultdict(list)
    for line in evidence.effects:
        lines[line["key"]].append(line)
    seen: dict[str, set[HandOut]] = {}
    for run in evidence.runs:
        walk = _Walk(run, lines, processes)
        for entry in run.history:
            yield from walk.step(entry.event, entry.seq)
        seen |= walk.handed_out
    for key, executions in lines.items():
        for line in executions:
            hand_out = (line["attempt"], line["dispatch"])
            if hand_out not in seen.get(key, ()):
                yield f"{line['name']} {key} ran as attempt {hand_out[0]}.{hand_out[1]}, whose hand-out is not recorded"


class _Walk:
    """One history, event by event. An attempt is shown as attempt.dispatch."""

    def __init__(self, run: RunEvidence, lines: Lines, processes: int) -> None:
        self._run = run
        self._lines = lines
        self._processes = processes
        self._scheduled: dict[str, ev.ActivityScheduled] = {}
        self._current: dict[str, HandOut] = {}
        self._retrying: set[str] = set()
        self.handed_out: dict[str, set[HandOut]] = defaultdict(set)

    def step(self, event: ev.AnyEvent, seq: int) -> Iterator[str]:
        match event:
            case ev.ActivityScheduled(id):
                self._scheduled[id] = event
            case ev.ActivityStarted(id, attempt, dispatch):
                yield from self._started(id, (attempt, dispatch), seq)
            case ev.ActivityCompleted(id, result, attempt):
                yield from self._ended(id, attempt, seq)
                yield from self._produced(id, bytes(result), seq)
            case ev.ActivityFailed(id, kind="lost", attempt=attempt):
                yield from self._ended(id, attempt, seq)
            case ev.ActivityFailed(id, attempt=attempt, retry_in=retry_in):
                yield from self._ended(id, attempt, seq)
                yield from self._executed(id, seq)
                if retry_in is not None:
                    self._retrying.add(id)

    def _started(self, id: str, hand_out: HandOut, seq: int) -> Iterator[str]:
        attempt, dispatch = self._current.get(id, (0, 0))
        # A crash costs a hand-out, never an attempt.
        expected = (attempt + 1, 1) if id in self._retrying or not attempt else (attempt, dispatch + 1)
        if hand_out != expected:
            yield self._say(id, seq, f"was handed out as {_show(hand_out)}, expected {_show(expected)}")
        if hand_out[1] > self._processes:
            yield self._say(id, seq, f"was handed out {hand_out[1]} times by {self._processes} processes")
        policy = self._scheduled[id].retry
        if policy is not None and policy.max_attempts == 1 and hand_out[1] > 1:
            yield self._say(id, seq, "may be handed out once only, and was again")
        self._retrying.discard(id)
        self._current[id] = hand_out
        self.handed_out[self._run.key_of(id)].add(hand_out)

    def _ended(self, id: str, attempt: int, seq: int) -> Iterator[str]:
        current = self._current.get(id, (0, 0))
        if id in self._retrying or current[0] != attempt:
            yield self._say(id, seq, f"has an outcome of attempt {attempt}, but {_show(current)} is current")

    def _executed(self, id: str, seq: int) -> Iterator[str]:
        if not self._executions(id):
            yield self._say(id, seq, f"has an outcome of {_show(self._current[id])}, which the ledger does not know")

    def _produced(self, id: str, result: bytes, seq: int) -> Iterator[str]:
        """The recorded result is that of an execution of the current hand-out, token and all."""
        recorded = msgspec.json.decode(result)
        if not any({"value": line["value"], "token": line["token"]} == recorded for line in self._executions(id)):
            yield self._say(
                id, seq, f"has the result {recorded!r}, which no execution of its current hand-out produced"
            )

    def _executions(self, id: str) -> list[dict[str, Any]]:
        lines = self._lines.get(self._run.key_of(id), [])
        return [line for line in lines if (line["attempt"], line["dispatch"]) == self._current.get(id)]

    def _say(self, id: str, seq: int, what: str) -> str:
        return f"{self._run.name}: {self._scheduled[id].name} {id} {what} (event {seq})"


def _show(hand_out: HandOut) -> str:
    return f"{hand_out[0]}.{hand_out[1]}"
