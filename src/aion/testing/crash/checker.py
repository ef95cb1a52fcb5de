"""The common check after every crash: joins store, effect ledger and log of calls, and lists what is wrong.

An empty list means: histories are whole and end once; what was acknowledged is there exactly once, in order;
nothing ran before its hand-out was recorded, and every recorded outcome was really produced by the execution
that was current; timers were not early; results are those of the model; nothing is left over; nothing was
printed that should not be.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from aion.testing.crash.check_activities import check_activities
from aion.testing.crash.check_calls import check_calls
from aion.testing.crash.check_histories import check_histories
from aion.testing.crash.check_outcomes import check_outcomes
from aion.testing.crash.evidence import Evidence, read_evidence
from aion.testing.crash.program import Expected
from aion.testing.crash.rig import Ending


def check(folder: Path, expected: Expected, endings: Sequence[Ending]) -> list[str]:
    """Everything that is wrong after a program was killed and has then ended; see the module."""
    return [*check_endings(endings), *check_evidence(read_evidence(folder), expected, len(endings))]


def check_evidence(evidence: Evidence, expected: Expected, processes: int) -> list[str]:
    """Everything that is wrong in what was left behind by that many processes, the last of which ended well."""
    problems = [] if evidence.integrity == "ok" else [f"the file is damaged: {evidence.integrity}"]
    problems += check_histories(evidence)
    problems += check_activities(evidence, processes)
    problems += check_calls(evidence)
    problems += check_outcomes(evidence, expected)
    problems += _check_rows(evidence)
    return problems


def check_endings(endings: Sequence[Ending]) -> Iterator[str]:
    """Processes end by the kill or well, the last one well, and print nothing."""
    for number, ending in enumerate(endings, 1):
        who = f"process {number} of {len(endings)}"
        if not ending.killed and ending.code != 0:
            yield f"{who} ended with {ending.code}"
        if ending.error_output:
            yield f"{who} printed: {ending.error_output.strip()}"
    if endings[-1].killed:
        yield "the last process was killed, so that what is open may have been about to end"


def _check_rows(evidence: Evidence) -> Iterator[str]:
    """Once all runs are closed, nothing may be left that would wake one."""
    names = {run.record.run: run.name for run in evidence.runs}
    for table, rows in evidence.rows.items():
        for row in rows:
            yield f"{names.get(row[0], 'an unknown run')}: a row is left over in {table}: {row}"
