"""The checker finds each thing that can be wrong, in evidence made up for it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import msgspec
import pytest
from msgspec import Raw

from aion._core import events as ev
from aion._flow.replayer import Recorded
from aion.stores.base import RunRecord
from aion.testing.crash.checker import check_endings, check_evidence
from aion.testing.crash.evidence import Evidence, RunEvidence
from aion.testing.crash.program import Expected, OneOf
from aion.testing.crash.rig import Ending

STARTED = ev.WorkflowStarted("count", "job", "run-1", "default", Raw(b"{}"))
SCHEDULED = ev.ActivityScheduled("1", "add", Raw(b"{}"), retry=ev.RetryPolicy(5))
RESULT = {"value": 3, "token": "t1"}
COMPLETED = ev.ActivityCompleted("1", Raw(msgspec.json.encode(RESULT)))
ENDED = ev.WorkflowCompleted(Raw(b"3"))
ERROR = ev.ErrorInfo("ValueError", "no")
SIGNAL = ev.SignalReceived("item", Raw(b"7"))

EFFECT = {"key": "default/run-1/1", "name": "add", "attempt": 1, "dispatch": 1, "pid": 5, **RESULT}
START = {"call": "start job", "kind": "start", "id": "job", "phase": "ok", "value": "run-1"}
SEND = {"call": "send 7", "kind": "signal", "id": "job", "signal": "item", "sent": 7, "phase": "ok", "value": None}

MODEL: Expected = {"job": [["completed", 3]]}
HEALTHY = (STARTED, SCHEDULED, ev.ActivityStarted("1"), COMPLETED, ENDED)


def test_a_healthy_run_passes() -> None:
    """Nothing is found where nothing is wrong."""
    assert problems(HEALTHY) == []


@pytest.mark.parametrize(
    ("history", "complaint"),
    [
        (HEALTHY[:-1], "it has 0 terminal events"),
        ((*HEALTHY, ENDED), "it has 2 terminal events"),
        ((*HEALTHY, SIGNAL), "event 5 ends it, but 1 more follow"),
        ((*HEALTHY[:-1], ev.WorkflowTerminated()), "it is listed as completed"),
        ((STARTED, ENDED), "ran as attempt 1.1, whose hand-out is not recorded"),
        ((*HEALTHY[:2], ev.ActivityStarted("1", 1, 2), *HEALTHY[3:]), "was handed out as 1.2, expected 1.1"),
        ((*HEALTHY[:3], ev.ActivityStarted("1", 2), *HEALTHY[3:]), "was handed out as 2.1, expected 1.2"),
        ((*HEALTHY[:3], ev.ActivityStarted("1", 1, 2), *HEALTHY[3:]), "no execution of its current hand-out produced"),
        ((*HEALTHY[:3], ev.ActivityFailed("1", ERROR, 2), ENDED), "has an outcome of attempt 2, but 1.1 is current"),
        ((*HEALTHY[:-1], ev.TimerFired("2"), ENDED), "timer 2 fired at event 5 without being armed"),
    ],
)
def test_a_history_that_cannot_be_is_found(history: tuple[ev.AnyEvent, ...], complaint: str) -> None:
    """Each of these differs from a healthy one in one thing."""
    assert [line for line in problems(history) if complaint in line] != []


def test_a_timer_that_is_early_is_found() -> None:
    """By a microsecond, whether it is the code's or a back-off."""
    early_timer = (STARTED, ev.TimerStarted("2", 4), ev.TimerFired("2"), *HEALTHY[1:])
    early_retry = (*HEALTHY[:3], ev.ActivityFailed("1", ERROR, 1, retry_in=2), ev.ActivityStarted("1", 2), *HEALTHY[3:])

    assert "job (run 1): timer 2 fired 3 µs early, at event 3" in problems(early_timer)
    assert "job (run 1): activity 1 was tried again before its back-off was over (event 5)" in problems(early_retry)


def test_work_that_may_be_handed_out_once_is_not_handed_out_again() -> None:
    """`max_attempts=1` is a promise about hand-outs."""
    scheduled = msgspec.structs.replace(SCHEDULED, retry=ev.RetryPolicy(1))
    history = (STARTED, scheduled, ev.ActivityStarted("1"), ev.ActivityStarted("1", 1, 2), COMPLETED, ENDED)

    assert "job (run 1): add 1 may be handed out once only, and was again (event 4)" in problems(history)


