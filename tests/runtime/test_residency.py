"""Runs in memory and out of it: evicted ones cost nothing, come back by replay, and nobody notices."""

from __future__ import annotations

import asyncio
import gc
import weakref
from typing import Any

import aion
from aion import testing
from aion.testing import VirtualClock
from tests.runtime.worlds import LastingStore, eventually, run, scheduler_of, seen, shape, types

go = aion.Signal("go")
item = aion.Signal("item", int)
asked = aion.Query("asked", int)
LOG: list[str] = []
"""What clean-up code did; tests that use it empty it first."""


@aion.activity
async def echo(value: Any) -> Any:
    """Give back what was given."""
    LOG.append(f"echo {value}")
    return value


@aion.workflow
async def collecting() -> list[int]:
    """Collect what is sent, with an activity for each, until 0 comes."""
    got: list[int] = []
    asked.answer(lambda: len(got))
    async for value in item:
        if value == 0:
            return got
        got.append(await echo(value))
    return got


@aion.workflow
async def tidy() -> None:
    """Clean up with activities, in nested task groups."""

    async def wait(name: str) -> None:
        try:
            await go.receive()
        finally:
            LOG.append(f"{name} ends")
            await echo(f"clean {name}")

    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(wait("one"))
            async with asyncio.TaskGroup() as inner:
                inner.create_task(wait("two"))
                await asyncio.sleep(3600)
    finally:
        await echo("clean main")


ALL = [collecting, tidy, echo]
EVICTING = {"resident_idle": 0.0, "resident_runs_max": 1}


def test_an_evicted_run_goes_on_where_it_was() -> None:
    """Its history, its results and its answers are those of one that stayed in memory."""

    async def main(**options: Any) -> tuple[list[str], int]:
        async with testing.engine(register=ALL, **options) as engine:
            handle = await engine.start(collecting(), id="c")
            for value in (5, 6, 7):
                await handle.signal(item, value)
                await seen(handle, "ActivityCompleted", value - 4)
                await engine.advance("2m")
                assert await handle.query(asked) == value - 4
            await handle.signal(item, 0)
            assert await handle.result() == [5, 6, 7]
            return shape(await handle.history()), scheduler_of(engine).residency.evictions

    stayed, none = run(lambda: main(resident_idle=1e9))
    left, some = run(lambda: main(**EVICTING))

    assert stayed == left
    assert (none, some >= 3) == (0, True)


def test_evicting_runs_with_clean_up_records_nothing_and_leaves_no_trace() -> None:
    """`finally` blocks with activities, nested task groups: no event, no activity, no warning, no object."""

    async def main() -> None:
        LOG.clear()
        store = LastingStore()
        async with testing.engine(register=ALL, store=store, **EVICTING) as engine:
            handles = await engine.start_many([(tidy(), {"id": f"t{number}"}) for number in range(10)])
            loops = [weakref.ref(each.stepper.loop) for each in scheduler_of(engine).residency.runs.values()]
            residency = scheduler_of(engine).residency
            await engine.advance("2s")
            await eventually(lambda: not residency.runs)
            gc.collect()

            assert residency.evictions == 10
            assert (len(residency.runs), len(residency.by_id)) == (0, 0)
            assert [loop() for loop in loops] == [None] * 10
            assert not [line for line in LOG if line.startswith("echo")]
            assert LOG.count("one ends") == 10
            for handle in handles:
                assert types(await handle.history()) == ["WorkflowStarted", "TimerStarted"]

    run(main)


def test_closing_an_engine_ends_the_code_of_its_runs_without_a_trace() -> None:
    """Nothing is recorded of it, and nothing is left to the collector."""

    async def main() -> None:
        LOG.clear()
        store = LastingStore()
        async with testing.engine(register=ALL, store=store) as engine:
            await engine.start(tidy(), id="t")
            (resident,) = scheduler_of(engine).residency.runs.values()
            loop = weakref.ref(resident.stepper.loop)
            del resident
        gc.collect()
        (number,) = store._runs

        assert loop() is None
        assert [row.type for row in store.history(number)] == ["WorkflowStarted", "TimerStarted"]
        assert sorted(LOG) == ["one ends", "two ends"]

    run(main)


