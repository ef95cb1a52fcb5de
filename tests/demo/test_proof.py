"""The demo's proof: it holds for a true record, and fails for each way in which a record could be wrong."""

from __future__ import annotations

import asyncio
import dataclasses
import datetime
from collections.abc import Callable
from pathlib import Path

import pytest

from aion._runtime.views import HistoryEvent
from aion.demo import workflow
from aion.demo.driver import Kill, Story
from aion.demo.engine import APPROVED_BY
from aion.demo.proof import Direct, compute_directly, prove
from aion.demo.record import Record
from aion.demo.workflow import Approval, Job, approval, index_library
from aion.testing.environment import engine as make_engine

Events = list[HistoryEvent]
NOW = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)

RESULT = "the result equals a direct computation"
PAGES = "so does the record of each file"
ONCE = "every step is recorded exactly once"
KILLS = "two kills met work in flight"
AGAIN = "what was cut off ran again, no more"
FLAKY = "the flaky step was retried"
PAUSE = "the pause was not cut short"
APPROVED = "the approval arrived once, after the pause"
REPLAYS = "the history replays on the code"


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory) -> Job:
    """A library of three files."""
    folder = tmp_path_factory.mktemp("library")
    for name in ("a", "b", "c"):
        (folder / f"{name}.py").write_text(f"def {name}(): ...\n" * 3, "utf-8")
    return Job(str(folder), width=2)


@pytest.fixture(scope="module")
def events(job: Job) -> Events:
    """The history of an undisturbed run."""

    async def main() -> Events:
        async with make_engine(register=[workflow]) as engine:
            with engine.freeze():
                handle = await engine.start(index_library(job), id="index")
                async for event in handle.events():
                    if event.type == "ActivityFailed":
                        await engine.advance("1s")
                    elif event.type == "TimerStarted":
                        await engine.advance(job.pause)
                    elif event.type == "TimerFired":
                        await handle.signal(approval, Approval(APPROVED_BY))
            return list(await handle.history())

    return asyncio.run(main())


@pytest.fixture(scope="module")
def direct(job: Job) -> Direct:
    """The same without an engine."""
    return compute_directly(job)


def failing(events: Events, job: Job, direct: Direct, kills: list[Kill] | None = None) -> list[str]:
    """The claims that do not hold for a record of these events."""
    story = Story(kills=[Kill(0.3, 0.0, in_flight=0)] if kills is None else kills)
    story.record.feed(dataclasses.replace(event, seq=seq) for seq, event in enumerate(events, 1))
    return [check.claim for check in prove(story, job, direct) if not check.holds]


def test_a_true_record_without_kills_lacks_only_the_kills(events: Events, job: Job, direct: Direct) -> None:
    """Everything else holds."""
    assert failing(events, job, direct) == [KILLS]


def test_with_two_kills_all_claims_hold(events: Events, job: Job, direct: Direct) -> None:
    """Attempts that were cut off and handed out again are what the proof expects."""
    again = with_hand_outs(events, 2)

    assert failing(again, job, direct, [Kill(0.3, 0.0, in_flight=1), Kill(0.6, 0.0, in_flight=1)]) == []


def test_an_attempt_that_was_lost_for_good_is_found(events: Events, job: Job, direct: Direct) -> None:
    """Two were cut off, one was handed out again."""
    again = with_hand_outs(events, 1)

    assert failing(again, job, direct, [Kill(0.3, 0.0, in_flight=1), Kill(0.6, 0.0, in_flight=1)]) == [AGAIN]


def test_an_attempt_that_ran_again_for_no_reason_is_found(events: Events, job: Job, direct: Direct) -> None:
    """One was handed out twice though no kill cut it off."""
    assert failing(with_hand_outs(events, 1), job, direct) == [KILLS, AGAIN]


def changed(select: Callable[[HistoryEvent], bool], **data: object) -> Callable[[Events], Events]:
    """The first event that fits has other data."""

    def change(events: Events) -> Events:
        place = next(index for index, event in enumerate(events) if select(event))
        event = events[place]
        return [*events[:place], dataclasses.replace(event, data=event.data | data), *events[place + 1 :]]

    return change


