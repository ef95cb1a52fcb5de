"""The store fails: whichever call it is, done or not done, the runs end as if nothing had been."""

from __future__ import annotations

import asyncio
import itertools
import logging
from pathlib import Path
from typing import Any

import pytest

from aion import testing
from aion.errors import StoreCorrupt, StoreError
from aion.stores.base import Store
from tests.runtime import programs
from tests.runtime.programs import ALL, EFFECTS, IDS, OUTCOMES, drive, everything, insist
from tests.runtime.worlds import (
    READS,
    READS_AT_START,
    FaultyStore,
    LastingStore,
    When,
    crashing,
    eventually,
    run,
    seen,
    shape,
)

# Nothing waits for real time: what failed is tried again at once.
AT_ONCE = {"retry_first": 0.0, "retry_last": 0.0}


async def shapes_of(engine: testing.TestEngine) -> dict[str, list[str]]:
    """The histories of all runs, without what differs from run to run.

    Where activities of several runs and their signals meet differs too, so what is compared is what the code asked for
    and how it ended, in order, and the inputs it got, in order.
    """
    shapes: dict[str, list[str]] = {}
    for id in IDS:
        told = shape(await insist(engine.get(id).history))
        shapes[id] = [line for line in told if not line.startswith("SignalReceived")]
        shapes[f"{id} signals"] = [line for line in told if line.startswith("SignalReceived")]
    return shapes


async def driven(store: Store, **options: Any) -> tuple[dict[str, Any], dict[str, list[str]]]:
    """Outcomes and histories of the whole program on a store."""
    EFFECTS.done.clear()
    async with testing.engine(register=ALL, store=store, **AT_ONCE, **options) as engine:
        outcomes = await drive(engine)
        return outcomes, await shapes_of(engine)


# The run that is terminated may have got to any place by then.
def comparable(shapes: dict[str, list[str]]) -> dict[str, list[str]]:
    """Histories that must be the same every time."""
    return {id: told for id, told in shapes.items() if not id.startswith("terminated")}


def calm() -> dict[str, list[str]]:
    """The histories when nothing fails."""
    outcomes, shapes = run(lambda: driven(LastingStore()))
    assert outcomes == OUTCOMES
    assert shapes["terminated"][-1] == "WorkflowTerminated reason=at once"
    return comparable(shapes)


@pytest.mark.parametrize("when", ["before", "after"])
def test_one_failed_commit_at_any_point_changes_nothing(when: When, caplog: pytest.LogCaptureFixture) -> None:
    """Whichever commit fails, every run ends with the history of the one where none did."""
    caplog.set_level(logging.CRITICAL)
    expected = calm()
    for n in itertools.count():
        faulty = FaultyStore(LastingStore(), n, when)
        outcomes, shapes = run(lambda: driven(faulty))  # noqa: B023 - called at once

        assert outcomes == OUTCOMES, f"fault {when} commit {n}"
        assert comparable(shapes) == expected, f"fault {when} commit {n}"
        if not faulty.fired:
            break
    assert n > 10


def test_one_failed_read_at_any_point_changes_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """Reads happen in the middle of everything; the engine goes on from the store, and asks again."""
    caplog.set_level(logging.CRITICAL)
    expected = calm()
    for n in itertools.count():
        faulty = FaultyStore(LastingStore(), n, "before", READS + READS_AT_START)
        outcomes, shapes = run(lambda: driven(faulty, resident_idle=0.0))  # noqa: B023 - called at once

        assert outcomes == OUTCOMES, f"fault at read {n}"
        assert comparable(shapes) == expected, f"fault at read {n}"
        if not faulty.fired:
            break
    assert n > 10


@pytest.mark.parametrize("when", ["before", "after"])
def test_many_failures_in_a_row_change_nothing(when: When, caplog: pytest.LogCaptureFixture) -> None:
    """Every third commit fails, again and again; each input is still recorded once."""
    caplog.set_level(logging.CRITICAL)

    class Unreliable(FaultyStore):
        """Fails every third time."""

        def _call(self, name: str, *args: Any) -> Any:
            self._fail_at = self.calls if self.calls % 3 == 2 else None
            return super()._call(name, *args)

    outcomes, shapes = run(lambda: driven(Unreliable(LastingStore(), None, when)))

    assert outcomes == OUTCOMES
    assert comparable(shapes) == calm()


def test_runs_that_are_evicted_all_the_time_end_the_same() -> None:
    """With room for a single run in memory, and none kept, all is rebuilt for each input."""
    outcomes, shapes = run(lambda: driven(LastingStore(), resident_idle=0.0, resident_runs_max=1))

    assert outcomes == OUTCOMES
    assert comparable(shapes) == calm()


def test_where_runs_live_changes_nothing() -> None:
    """A store with several shards has an engine thread for each."""
    outcomes, shapes = run(lambda: driven(LastingStore(5)))

    assert outcomes == OUTCOMES
    assert comparable(shapes) == calm()


