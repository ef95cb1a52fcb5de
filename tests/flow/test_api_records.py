"""Side effects and patches: recorded once, and the same on every replay."""

from __future__ import annotations

import asyncio
import random
import uuid
from typing import Any

import pytest

import aion
from aion._core import events as ev
from aion._core.limits import Limits
from aion.errors import NonDeterminism
from tests.flow.signals_and_steps import go, step
from tests.flow.story import Story, replay_everywhere

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
    with pytest.raises(NonDeterminism, match=r"PatchMarked\(change=tax\) at flow/test_api_records.py"):
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
