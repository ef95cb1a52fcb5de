"""Blocked runs go on when code that fits is loaded, in a running engine or at the next start."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import aion
from aion import testing
from tests.runtime.changed_code import (
    changed,
    charge,
    ended,
    engine_with,
    go,
    item,
    left_waiting,
    original,
    other_delay,
    ship,
)
from tests.runtime.worlds import LastingStore, crashing, run, seen


async def _by_registering(store: LastingStore, engine: testing.TestEngine) -> Any:
    await engine.register(original)
    return await engine.get("o").result()


async def _by_opening(store: LastingStore, engine: testing.TestEngine) -> Any:
    await engine.close()
    async with engine_with(original, store=store) as other:
        return await other.get("o").result()


@pytest.mark.parametrize("unblock", [_by_registering, _by_opening], ids=["register", "open again"])
def test_code_that_fits_unblocks_the_run(unblock: Callable[..., Any]) -> None:
    """In the running engine, or at the next start; nobody has to touch the run."""

    async def main() -> None:
        store = await left_waiting()
        engine = engine_with(changed(ended), store=store)
        await engine.start_serving()
        for signal, value in ((go, None), (item, 1), (item, 0)):
            await engine.get("o").signal(signal, value)

        assert await unblock(store, engine) == [7, 1, 7]
        await engine.close()

    run(main)


def test_other_code_that_does_not_fit_blocks_again_with_its_own_difference() -> None:
    """Each version that was tried is in the history; the same one is not tried twice."""

    async def main() -> None:
        store = await left_waiting()
        async with engine_with(changed(ended), store=store) as engine:
            handle = engine.get("o")
            await handle.signal(go)
            await engine.register(changed(other_delay))
            await seen(handle, "WorkflowBlocked", 2)
            await engine.register(changed(other_delay))
            await engine.register(original)
            await handle.signal(item, 0)
            assert await handle.result() == [7, 7]
            blocks = [event.data for event in await handle.history() if event.type == "WorkflowBlocked"]

            assert [block["attempted"][:8] for block in blocks] == ["Workflow", "ArmTimer"]
            assert len({block["code"] for block in blocks}) == 2

    run(main)


def test_many_blocked_runs_are_tried_in_pages() -> None:
    """All of them, whatever the size of a page."""

    async def main() -> None:
        store = LastingStore()
        async with engine_with(original, store=store) as engine:
            for number in range(25):
                handle = await engine.start(original(number), id=f"o{number}")
                await seen(handle, "ActivityCompleted")
            await engine.advance("2m")
        async with engine_with(changed(ended), store=store, recovery_page=4) as engine:
            for number in range(25):
                await engine.get(f"o{number}").signal(go)
                await engine.get(f"o{number}").signal(item, 0)
            assert len(await engine.list('status = "blocked"')) == 25
            await engine.register(original)
            results = [await engine.get(f"o{number}").result() for number in range(25)]

            assert results == [[number, number] for number in range(25)]

    run(main)


def test_registering_changed_code_reaches_runs_in_memory() -> None:
    """What fits goes on under the new code from the next input on; what does not is blocked."""

    @aion.workflow(name="talk")
    async def first() -> str:
        await go.receive()
        return "first"

    @aion.workflow(name="talk")
    async def second() -> str:
        await go.receive()
        return "second"

    @aion.workflow(name="talk")
    async def third() -> str:
        await charge(1)
        return "third"

    async def main() -> None:
        async with testing.engine(register=[first, charge]) as engine:
            one, two = await engine.start(first(), id="1"), await engine.start(first(), id="2")
            await engine.register(second)
            await one.signal(go)
            await engine.register(third)
            await two.signal(go)

            assert await one.result() == "second"
            assert (await two.describe()).status == "blocked"

    run(main)


def test_a_run_that_was_blocked_when_its_process_was_killed_is_still_blocked() -> None:
    """And goes on like any other: the block is in the store, not in memory."""

    async def main() -> None:
        store = await left_waiting()
        async with crashing(store, register=[changed(ended), charge, ship]) as (engine, _):
            await engine.get("o").signal(go)
        async with engine_with(changed(ended), store=store) as engine:
            handle = engine.get("o")
            assert (await handle.describe()).status == "blocked"
            await handle.signal(item, 0)
        async with engine_with(original, store=store) as engine:
            assert await engine.get("o").result() == [7, 7]

    run(main)


def test_a_history_over_the_limit_is_blocked_with_advice_and_goes_on_under_a_higher_one() -> None:
    """Nothing of it is lost, and nothing grows meanwhile but the block."""
    from aion._core.limits import Limits

    async def main() -> None:
        store = LastingStore()
        low, high = Limits(history_events_max=10), Limits(history_events_max=1_000)
        async with engine_with(original, store=store, limits=low) as engine:
            handle = await engine.start(original(7), id="o")
            await seen(handle, "TimerStarted")
            await engine.advance("2m")
            await handle.signal(go)
            for value in range(1, 9):
                await handle.signal(item, value)
            await handle.signal(item, 0)
            described = await handle.describe()
            length = described.history_length

            assert described.status == "blocked"
            assert "higher limits" in (described.blocked_reason or "")
            assert 10 <= length <= 12
        async with engine_with(original, store=store, limits=high) as engine:
            assert await engine.get("o").result() == [7, *range(1, 9), 7]

    run(main)
