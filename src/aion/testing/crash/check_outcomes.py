"""Checks of outcomes: every run ended as the model says, and there is no run that it does not know."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from aion.testing.crash.evidence import Evidence
from aion.testing.crash.outcome import outcome_in
from aion.testing.crash.program import Expected, OneOf


def check_outcomes(evidence: Evidence, expected: Expected) -> Iterator[str]:
    """Where the outcomes are not the model's."""
    for id in sorted({run.record.workflow_id for run in evidence.runs} | set(expected)):
        ended: list[Any] = [outcome_in(run) for run in evidence.runs_of(id)]
        model = expected.get(id, [])
        if len(ended) != len(model) or not all(map(_fits, model, ended)):
            yield f"{id}: its runs ended as {ended}, the model says {model}"


def _fits(model: Any, ended: Any) -> bool:
    return ended in model.outcomes if isinstance(model, OneOf) else bool(ended == model)
