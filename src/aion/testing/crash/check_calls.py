"""Checks of calls: what was acknowledged is in the histories exactly once, what was refused is not there."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import msgspec

from aion._core import events as ev
from aion.testing.crash.evidence import Evidence
from aion.testing.crash.outcome import outcome_in

Call = dict[str, Any]


def check_calls(evidence: Evidence) -> Iterator[str]:
    """What is wrong with any call's effect, from its last answer."""
    answers: dict[str, list[Call]] = defaultdict(list)
    for entry in evidence.calls:
        answers.setdefault(entry["call"], [])
        if entry["phase"] != "invoke":
            answers[entry["call"]].append(entry)
    for name, given in answers.items():
        if not given:
            yield f"call {name!r} was never answered"
            continue
        if any((entry["phase"], entry["value"]) != (given[0]["phase"], given[0]["value"]) for entry in given):
            yield f"call {name!r} was answered differently: {[entry['value'] for entry in given]}"
        yield from _check_call(evidence, given[-1])
    yield from _check_order(evidence, [given[0] for given in answers.values() if given])


def _check_call(evidence: Evidence, call: Call) -> Iterator[str]:
    ok = call["phase"] == "ok"
    runs = evidence.runs_of(call.get("id", ""))
    events = [entry.event for run in runs for entry in run.history]
    match call["kind"]:
        case "start" if ok and call["value"] not in [run.record.run_id for run in runs]:
            yield f"start {call['call']!r} was answered with run {call['value']}, which is not there"
        case "signal":
            found = sum(_is_signal(event, call) for event in events)
            yield from _expect(call, "SignalReceived", found, ok)
        case "cancel":
            found = sum(isinstance(e, ev.WorkflowCancelRequested) and e.reason == call["call"] for e in events)
            yield from _expect(call, "WorkflowCancelRequested", found, ok)
        case "terminate":
            found = sum(isinstance(e, ev.WorkflowTerminated) and e.reason == call["call"] for e in events)
            yield from _expect(call, "WorkflowTerminated", found, ok)
        case "result":
            recorded = [outcome_in(run) for run in runs if call["run_id"] in (None, run.record.run_id)]
            if not recorded or call["value"] != recorded[-1]:
                yield f"{call['call']} was given as {call['value']}, recorded is {recorded}"


def _expect(call: Call, event: str, found: int, ok: bool) -> Iterator[str]:
    if found != ok:
        said = "acknowledged" if ok else f"refused ({call['value']})"
        yield f"{call['kind']} {call['call']!r} was {said}, but there are {found} {event} events for it"


def _check_order(evidence: Evidence, calls: list[Call]) -> Iterator[str]:
    """Signals of one name that were sent one after the other arrive in that order."""
    sent: dict[tuple[str, str], list[Any]] = defaultdict(list)
    for call in calls:
        if call["kind"] == "signal" and call["phase"] == "ok":
            sent[call["id"], call["signal"]].append(call["sent"])
    for (id, name), values in sent.items():
        events = [entry.event for run in evidence.runs_of(id) for entry in run.history]
        arrived = [msgspec.json.decode(e.value) for e in events if isinstance(e, ev.SignalReceived) and e.name == name]
        if [value for value in arrived if value in values] != values:
            yield f"{id}: signals {name!r} were acknowledged as {values} and recorded as {arrived}"


def _is_signal(event: ev.AnyEvent, call: Call) -> bool:
    return (
        isinstance(event, ev.SignalReceived)
        and event.name == call["signal"]
        and msgspec.json.decode(event.value) == call["sent"]
    )
