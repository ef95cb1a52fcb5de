"""What workflow code calls besides asyncio: the same on every replay, and refused elsewhere."""

from __future__ import annotations

import asyncio
import datetime
import logging
import random
import time
import uuid
from typing import Any

import pytest

import aion
from aion._core import events as ev
from aion.errors import InvalidInput, InvalidState
from tests.flow.signals_and_steps import go, step
from tests.flow.story import START, Story, replay_everywhere

# ── time and randomness ──────────────────────────────────────────────────────────────────────────


@aion.workflow
async def telling() -> list[str]:
    """Tells the time in all ways, three times."""
    told: list[str] = []
    for _ in range(3):
        told.append(aion.now().isoformat())
        told.append(f"{time.time():.6f} {time.monotonic():.6f}")
        await asyncio.sleep(10)
    return told


def test_now_is_the_time_of_what_the_code_reacts_to() -> None:
    """The same at the same line on every replay, however late the replay is."""
    story = Story(telling())
    story.give(ev.TimerFired("1"), 12.5)
    story.give(ev.TimerFired("2"), 10)
    story.give(ev.TimerFired("3"), 10)

    assert story.result == [
        "2023-11-14T22:13:20+00:00",
        "1700000000.000000 0.000000",
        "2023-11-14T22:13:32.500000+00:00",
        "1700000012.500000 12.500000",
        "2023-11-14T22:13:42.500000+00:00",
        "1700000022.500000 22.500000",
    ]
    replay_everywhere(story)


def test_now_stands_still_between_awaits() -> None:
    """However long the code takes, it reacts to one event."""

    @aion.workflow
    async def spinning() -> bool:
        first = aion.now()
        sum(range(100_000))
        return aion.now() == first and first.tzinfo is datetime.UTC

    assert Story(spinning()).result is True


@aion.workflow
async def drawing() -> list[str]:
    """Draws in all ways, before and after a wait."""
    drawn: list[str] = []
    for _ in range(2):
        drawn += [str(aion.random().random()), str(random.random()), str(aion.uuid4()), str(uuid.uuid4())]
        await step(drawn[-1])
    return drawn


def test_random_numbers_are_the_runs_own_and_come_again_on_replay() -> None:
    """`random`, `uuid4` and our own draw from one generator, seeded from the run."""
    story, same, other = Story(drawing()), Story(drawing()), Story(drawing(), run_id="r2")
    for each in (story, same, other):
        each.go()

    assert story.result == same.result != other.result
    assert len(set(story.result)) == 8
    assert uuid.UUID(story.result[2]).version == 4
    replay_everywhere(story)


def test_the_numbers_of_a_run_never_change() -> None:
    """A history of today must replay under any later release, so these are fixed."""
    story = Story(drawing())
    story.go()

    assert story.result[:3] == [
        "0.09662521967485904",
        "0.923061839647231",
        "324e4e54-8eca-423b-b721-d4b078392613",
    ]


# ── who this run is, and logging ─────────────────────────────────────────────────────────────────


def test_info_says_who_the_run_is() -> None:
    """Ids, type, version, start, and how long the history is up to here."""

    @aion.workflow(version="3")
    async def asking() -> list[Any]:
        info = aion.info()
        return [
            info.workflow_id,
            info.run_id,
            info.type,
            info.version,
            info.namespace,
            info.attempt,
            info.parent,
            info.started.isoformat(),
            info.history_length,
            info.history_bytes > 0,
            info.is_replaying,
        ]

    assert Story(asking()).result == [
        "w1",
        "r1",
        "asking",
        "3",
        "default",
        1,
        None,
        "2023-11-14T22:13:20+00:00",
        1,
        True,
        False,
    ]


def test_the_logger_is_silent_while_replaying_and_carries_the_ids(caplog: pytest.LogCaptureFixture) -> None:
    """Each line is written once in the life of a run; it is an ordinary record of an ordinary logger."""

    @aion.workflow
    async def logging_() -> None:
        aion.logger.info("number %d", 1, extra={"mine": "yes"})
        await go.receive()
        aion.logger.warning("number %d", 2)

    with caplog.at_level(logging.INFO, "aion.workflow"):
        story = Story(logging_())
        story.replayed().close()
        story.signal("go")
        story.replayed().close()
        aion.logger.info("outside")
    records = [vars(record) for record in caplog.records]

    assert [record["message"] for record in records] == ["number 1", "number 2", "outside"]
    assert [(record["workflow_id"], record["run_id"]) for record in records[:2]] == [("w1", "r1")] * 2
    assert (records[0]["mine"], records[0]["workflow_type"]) == ("yes", "logging_")
    assert "workflow_id" not in records[2]


def test_levels_hold_in_workflows_too(caplog: pytest.LogCaptureFixture) -> None:
    """What is not enabled is not written, live either."""

    @aion.workflow
    async def chatty() -> bool:
        aion.logger.debug("quiet")
        return aion.logger.isEnabledFor(logging.DEBUG)

    with caplog.at_level(logging.INFO, "aion.workflow"):
        assert Story(chatty()).result is False
    assert caplog.records == []


# ── elsewhere ────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("call", "what"),
    [
        (aion.now, "aion.now()"),
        (aion.random, "aion.random()"),
        (aion.uuid4, "aion.random()"),
        (aion.info, "aion.info()"),
        (lambda: aion.side_effect(print), "aion.side_effect()"),
        (lambda: aion.patched("x"), "aion.patched()"),
        (lambda: asyncio.run(aion.sleep(1)), "aion.sleep()"),
        (lambda: asyncio.run(aion.wait_until(lambda: True)), "aion.wait_until()"),
        (lambda: asyncio.run(aion.race(aion.Signal("s"))), "aion.race()"),  # type: ignore[arg-type]
    ],
)
def test_outside_a_workflow_these_calls_say_where_they_work(call: Any, what: str) -> None:
    """Nothing hangs, and nothing is made up."""
    with pytest.raises(InvalidState) as caught:
        call()

    assert str(caught.value).startswith(f"{what} works inside workflow code only")


def test_times_come_back_exact_to_the_microsecond() -> None:
    """From what is stored to what people read."""
    from aion._flow.api import from_micros

    assert from_micros(START + 1).isoformat() == "2023-11-14T22:13:20.000001+00:00"
    assert from_micros(0).isoformat() == "1970-01-01T00:00:00+00:00"


def test_errors_of_durations_are_value_errors() -> None:
    """`InvalidInput` is one, so that plain Python code handles it."""
    assert issubclass(InvalidInput, ValueError)
