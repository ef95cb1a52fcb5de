"""What a former process left behind: found through indexes, a page at a time, and nothing else is looked at."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from msgspec import Raw

import aion
from aion import testing
from aion._core.inputs import SignalArrived, encode_input
from tests.runtime.worlds import LastingStore, crashing, eventually, run, scheduler_of, seen, types

go = aion.Signal("go")
item = aion.Signal("item", int)


@aion.activity
async def step(number: int) -> int:
    """Take a while in the first process, none in the next."""
    await asyncio.sleep(3600 if number in HANGING else 0)
    return number


HANGING: set[int] = set()
"""The steps that do not end; a test says which."""


@aion.workflow
async def working(number: int) -> int:
    """One step."""
    return await step(number)


@aion.workflow
async def waiting(number: int) -> int:
    """Wait for what is sent, and take a step with it."""
    return number + await step(await item.receive())


ALL = [working, waiting, step]


@pytest.mark.parametrize("page", [1, 2, 7, 100])
def test_work_of_a_killed_process_is_taken_up(page: int) -> None:
    """All of it, whatever the size of a page; what only waits is left alone."""

    async def main() -> None:
        HANGING.clear()
        HANGING.update(range(20))
        store = LastingStore()
        async with crashing(store, register=ALL) as (engine, _):
            for number in range(20):
                await engine.start(working(number), id=f"w{number}")
                await engine.start(waiting(number), id=f"i{number}")
        HANGING.clear()
        async with testing.engine(register=ALL, store=store, recovery_page=page) as engine:
            results = [await engine.get(f"w{number}").result() for number in range(20)]

            assert results == list(range(20))
            assert scheduler_of(engine).residency.replays == 20
            assert types(await engine.get("w3").history()).count("ActivityStarted") == 2

    run(main)


def test_inputs_that_lie_in_inboxes_are_delivered_at_the_next_start() -> None:
    """Somebody without the shard left them, or the process died before it could."""

    async def main() -> None:
        HANGING.clear()
        store = LastingStore()
        async with testing.engine(register=ALL, store=store) as engine:
            for number in range(5):
                await engine.start(waiting(number), id=f"i{number}")
        for number in store._runs:
            store.post(number, "input", encode_input(SignalArrived("item", Raw(b"100"))), 1)
        async with testing.engine(register=ALL, store=store, recovery_page=2) as engine:
            results = [await engine.get(f"i{number}").result() for number in range(5)]

            assert results == [100 + number for number in range(5)]
            assert all(store.inbox(number) == [] for number in store._runs)

    run(main)


def test_a_crash_in_the_middle_of_a_chain_of_steps_repeats_only_the_step_under_way() -> None:
    """Recorded steps are not done again, however often the process dies."""
    calls: list[int] = []

    @aion.activity
    async def counted(number: int) -> int:
        calls.append(number)
        if calls.count(number) <= 2 and number % 2:
            await asyncio.sleep(3600)
        return number

    @aion.workflow
    async def chain() -> list[int]:
        return [await counted(number) for number in range(6)]

    async def main() -> None:
        store = LastingStore()
        async with crashing(store, register=[chain, counted]) as (engine, _):
            await engine.start(chain(), id="c")
            await eventually(lambda: calls == [0, 1])
        for expected in (1, 3, 3, 5, 5):
            before = len(calls)
            async with crashing(store, register=[chain, counted]) as (engine, _):
                await eventually(lambda: len(calls) > before and calls[-1] == expected)  # noqa: B023
                await asyncio.sleep(0.005)
        async with testing.engine(register=[chain, counted], store=store) as engine:
            assert await engine.get("c").result() == list(range(6))
            completed = types(await engine.get("c").history()).count("ActivityCompleted")

        assert completed == 6
        assert [calls.count(number) for number in range(6)] == [1, 3, 1, 3, 1, 3]

    run(main)


def test_a_run_that_was_only_started_when_its_process_died_is_recovered() -> None:
    """The start is whole: its first turn is recorded with it."""

    async def main() -> None:
        HANGING.clear()
        store = LastingStore()
        async with crashing(store, register=ALL) as (engine, faulty):
            await engine.start(working(3), id="w")
            faulty.fired = True
        async with testing.engine(register=ALL, store=store) as engine:
            assert await engine.get("w").result() == 3

    run(main)


def test_code_that_is_registered_while_a_blocked_run_takes_a_turn_reaches_it_afterwards() -> None:
    """It is looked at again when its turn is over."""

    @aion.workflow(name="talk")
    async def first() -> int:
        return await item.receive() + await item.receive()

    @aion.workflow(name="talk")
    async def other() -> int:
        await asyncio.sleep(5)
        return 0

    async def main() -> None:
        store = LastingStore()
        async with testing.engine(register=[first], store=store) as engine:
            handle = await engine.start(first(), id="t")
            await engine.register(other)
            await handle.signal(item, 1)
            assert (await handle.describe()).status == "blocked"
            results: list[Any] = await asyncio.gather(
                *(handle.signal(go) for _ in range(5)), engine.register(first), handle.signal(item, 2)
            )
            await seen(handle, "WorkflowUnblocked")

            assert results == [None] * 7
            assert await handle.result() == 3

    run(main)