def test_a_file_holds_what_memory_holds(tmp_path: Path) -> None:
    """The same histories, through the other store, with the engine closed and opened again in the middle."""

    async def main() -> tuple[dict[str, Any], dict[str, list[str]]]:
        url, clock = f"sqlite:///{tmp_path}/store.db", testing.VirtualClock()
        async with testing.engine(register=ALL, store=url, clock=clock) as engine:
            driving = asyncio.create_task(drive(engine))
            await eventually(lambda: engine.list('type = "everything"'))
            await seen(engine.get("one"), "ActivityCompleted")
            driving.cancel()
            await asyncio.gather(driving, return_exceptions=True)
        async with testing.engine(register=ALL, store=url, clock=clock) as engine:
            outcomes = await drive(engine)
            return outcomes, await shapes_of(engine)

    outcomes, shapes = run(main)

    assert outcomes == OUTCOMES
    assert comparable(shapes) == calm()


@pytest.mark.parametrize("turns_per_flush_max", [1, 2, 500])
@pytest.mark.parametrize("turns_inline_max", [0, 500])
def test_how_turns_are_batched_changes_nothing(turns_per_flush_max: int, turns_inline_max: int) -> None:
    """One turn a commit or many, on the engine's thread or the writer's."""
    outcomes, shapes = run(
        lambda: driven(
            LastingStore(), turns_per_flush_max=turns_per_flush_max, turns_inline_max=turns_inline_max, timer_page=1
        )
    )

    assert outcomes == OUTCOMES
    assert comparable(shapes) == calm()


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_crash_at_any_commit_changes_nothing(when: When, caplog: pytest.LogCaptureFixture) -> None:
    """The process dies before or after the commit; the next one takes over, and the client asks again."""
    caplog.set_level(logging.CRITICAL)
    expected = calm()
    for n in itertools.count():
        fired, outcomes, shapes, effects = run(lambda: _crashed_at(n, when))  # noqa: B023 - called at once

        assert outcomes == OUTCOMES, f"crash {when} commit {n}"
        assert comparable(shapes) == expected, f"crash {when} commit {n}"
        assert all(times >= 1 for times in effects.values())
        if not fired:
            break
    assert n > 10


async def _crashed_at(n: int, when: When) -> tuple[bool, dict[str, Any], dict[str, list[str]], dict[str, int]]:
    store = LastingStore()
    EFFECTS.done.clear()
    clock = testing.VirtualClock()
    async with crashing(store, register=ALL, clock=clock, **AT_ONCE) as (first, faulty):
        faulty._counted = frozenset(["commit"])
        faulty._fail_at, faulty._when = n, when
        dead = asyncio.Event()
        loop = asyncio.get_running_loop()
        faulty.on_fire = lambda: loop.call_soon_threadsafe(dead.set)
        driving = asyncio.create_task(drive(first))
        dying = asyncio.create_task(dead.wait())
        await asyncio.wait({driving, dying}, return_when=asyncio.FIRST_COMPLETED)
        fired = faulty.fired
        for task in (driving, dying):
            task.cancel()
        await asyncio.gather(driving, dying, return_exceptions=True)
    async with testing.engine(register=ALL, store=store, clock=clock, **AT_ONCE) as second:
        outcomes = await drive(second)
        return fired, outcomes, await shapes_of(second), dict(EFFECTS.done)


def test_a_caller_learns_that_its_call_may_not_have_happened() -> None:
    """The error is the store's; asking again with the same id is safe, whichever it was."""

    async def main(when: When) -> list[str]:
        faulty = FaultyStore(LastingStore(), 0, when)
        async with testing.engine(register=ALL, store=faulty, **AT_ONCE) as engine:
            with pytest.raises(StoreError, match="the disk is on fire"):
                await engine.start(everything("x"), id="x", request_id="r")
            again = await engine.start(everything("x"), id="x", request_id="r")
            faulty._fail_at = faulty.calls
            with pytest.raises(StoreError, match="the disk is on fire"):
                await again.signal(programs.item, 1, request_id="s")
            await again.signal(programs.item, 1, request_id="s")
            for value in (2, 3):
                await again.signal(programs.item, value)
            await again.signal(programs.done)
            assert await again.result() == ["x", "x after all", 1, 42, "x", 2, 3]
            return [line for line in shape(await again.history()) if line.startswith("SignalReceived")]

    expected = [
        "SignalReceived name=item value=1",
        "SignalReceived name=item value=2",
        "SignalReceived name=item value=3",
        "SignalReceived name=done value=None",
    ]

    assert run(lambda: main("before")) == run(lambda: main("after")) == expected


def test_an_error_that_is_not_the_stores_own_restarts_the_engine_and_nothing_is_lost(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A fault of ours in a commit: callers learn that the outcome is unknown, and everything goes on from the store."""
    caplog.set_level(logging.CRITICAL)
    expected = calm()
    for n, when in itertools.product((0, 3, 7), ("before", "after")):
        faulty = FaultyStore(LastingStore(), n, when, error=lambda: RuntimeError("a bug"))  # type: ignore[arg-type]
        outcomes, shapes = run(lambda: driven(faulty))  # noqa: B023 - called at once

        assert outcomes == OUTCOMES, f"bug {when} commit {n}"
        assert comparable(shapes) == expected, f"bug {when} commit {n}"


def test_damage_that_a_store_reports_is_no_reason_to_stop(caplog: pytest.LogCaptureFixture) -> None:
    """A store that finds its own damage in one commit fails that commit."""
    caplog.set_level(logging.CRITICAL)
    faulty = FaultyStore(LastingStore(), 2, "before", error=lambda: StoreCorrupt("a page is damaged"))
    outcomes, _ = run(lambda: driven(faulty))

    assert outcomes == OUTCOMES
