"""When the engine thread fails: its successor goes on, or everybody who waits learns that there is none."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest

import aion
from aion import testing
from aion._core.limits import Limits
from aion.errors import LimitExceeded, StoreError
from aion.stores.base import Fenced
from tests.runtime.worlds import FaultyStore, GatedStore, LastingStore, eventually, run, scheduler_of, types

item = aion.Signal("item", int)
go = aion.Signal("go")
count = aion.Query("count", int)


@aion.workflow
async def collecting() -> list[int]:
    """Collect what is sent until 0 comes."""
    got: list[int] = []
    count.answer(lambda: len(got))
    async for value in item:
        if value == 0:
            break
        got.append(value)
    return got


async def everything_at_once(engine: testing.TestEngine, store: GatedStore) -> list[asyncio.Task[Any]]:
    """Calls of all kinds, caught while one commit is under way: in it, in the next batch, in memory, in the queue."""
    one, two = await engine.start(collecting(), id="1"), await engine.start(collecting(), id="2")
    calls: list[asyncio.Task[Any]] = [await store.hold(one.signal(item, 1))]
    more = (
        one.signal(item, 2),
        one.query(count, timeout="10s"),
        two.signal(item, 3),
        two.query(count, timeout="10s"),
        two.result(),
        engine.start(collecting(), id="3"),
        engine.get("3").signal(item, 4),
        engine.get("3").query(count, timeout="10s"),
        engine.start(collecting(), id="2", on_conflict="terminate"),
        engine.start_many([(collecting(), {"id": "4"}), (collecting(), {"id": "5"})]),
    )
    calls += [asyncio.create_task(call) for call in more]
    await eventually(lambda: scheduler_of(engine)._built is not None)
    await asyncio.sleep(0.02)
    return calls


def test_with_no_successor_everybody_is_told(caplog: pytest.LogCaptureFixture) -> None:
    """Whatever they waited for, and wherever it was: an error of the store, and nobody hangs."""
    caplog.set_level(logging.CRITICAL)

    async def main() -> None:
        store = GatedStore()
        faulty = FaultyStore(store, 2, "after", error=lambda: Fenced("somebody else has it"))  # type: ignore[arg-type]
        async with testing.engine(register=[collecting], store=faulty, turns_inline_max=0) as engine:
            calls = await everything_at_once(engine, store)
            store.gate.set()
            answers = await asyncio.gather(*calls, return_exceptions=True)

            assert [type(answer) for answer in answers] == [StoreError] * len(calls)

    run(main)


def test_a_successor_goes_on_with_everything(caplog: pytest.LogCaptureFixture) -> None:
    """What was under way is unknown to its callers, what waited is done, and the engine serves on."""
    caplog.set_level(logging.CRITICAL)

    async def main() -> None:
        store = GatedStore()
        faulty = FaultyStore(store, 2, "after", error=lambda: ZeroDivisionError("a bug of ours"))
        async with testing.engine(register=[collecting], store=faulty, turns_inline_max=0) as engine:
            calls = await everything_at_once(engine, store)
            result = calls.pop(5)
            store.gate.set()
            answers = await asyncio.gather(*calls, return_exceptions=True)
            await eventually(lambda: engine._shards[0].restarts == 1)

            assert isinstance(answers[0], StoreError)
            assert {type(answer) for answer in answers if isinstance(answer, Exception)} == {StoreError}
            one = engine.get("1")
            await one.signal(item, 0)
            assert (await one.result())[0] == 1
            assert types(await one.history()).count("SignalReceived") >= 2
            await engine.get("2").terminate()
            await asyncio.gather(result, return_exceptions=True)
            assert result.done()

    run(main)


def test_a_signal_over_the_limit_is_refused_to_its_sender_alone() -> None:
    """Those that fit are there; once some were received there is room again."""

    @aion.workflow
    async def slow() -> list[int]:
        await go.receive()
        return [await item.receive() for _ in range(4)]

    async def main() -> None:
        limits = Limits(unread_signals_max=3)
        async with testing.engine(register=[slow], store=LastingStore(), limits=limits) as engine:
            handle = await engine.start(slow())
            answers = await asyncio.gather(
                *(handle.signal(item, number) for number in range(5)), return_exceptions=True
            )
            await handle.signal(go)
            await handle.signal(item, 9)

            assert [type(answer) for answer in answers] == [type(None)] * 3 + [LimitExceeded] * 2
            assert await handle.result() == [0, 1, 2, 9]

    run(main)
