"""The engine for tests: a year in no time, and time that moves only when it should."""

from __future__ import annotations

import asyncio
import datetime

import pytest

import aion
from aion import testing
from aion.testing import VirtualClock
from tests.runtime.worlds import LastingStore, run, seen

YEAR = 365 * 86_400.0
go = aion.Signal("go")
ticks = aion.Query("ticks", int)


@aion.workflow
async def reminder(name: str) -> str:
    """Sleep for a year."""
    await asyncio.sleep(YEAR)
    return f"hello {name}"


@aion.workflow
async def ticking() -> None:
    """Tick every hour."""
    count = 0
    ticks.answer(lambda: count)
    while True:
        await asyncio.sleep(3600)
        count += 1


@aion.workflow
async def deadline() -> str:
    """Wait for a signal for a minute."""
    try:
        async with asyncio.timeout(60):
            await go.receive()
    except TimeoutError:
        return "late"
    return "in time"


ALL = [reminder, ticking, deadline]


def test_a_workflow_that_sleeps_for_a_year_ends_at_once() -> None:
    """And the engine's time is a year later."""

    async def main() -> None:
        async with testing.engine(register=ALL) as engine:
            before = engine.now()
            assert await engine.execute(reminder("ada")) == "hello ada"
            assert engine.now() - before == datetime.timedelta(seconds=YEAR)

    run(main)


def test_time_stands_still_while_nobody_waits() -> None:
    """Whatever else a test does meanwhile."""

    async def main() -> None:
        async with testing.engine(register=ALL) as engine:
            before = engine.now()
            handle = await engine.start(ticking(), id="t")
            for _ in range(20):
                assert await handle.query(ticks) == 0
                await handle.describe()
            await asyncio.sleep(0.01)

            assert engine.now() == before

    run(main)


def test_advancing_fires_what_comes_due_on_the_way_each_at_its_own_time() -> None:
    """And stops exactly there."""

    async def main() -> None:
        async with testing.engine(register=ALL) as engine:
            before = engine.now()
            handle = await engine.start(ticking(), id="t")
            await engine.advance("3h30m")
            three = await handle.query(ticks)
            at = engine.now() - before
            await engine.advance(1800)
            four = await handle.query(ticks)
            fired = [event.time - before for event in await handle.history() if event.type == "TimerFired"]

            assert (three, at, four) == (3, datetime.timedelta(hours=3.5), 4)
            assert fired == [datetime.timedelta(hours=hour) for hour in (1, 2, 3, 4)]

    run(main)


def test_time_stands_still_again_after_it_was_advanced() -> None:
    """Nothing drags it on by itself."""

    async def main() -> None:
        async with testing.engine(register=ALL) as engine:
            handle = await engine.start(ticking(), id="t")
            await engine.advance("1h30m")
            before = engine.now()
            for _ in range(20):
                assert await handle.query(ticks) == 1
            await asyncio.sleep(0.01)

            assert engine.now() == before

    run(main)


def test_a_result_that_nobody_waits_for_any_more_does_not_move_time() -> None:
    """A caller that gave up is no reason to jump on."""

    async def main() -> None:
        async with testing.engine(register=ALL) as engine:
            handle = await engine.start(ticking(), id="t")
            with engine.freeze():
                with pytest.raises(TimeoutError):
                    await handle.result(timeout="5ms")
            before = engine.now()
            await asyncio.sleep(0.02)
            await handle.query(ticks)

            assert engine.now() - before < datetime.timedelta(hours=2)

    run(main)


def test_a_signal_that_a_test_is_about_to_send_is_not_overtaken_by_a_deadline() -> None:
    """Time jumps only when the test itself can do nothing but wait."""

    async def main() -> None:
        for _ in range(10):
            async with testing.engine(register=ALL) as engine:
                handle = await engine.start(deadline())
                outcome = asyncio.create_task(handle.result())
                await asyncio.sleep(0)
                await asyncio.sleep(0)
                await handle.signal(go)

                assert await outcome == "in time"

    run(main)


def test_frozen_time_moves_by_advancing_only() -> None:
    """As a block, and by hand."""

    async def main() -> None:
        async with testing.engine(register=ALL) as engine:
            handle = await engine.start(deadline())
            with engine.freeze():
                with pytest.raises(TimeoutError):
                    await handle.result(timeout="20ms")
                await engine.advance(30)
                await handle.signal(go)
                assert await handle.result() == "in time"
            other = await engine.start(deadline())
            engine.freeze()
            outcome = asyncio.create_task(other.result())
            await asyncio.sleep(0.01)
            early = outcome.done()
            engine.unfreeze()

            assert (early, await outcome) == (False, "late")

    run(main)


@pytest.mark.parametrize("duration", [-1, "soon", float("nan"), None])
def test_time_advances_by_durations(duration: object) -> None:
    """Anything else is refused."""

    async def main() -> None:
        async with testing.engine(register=ALL) as engine:
            with pytest.raises(ValueError, match="duration"):
                await engine.advance(duration)  # type: ignore[arg-type]

    run(main)


def test_a_clock_can_be_shared_by_engines_that_follow_each_other() -> None:
    """With a store that outlives them, as a test of a restart does."""

    async def main() -> None:
        store, clock = LastingStore(), VirtualClock()
        async with testing.engine(register=ALL, store=store, clock=clock) as engine:
            await engine.start(reminder("ada"), id="r")
            await engine.advance("100d")
        async with testing.engine(register=ALL, store=store, clock=clock) as engine:
            assert await engine.get("r").result() == "hello ada"
            started, fired = (await engine.get("r").history())[1:3]

        assert (fired.time - started.time).total_seconds() == YEAR

    run(main)


def test_several_may_wait_for_time_at_once() -> None:
    """Each is told when its own time is there."""

    async def main() -> None:
        async with testing.engine(register=ALL) as engine:
            before = engine.now()
            handle = await engine.start(ticking(), id="t")
            order: list[int] = []

            async def advance(hours: int) -> None:
                await engine.advance(hours * 3600)
                order.append(hours)

            await asyncio.gather(advance(5), advance(1), advance(3))
            await seen(handle, "TimerFired", 5)

            assert order == [1, 3, 5]
            assert engine.now() - before == datetime.timedelta(hours=5)

    run(main)


def test_the_test_engine_is_no_test() -> None:
    """Its name begins with one, and pytest must not collect it."""
    assert testing.TestEngine.__test__ is False
