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
from aion._core.limits import Limits
from aion.errors import InvalidInput, InvalidState, NonDeterminism
from tests.flow.story import START, Story, replay_everywhere

go = aion.Signal("go")
number = aion.Signal("number", int)


@aion.activity
async def step(what: Any) -> Any:
    """Never runs here."""
    return what


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
        return aion.now() == first and first.tzinfo is datetime.timezone.utc

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


# ── records ──────────────────────────────────────────────────────────────────────────────────────


def test_a_side_effect_runs_once_and_its_value_is_recorded() -> None:
    """On replay the recorded value is given, and the function is not called."""
    calls: list[int] = []

    @aion.workflow
    async def counting() -> list[Any]:
        values = [aion.side_effect(lambda: calls.append(1) or {"count": len(calls), "pair": (1, 2)}) for _ in range(2)]
        await go.receive()
        return values

    story = Story(counting())
    story.replayed().close()
    story.signal("go")

    assert story.result == [{"count": 1, "pair": [1, 2]}, {"count": 2, "pair": [1, 2]}]
    assert len(calls) == 2
    assert story.shape()[1:3] == ["SideEffectRecorded:1", "SideEffectRecorded:2"]
    replay_everywhere(story)


def test_what_a_side_effect_draws_is_not_drawn_from_the_run() -> None:
    """It is not drawn again on replay, so it must not move the run's own generator; two draw differently."""

    @aion.workflow
    async def drawing_beside() -> list[Any]:
        beside = [aion.side_effect(random.random), aion.side_effect(lambda: str(uuid.uuid4()))]
        again = [aion.side_effect(random.random), aion.side_effect(lambda: str(uuid.uuid4()))]
        await step(random.random())
        return [*beside, *again, random.random()]

    story = Story(drawing_beside())
    story.go()

    assert len(set(story.result)) == 5
    replay_everywhere(story)


def test_a_side_effect_that_asks_for_something_is_refused() -> None:
    """It may compute, not act; what it asked for is not recorded, that it failed is."""

    @aion.workflow
    async def acting() -> str:
        try:
            aion.side_effect(lambda: asyncio.get_running_loop().call_later(5, print))
        except aion.ApplicationError as error:
            await asyncio.sleep(1)
            return f"{error.type}: {error.message}"
        return "no"

    story = Story(acting())
    story.go()

    assert story.result.startswith("QueryFailed: a side_effect function may not record anything")
    assert story.shape()[1:3] == ["SideEffectRecorded:1", "TimerStarted:2"]
    replay_everywhere(story)


def test_what_a_side_effect_raises_is_recorded_and_raised_again_on_replay() -> None:
    """The function does not run again, and the code that handled its error handles it again."""
    calls: list[int] = []

    def refuse() -> None:
        calls.append(1)
        raise KeyError("missing")

    @aion.workflow
    async def refusing() -> list[str]:
        told: list[str] = []
        try:
            aion.side_effect(refuse)
        except aion.ApplicationError as error:
            told += [error.type, error.message]
        await step("after")
        return told

    story = Story(refusing())
    story.go()
    replay_everywhere(story)

    assert (story.result, calls) == (["KeyError", "'missing'"], [1])


@pytest.mark.parametrize(
    "value",
    [object(), float("nan"), "\ud800", {1, 2, object()}, "x" * 1_000],
    ids=["object", "nan", "surrogate", "set", "large"],
)
def test_a_value_that_cannot_be_recorded_is_refused(value: Any) -> None:
    """By the same kind of error, live as on replay; the code may handle it."""

    @aion.workflow
    async def odd() -> str:
        try:
            aion.side_effect(lambda: value)
        except aion.ApplicationError as error:
            await step("after")
            return error.type
        return "no"

    story = Story(odd(), limits=Limits(payload_bytes_max=100))
    story.go()
    replay_everywhere(story)

    assert story.result == ("PayloadTooLarge" if value == "x" * 1_000 else "InvalidInput")