def test_a_finished_run_leaves_memory_at_once() -> None:
    """With its end durable, nothing of it is kept."""

    async def main() -> None:
        async with testing.engine(register=ALL) as engine:
            handles = await engine.start_many([(collecting(), {"id": f"c{number}"}) for number in range(20)])
            for handle in handles:
                await handle.signal(item, 0)
                await handle.result()
            residency = scheduler_of(engine).residency

            assert (len(residency.runs), len(residency.by_id), residency.attempts) == (0, 0, {})

    run(main)


def test_runs_with_work_under_way_stay() -> None:
    """An activity runs for a long time: its run may leave memory, and its result brings it back."""

    async def main() -> None:
        release = asyncio.Event()

        @aion.activity
        async def slow() -> int:
            await release.wait()
            return 7

        @aion.workflow
        async def waits() -> int:
            return await slow()

        async with testing.engine(register=[waits, slow, collecting], **EVICTING) as engine:
            handle = await engine.start(waits(), id="w")
            await seen(handle, "ActivityStarted")
            scheduler = scheduler_of(engine)
            scheduler._evict_at = 0.0
            await eventually(lambda: engine.start(collecting()))
            await eventually(
                lambda: not scheduler.residency.by_id.get(("default", "w")) or scheduler.residency.evictions
            )
            release.set()

            assert await handle.result() == 7
            assert types(await handle.history()).count("ActivityStarted") == 1

    run(main)


def test_only_runs_that_idle_too_long_are_evicted() -> None:
    """Those that were used lately stay, the least recently used go first when there are too many."""

    async def main() -> None:
        clock = VirtualClock()
        async with testing.engine(register=ALL, clock=clock, resident_idle=30.0, resident_runs_max=3) as engine:
            residency = scheduler_of(engine).residency
            for number in range(3):
                await engine.start(collecting(), id=f"c{number}")
            await engine.advance("20s")
            await engine.get("c0").signal(item, 1)
            await seen(engine.get("c0"), "ActivityCompleted")
            await engine.advance("20s")
            await eventually(lambda: len(residency.runs) == 1)
            idle = sorted(each.workflow_id for each in residency.runs.values())
            for number in range(3, 7):
                await engine.start(collecting(), id=f"c{number}")
            await engine.advance("2s")
            await eventually(lambda: len(residency.runs) == 3)
            many = sorted(each.workflow_id for each in residency.runs.values())

            assert idle == ["c0"]
            assert many == ["c4", "c5", "c6"]

    run(main)


def test_opening_an_engine_loads_no_run_that_only_waits() -> None:
    """Start-up looks at work that was handed out and at unread inputs, not at runs."""

    async def main() -> None:
        store, clock = LastingStore(), VirtualClock()
        async with testing.engine(register=ALL, store=store, clock=clock) as engine:
            await engine.start_many([(tidy(), {"id": f"t{number}"}) for number in range(50)])
        async with testing.engine(register=ALL, store=store, clock=clock) as engine:
            await engine.advance("30m")
            replays = scheduler_of(engine).residency.replays
            await engine.get("t7").cancel()

            assert replays == 0
            assert scheduler_of(engine).residency.replays == 1

    run(main)


def test_a_long_history_is_rebuilt_whole() -> None:
    """Several pages of events, and everything is where it was."""

    async def main() -> None:
        store = LastingStore()
        async with testing.engine(register=ALL, store=store) as engine:
            handle = await engine.start(collecting(), id="c")
            for value in range(1, 301):
                await handle.signal(item, value)
            await seen(handle, "ActivityCompleted", 300)
        async with testing.engine(register=ALL, store=store) as engine:
            assert await engine.get("c").query(asked) == 300
            await engine.get("c").signal(item, 0)
            assert await engine.get("c").result() == list(range(1, 301))
            assert scheduler_of(engine).residency.replayed_events == 1 + 300 * 4

    run(main)
