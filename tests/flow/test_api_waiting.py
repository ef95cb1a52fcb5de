"""Sleeping, waiting for a condition, and racing: durable, in one order, and cancelled in the history."""

from __future__ import annotations

import asyncio
import datetime
from typing import Any

import pytest

import aion
from aion._core import events as ev
from tests.flow.signals_and_steps import go, number, step
from tests.flow.story import Story, replay_everywhere

# ── waiting ──────────────────────────────────────────────────────────────────────────────────────


def test_sleep_takes_any_duration() -> None:
    """As text, number or timedelta; nothing and less is refused or no timer, as in asyncio."""

    @aion.workflow
    async def sleeping() -> None:
        await aion.sleep("1h30m")
        await aion.sleep(2)
        await aion.sleep(datetime.timedelta(days=1))
        await aion.sleep(0)

    story = Story(sleeping())
    story.go()
    delays = [entry.event.delay for entry in story.history if isinstance(entry.event, ev.TimerStarted)]

    assert delays == [5_400_000_000, 2_000_000, 86_400_000_000]


@pytest.mark.parametrize("duration", [-1, "soon", "", float("nan"), float("inf"), None, "-5s"])
def test_a_bad_duration_is_refused_before_anything_is_recorded(duration: Any) -> None:
    """With the value in the message."""

    @aion.workflow
    async def sleeping() -> str:
        for wait in (aion.sleep, lambda d: aion.wait_until(lambda: False, timeout=d), go.receive):
            if duration is None and wait is not aion.sleep:
                continue
            try:
                await wait(duration)
            except ValueError as error:
                text = str(error)
        return text

    story = Story(sleeping())

    assert repr(duration) in story.result
    assert story.shape() == ["WorkflowStarted", "WorkflowCompleted"]


def test_wait_until_wakes_when_its_predicate_becomes_true() -> None:
    """It is looked at after every input and every step of a task; true at once does not wait."""

    @aion.workflow
    async def waiting() -> list[int]:
        got: list[int] = []
        number.on(got.append)
        await aion.wait_until(lambda: True)
        await aion.wait_until(lambda: len(got) >= 2)
        first = list(got)
        await aion.wait_until(lambda: sum(got) > 5)
        return [len(first), *got]

    story = Story(waiting())
    for value in (1, 2, 1, 3):
        story.signal("number", value)

    assert story.result == [2, 1, 2, 1, 3]
    replay_everywhere(story)


def test_wait_until_gives_up_after_its_timeout() -> None:
    """The deadline is durable, and disarmed when the predicate was in time."""

    @aion.workflow
    async def waiting() -> list[str]:
        got: list[int] = []
        number.on(got.append)
        await aion.wait_until(lambda: bool(got), timeout="1h")
        try:
            await aion.wait_until(lambda: len(got) > 1, timeout=5)
        except TimeoutError:
            return ["late", str(len(asyncio.get_running_loop().predicates))]  # type: ignore[attr-defined]
        return []

    story = Story(waiting())
    story.signal("number", 1)
    story.fire()

    assert story.result == ["late", "0"]
    assert story.shape().count("TimerCancelled:1") == 1


def test_several_predicates_wake_in_order_of_creation() -> None:
    """All that are true wake in this same step."""

    @aion.workflow
    async def waiting() -> list[int]:
        got: list[int] = []
        woken: list[int] = []
        number.on(got.append)

        async def wait(name: int, count: int) -> None:
            await aion.wait_until(lambda: len(got) >= count)
            woken.append(name)

        await asyncio.gather(wait(0, 2), wait(1, 1), wait(2, 2))
        return woken

    story = Story(waiting())
    story.signal("number", 1)
    story.signal("number", 1)

    assert story.result == [1, 0, 2]
    replay_everywhere(story)