def doubled(select: Callable[[HistoryEvent], bool]) -> Callable[[Events], Events]:
    """The first event that fits is there twice."""

    def change(events: Events) -> Events:
        place = next(index for index, event in enumerate(events) if select(event))
        return [*events[: place + 1], *events[place:]]

    return change


def moved(select: Callable[[HistoryEvent], bool], seconds: float) -> Callable[[Events], Events]:
    """The first event that fits has another time."""

    def change(events: Events) -> Events:
        place = next(index for index, event in enumerate(events) if select(event))
        event = events[place]
        later = dataclasses.replace(event, time=event.time + datetime.timedelta(seconds=seconds))
        return [*events[:place], later, *events[place + 1 :]]

    return change


def dropped(select: Callable[[HistoryEvent], bool]) -> Callable[[Events], Events]:
    """The first event that fits is missing."""

    def change(events: Events) -> Events:
        place = next(index for index, event in enumerate(events) if select(event))
        return [*events[:place], *events[place + 1 :]]

    return change


def is_page(event: HistoryEvent) -> bool:
    """The completion of a file's step."""
    return (
        event.type == "ActivityCompleted"
        and "functions" in str(event.data["result"])
        and "path" in event.data["result"]
    )


def is_a(type: str) -> Callable[[HistoryEvent], bool]:
    """An event of that type."""
    return lambda event: event.type == type


@pytest.mark.parametrize(
    ("change", "claims"),
    [
        (changed(is_a("WorkflowCompleted"), result={"summary": {}}), {RESULT, REPLAYS}),
        (changed(is_page, result={"path": "a.py", "lines": 3, "functions": 4, "classes": 0}), {PAGES, REPLAYS}),
        (doubled(is_page), {ONCE}),
        (dropped(is_page), {PAGES, ONCE, AGAIN, REPLAYS}),
        (changed(is_a("ActivityFailed"), retry_in=None), {FLAKY}),
        (moved(is_a("TimerFired"), -0.5), {PAUSE}),
        (doubled(is_a("SignalReceived")), {APPROVED}),
    ],
    ids=["result", "page", "doubled", "dropped", "not retried", "short pause", "two approvals"],
)
def test_a_false_record_is_found(
    events: Events, job: Job, direct: Direct, change: Callable[[Events], Events], claims: set[str]
) -> None:
    """Each kind of loss, double or difference breaks the claim that speaks of it."""
    assert claims <= set(failing(change(events), job, direct))


def test_a_library_that_changed_is_found(events: Events, job: Job) -> None:
    """The proof reads the files again, by itself."""
    path = Path(job.folder) / "a.py"
    before = path.read_text("utf-8")
    path.write_text(before + "def added(): ...\n", "utf-8")
    try:
        direct = compute_directly(job)
    finally:
        path.write_text(before, "utf-8")

    assert failing(events, job, direct) == [RESULT, PAGES, KILLS]


def test_recovery_is_measured_from_the_kill_to_the_first_new_event(events: Events) -> None:
    """The clock of the driver and the times of events are compared."""
    record = Record()
    record.feed(events)
    kill = Kill(0.3, 0.0, at=record.events[4].time - datetime.timedelta(seconds=0.25), last_seq=4)

    assert (kill.recovery(record), Kill(0.3, 0.0, at=NOW, last_seq=len(events)).recovery(record)) == (0.25, None)


def with_hand_outs(events: Events, count: int) -> Events:
    """The first files' steps were handed out a second time, as after a kill."""
    result: Events = []
    left = count
    for event in events:
        result.append(event)
        # The first hand-out is that of the listing, which has no page.
        if left and event.type == "ActivityStarted" and len(result) > 5:
            left -= 1
            result.append(dataclasses.replace(event, data=event.data | {"dispatch": 2}))
    return result