@pytest.mark.parametrize(
    ("calls", "complaint"),
    [
        ([{**START, "phase": "invoke"}], "call 'start job' was never answered"),
        ([{**START, "value": "run-2"}], "answered with run run-2, which is not there"),
        ([START, {**START, "value": "run-2"}], "was answered differently"),
        ([SEND], "was acknowledged, but there are 0 SignalReceived"),
        ([{**START, "kind": "cancel"}], "was acknowledged, but there are 0 WorkflowCancelRequested"),
        ([{**START, "kind": "terminate"}], "was acknowledged, but there are 0 WorkflowTerminated"),
        ([{**START, "kind": "result", "run_id": None, "value": ["failed", "X"]}], "recorded is [['completed', 3]]"),
    ],
)
def test_a_call_without_its_effect_is_found(calls: list[dict[str, Any]], complaint: str) -> None:
    """What was acknowledged is there, once."""
    assert [line for line in problems(HEALTHY, calls=calls) if complaint in line] != []


def test_signals_that_are_doubled_refused_or_out_of_order_are_found() -> None:
    """In the history, against what their sender was told."""
    doubled = problems((*HEALTHY[:-1], SIGNAL, SIGNAL, ENDED), calls=[SEND])
    refused = problems((*HEALTHY[:-1], SIGNAL, ENDED), calls=[{**SEND, "phase": "fail", "value": "invalid_state"}])
    second = ev.SignalReceived("item", Raw(b"8"))
    swapped = problems((*HEALTHY[:-1], second, SIGNAL, ENDED), calls=[SEND, {**SEND, "call": "send 8", "sent": 8}])

    assert doubled[0] == "signal 'send 7' was acknowledged, but there are 2 SignalReceived events for it"
    assert refused == ["signal 'send 7' was refused (invalid_state), but there are 1 SignalReceived events for it"]
    assert swapped == ["job: signals 'item' were acknowledged as [7, 8] and recorded as [8, 7]"]


def test_outcomes_are_held_against_the_model() -> None:
    """Other outcomes, other numbers of runs, and unknown workflows are found; alternatives are allowed."""
    either: Expected = {"job": [OneOf((["completed", 3], ["cancelled"]))]}

    assert problems(HEALTHY, model=either) == []
    for wrong in ({"job": [["completed", 4]]}, {"job": MODEL["job"] * 2}, {}, {**MODEL, "other": [["cancelled"]]}):
        assert len(problems(HEALTHY, model=wrong)) == 1


def test_rows_that_are_left_over_and_damage_are_found() -> None:
    """Nothing may be left that would wake a closed run."""
    assert problems(HEALTHY, rows={"busy": [(1,)]}) == ["job (run 1): a row is left over in busy: (1,)"]
    assert problems(HEALTHY, integrity="page 3 is never used") == ["the file is damaged: page 3 is never used"]


def test_processes_end_by_the_kill_or_well_and_are_silent() -> None:
    """Anything on standard error is a complaint, since nothing belongs there."""
    assert list(check_endings([Ending(-9, ""), Ending(0, "")])) == []
    assert list(check_endings([Ending(0, "Traceback\n")])) == ["process 1 of 1 printed: Traceback"]
    assert list(check_endings([Ending(1, ""), Ending(0, "")])) == ["process 1 of 2 ended with 1"]


def problems(history: tuple[ev.AnyEvent, ...], *, model: Expected = MODEL, **changes: Any) -> list[str]:
    """What the checker says of one run that two processes worked on; its events are a microsecond apart."""
    record = RunRecord(
        1, "default", "job", 1, "run-1", "count", None, None, 0, b"{}", None, "completed", 9, None, None, 0, 0, b"", 0
    )
    run = RunEvidence(record, [Recorded(seq, seq, 0, event) for seq, event in enumerate(history, 1)])
    evidence = replace(Evidence([run], [EFFECT], [START]), **changes)
    return check_evidence(evidence, model, 2)