def test_a_side_effect_in_another_place_is_a_difference() -> None:
    """A history that records something else there does not fit."""

    @aion.workflow(name="moved")
    async def before() -> None:
        aion.side_effect(lambda: 1)
        await asyncio.sleep(5)

    @aion.workflow(name="moved")
    async def after() -> None:
        await asyncio.sleep(5)
        aion.side_effect(lambda: 1)

    @aion.workflow(name="moved")
    async def more() -> None:
        aion.side_effect(lambda: 1)
        aion.side_effect(lambda: 2)
        await asyncio.sleep(5)

    story = Story(before())
    for changed in (after, more):
        with pytest.raises(NonDeterminism):
            story.replayed(definition=changed)
    story.close()


# ── patches ──────────────────────────────────────────────────────────────────────────────────────


@aion.workflow(name="taxed")
async def taxed_old() -> list[Any]:
    """As it was."""
    got = [await step("price")]
    await go.receive()
    got.append(await step("pay"))
    return got


@aion.workflow(name="taxed")
async def taxed_new() -> list[Any]:
    """With a step more, behind a patch, before and after the signal."""
    got = [await step("price")]
    if aion.patched("tax"):
        got.append(await step("tax"))
    await go.receive()
    if aion.patched("tax"):
        got.append(await step("more tax"))
    got.append(await step("pay"))
    return got


@aion.workflow(name="taxed")
async def taxed_without_guard() -> list[Any]:
    """With a step more, unguarded."""
    got = [await step("price"), await step("tax")]
    await go.receive()
    got.append(await step("pay"))
    return got


def answer(name: str, id: str) -> str:
    """What activities give."""
    return id


def test_a_new_run_goes_the_new_way_and_records_it_once() -> None:
    """One marker a change, however often it is asked."""
    story = Story(taxed_new())
    story.go(answer)
    story.signal("go")
    story.go(answer)

    assert story.result == ["1", "2", "3", "4"]
    assert story.shape().count("PatchMarked:tax") == 1
    replay_everywhere(story)


def test_a_run_that_was_past_the_change_goes_the_old_way_to_its_end() -> None:
    """Its history fits the new code, and the answer stays the same after the replay."""
    story = Story(taxed_old())
    story.go(answer)
    stepper = story.replayed(definition=taxed_new)
    stepper.react(ev.SignalReceived("go"), story.now, len(story.history) + 1, 0)
    asked = [command.input for command in stepper.loop.commands]  # type: ignore[union-attr]
    stepper.close()
    with pytest.raises(NonDeterminism):
        story.replayed(definition=taxed_without_guard)
    story.close()

    assert list(map(bytes, asked)) == [b'"pay"']


def test_a_run_that_first_gets_there_under_the_new_code_goes_the_new_way() -> None:
    """It started under the old code, but had not reached the change."""
    story = Story(taxed_old())
    stepper = story.replayed(definition=taxed_new)
    stepper.react(ev.ActivityCompleted("1", b"1"), story.now, 3, 0)  # type: ignore[arg-type]
    kinds = [type(command).__name__ for command in stepper.loop.commands]
    stepper.close()
    story.close()

    assert kinds == ["MarkPatch", "ScheduleActivity"]


def test_code_without_the_patch_no_longer_fits_a_run_that_recorded_it() -> None:
    """Taking the guard out too early is found."""
    story = Story(taxed_new())
    story.go(answer)
    with pytest.raises(NonDeterminism, match=r"PatchMarked\(change=tax\) at flow/test_api.py"):
        story.replayed(definition=taxed_old)
    story.close()


def test_patches_are_told_apart_by_their_ids() -> None:
    """In a loop too; an id that is none is refused before it is recorded."""

    @aion.workflow
    async def patching() -> list[bool]:
        return [aion.patched(id) for id in ("a", "b", "a", "b")]

    @aion.workflow
    async def wrongly() -> str:
        try:
            aion.patched("")
        except aion.InvalidInput:
            return "refused"
        return "no"

    story, other = Story(patching()), Story(wrongly())

    assert story.result == [True] * 4
    assert story.shape()[1:3] == ["PatchMarked:a", "PatchMarked:b"]
    assert (other.result, len(other.history)) == ("refused", 2)


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