def test_a_predicate_that_raises_fails_who_waits() -> None:
    """At once or later, and nobody else."""

    @aion.workflow
    async def waiting() -> list[str]:
        got: list[int] = []
        number.on(got.append)
        told: list[str] = []
        for divisor in (lambda: 1 / 0 > 1, lambda: 1 / (1 - len(got)) > 5):
            try:
                await aion.wait_until(divisor)
            except ZeroDivisionError:
                told.append("raised")
        return told

    story = Story(waiting())
    story.signal("number", 1)

    assert story.result == ["raised", "raised"]


def test_a_predicate_may_not_record_anything() -> None:
    """It is asked again and again; what it would record would have no place."""

    @aion.workflow
    async def waiting() -> list[str]:
        told: list[str] = []
        for call in (lambda: aion.side_effect(lambda: True), lambda: aion.patched("x")):
            try:
                await aion.wait_until(call)
            except aion.QueryFailed as error:
                told.append(str(error)[:23])
        return told

    story = Story(waiting())

    assert story.result == ["a wait_until predicate "] * 2
    assert story.shape() == ["WorkflowStarted", "WorkflowCompleted"]
    replay_everywhere(story)


# ── race ─────────────────────────────────────────────────────────────────────────────────────────


def test_race_gives_the_first_and_cancels_the_others_durably() -> None:
    """Index and value; the losers' activities and timers are cancelled in the history."""

    @aion.workflow
    async def racing() -> list[Any]:
        return list(await aion.race(step("a"), asyncio.sleep(60, "b"), step("c")))

    story = Story(racing())
    story.complete("3.1", "c")

    assert story.result == [2, "c"]
    assert story.shape()[-3:] == ["ActivityCancelled:1.1", "TimerCancelled:2.1", "WorkflowCompleted"]
    replay_everywhere(story)


def test_race_raises_what_the_first_raised() -> None:
    """The first to finish wins, also with an error."""

    @aion.workflow
    async def racing() -> str:
        try:
            await aion.race(step("a"), step("b"))
        except aion.ActivityFailed as error:
            return error.message
        return "no"

    story = Story(racing())
    story.fail("2.1", message="broken")

    assert story.result == "broken"


def test_the_clean_up_of_losers_is_part_of_the_race() -> None:
    """It has ended before the code goes on, with activities of its own; what it raises is dropped."""

    @aion.workflow
    async def racing() -> list[Any]:
        async def stubborn() -> None:
            try:
                await go.receive()
            finally:
                await step("clean up")
                raise ValueError("dropped")

        async def quick() -> str:
            return await step("quick")

        return [*(await aion.race(quick(), stubborn())), "after"]

    story = Story(racing())
    story.complete("1.1", "quick")
    waiting = story.outcome
    story.complete("2.1", None)

    assert waiting is None
    assert story.result == [0, "quick", "after"]
    replay_everywhere(story)


def test_a_race_of_things_that_are_done_takes_the_first_of_them() -> None:
    """In the order in which they were given."""

    @aion.workflow
    async def racing() -> list[Any]:
        async def now(value: str) -> str:
            return value

        task = asyncio.create_task(now("task"))
        await asyncio.sleep(0)
        return [*(await aion.race(now("a"), task, now("b"))), *(await aion.race(now("alone")))]

    assert Story(racing()).result == [1, "task", 0, "alone"]


def test_a_cancelled_race_cancels_all_of_it() -> None:
    """Nothing that took part goes on."""

    @aion.workflow
    async def racing() -> None:
        await aion.race(step("a"), asyncio.sleep(60))

    story = Story(racing())
    story.cancel("enough")

    assert story.shape()[-3:] == ["ActivityCancelled:1.1", "TimerCancelled:2.1", "WorkflowCancelled"]


def test_an_empty_race_is_refused() -> None:
    """Nobody could win it."""

    @aion.workflow
    async def racing() -> str:
        try:
            await aion.race()
        except ValueError as error:
            return str(error)
        return "no"

    assert Story(racing()).result == "aion.race() needs at least one awaitable"
