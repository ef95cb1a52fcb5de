"""The proof: what the store recorded, against a computation without an engine and against what must never happen."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import msgspec

from aion._flow.definitions import Workflow
from aion._runtime.views import History
from aion.demo.driver import Story
from aion.demo.engine import APPROVED_BY
from aion.demo.indexing import FileIndex, index_source, list_python_files, summarise
from aion.demo.record import Record, seconds_between
from aion.demo.workflow import REVIEW_ATTEMPTS, Job, Report, index_library, review_of
from aion.errors import NonDeterminism
from aion.testing.replayer import replay


@dataclass(frozen=True, slots=True)
class Check:
    """One claim, whether it holds, and the figures behind it."""

    claim: str
    holds: bool
    detail: str


@dataclass(frozen=True, slots=True)
class Direct:
    """The same work done in a loop: no engine, no store, no kills."""

    pages: list[FileIndex]
    report: Report


def compute_directly(job: Job) -> Direct:
    """Index the folder in this process."""
    with warnings.catch_warnings():
        # Old source makes the parser complain on stderr.
        warnings.simplefilter("ignore")
        pages = [index_source(job.folder, path) for path in list_python_files(job.folder)]
    return Direct(pages, Report(summarise(pages), review_of(len(pages)), APPROVED_BY))


def prove(story: Story, job: Job, direct: Direct) -> list[Check]:
    """Every claim of the demo, checked."""
    return list(_checks(story, job, direct))


def _checks(story: Story, job: Job, direct: Direct) -> Iterator[Check]:
    record = story.record
    yield _same_result(record, direct)
    yield _same_pages(record, direct)
    yield _recorded_once(record, direct)
    yield _kills_met_work(story)
    yield _lost_attempts_ran_again(story)
    yield _flaky_step(record)
    yield _pause(record, job)
    yield _approval(record)
    yield _replays(record)


def _same_result(record: Record, direct: Direct) -> Check:
    ended = record.ended
    result = None if ended is None else ended.data.get("result")
    same = result == msgspec.to_builtins(direct.report)
    return Check("the result equals a direct computation", same, f"digest {direct.report.summary.digest[:16]}")


def _same_pages(record: Record, direct: Direct) -> Check:
    recorded = {path: record.results.get(id) for id, path in record.paths.items()}
    different = [page.path for page in direct.pages if recorded.get(page.path) != msgspec.to_builtins(page)]
    detail = f"{len(direct.pages):,} files compared" + (f"; different: {different[:3]}" if different else "")
    return Check("so does the record of each file", not different, detail)


def _recorded_once(record: Record, direct: Direct) -> Check:
    """One schedule a file, and one completion a schedule: of the other steps too."""
    scheduled = Counter(record.paths.values())
    wanted = Counter(page.path for page in direct.pages)
    places = Counter(event.data["id"] for event in record.events if event.type == "ActivityScheduled")
    once = all(record.outcomes[id] == 1 and places[id] == 1 for id in record.names)
    stray = set(record.outcomes) - set(record.names)
    holds = scheduled == wanted and once and not stray
    detail = f"{len(record.names):,} scheduled, {sum(record.outcomes.values()):,} completed"
    return Check("every step is recorded exactly once", holds, detail)


def _kills_met_work(story: Story) -> Check:
    met = [kill for kill in story.kills if kill.in_flight]
    detail = " and ".join(f"{kill.in_flight}" for kill in met) or "no"
    if story.resumed:
        # How much work was left to meet was decided by whoever interrupted the demo.
        return Check("kills met work in flight", True, f"{story.cut_off_before} attempts cut off before, {detail} now")
    return Check("two kills met work in flight", len(met) >= 2, f"{detail} attempts cut off")


def _lost_attempts_ran_again(story: Story) -> Check:
    record = story.record
    lost = story.cut_off_before + sum(kill.in_flight for kill in story.kills)
    detail = f"{record.hand_outs:,} attempts in all, {lost} lost, {record.handed_out_again} handed out again"
    needed = len(record.names) + lost + len(record.review_failures)
    holds = record.handed_out_again == lost and record.hand_outs == needed and not record.running
    return Check("what was cut off ran again, no more", holds, detail)


def _flaky_step(record: Record) -> Check:
    failures = record.review_failures
    backed_off = all(event.data.get("retry_in") is not None for event in failures)
    attempts = [event.data.get("attempt", 1) for event in failures]
    holds = backed_off and attempts == list(range(1, REVIEW_ATTEMPTS))
    return Check("the flaky step was retried", holds, f"{len(failures)} failures, then a success")


def _pause(record: Record, job: Job) -> Check:
    if record.pause is None or record.pause_over is None:
        return Check("the pause was not cut short", False, "it is not recorded")
    lasted = seconds_between(record.pause.time, record.pause_over.time)
    return Check("the pause was not cut short", lasted >= job.pause, f"{lasted:.3f} s of {job.pause:g} s")


def _approval(record: Record) -> Check:
    after = record.pause_over is not None and all(event.seq > record.pause_over.seq for event in record.approvals)
    count = len(record.approvals)
    return Check("the approval arrived once, after the pause", count == 1 and after, f"{count} recorded")


def _replays(record: Record) -> Check:
    claim = "the history replays on the code"
    code: Workflow[..., Any] = index_library
    try:
        replay(History(record.events), code)
    except NonDeterminism as exc:
        return Check(claim, False, str(exc))
    return Check(claim, True, f"{record.last_seq:,} events")
