"""Closing an engine, and what comes while it closes; many inputs at once."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

import aion
from aion import testing
from aion.errors import InvalidState, ShuttingDown, WorkflowCancelled, WorkflowTerminated
from tests.runtime.engine_programs import echo, go, waiting
from tests.runtime.scheduler_programs import ALL, collecting, engine, item
from tests.runtime.worlds import (
    GatedStore,
    LastingStore,
    eventually,
    run,
    scheduler_of,
    seen,
    shape,
)


def test_closing_waits_for_the_commit_under_way() -> None:
    """What was being written is written, and acknowledged."""

    async def main() -> None:
        store = GatedStore()
        aion_engine = engine(store=store)
        await aion_engine.start_serving()
        handle = await aion_engine.start(waiting(1), id="w")
        sending = await store.hold(handle.signal(item, 1))
        closing = asyncio.create_task(aion_engine.close())
        await asyncio.sleep(0.02)
        early = closing.done()
        store.gate.set()
        await closing
        await sending
        (number,) = store._runs

        assert not early
        assert [row.type for row in store.history(number)] == ["WorkflowStarted", "SignalReceived"]
        assert store._shards[0].owner is None

    run(main)


def test_calls_that_come_while_an_engine_closes_are_refused_or_done() -> None:
    """Never left without an answer, and an acknowledged signal is in the history."""

    async def main() -> None:
        store = LastingStore()
        aion_engine = engine(store=store)
        await aion_engine.start_serving()
        handle = await aion_engine.start(collecting(), id="c")
        sending = [asyncio.create_task(handle.signal(item, value)) for value in range(1, 50)]
        await asyncio.sleep(0)
        await aion_engine.close()
        answers = await asyncio.gather(*sending, return_exceptions=True)
        done = sum(answer is None for answer in answers)
        (number,) = store._runs
        stored = [row.type for row in store.history(number)].count("SignalReceived")

        assert {type(answer) for answer in answers} <= {type(None), ShuttingDown}
        assert stored == done

    run(main)


def test_a_result_is_waited_for_across_engines() -> None:
    """Whoever asks the next engine gets what the run ends with there, each way it may end."""

    async def main() -> None:
        store = LastingStore()
        async with engine(store=store) as first:
            for id in ("completed", "cancelled", "terminated"):
                await first.start(waiting(id), id=id)
            waiter = asyncio.create_task(first.get("completed").result())
            await asyncio.sleep(0.01)
        with pytest.raises(ShuttingDown):
            await waiter
        async with engine(store=store) as second:
            waiters = [asyncio.create_task(second.get(id).result()) for id in ("completed", "cancelled", "terminated")]
            await asyncio.sleep(0.01)
            await second.get("completed").signal(go)
            await second.get("cancelled").cancel("c")
            await second.get("terminated").terminate("t")
            outcomes = await asyncio.gather(*waiters, return_exceptions=True)

            assert outcomes[0] == "completed"
            assert [type(outcome) for outcome in outcomes[1:]] == [WorkflowCancelled, WorkflowTerminated]

    run(main)


def test_a_closed_loop_does_not_trouble_the_engine_thread(caplog: pytest.LogCaptureFixture) -> None:
    """A program that ends without closing its engine loses answers, not records."""

    async def main() -> tuple[testing.TestEngine, LastingStore]:
        store = LastingStore()
        aion_engine = engine(store=store)
        await aion_engine.start_serving()
        await aion_engine.start(waiting(1), id="w")
        return aion_engine, store

    aion_engine, store = run(main)
    scheduler = scheduler_of(aion_engine)
    from aion._core.inputs import TerminateRequested
    from aion._runtime import requests as rq

    loop = asyncio.new_event_loop()
    reply: asyncio.Future[Any] = loop.create_future()
    scheduler.submit(rq.Send("default", "w", None, TerminateRequested("end"), None, reply))
    scheduler.submit(rq.Stop())
    (number,) = store._runs
    for _ in range(2_000):
        if len(store.history(number)) == 2 and not scheduler.residency.runs:
            break
        loop.run_until_complete(asyncio.sleep(0.001))
    loop.close()

    assert [row.type for row in store.history(number)] == ["WorkflowStarted", "WorkflowTerminated"]
    assert "the event loop of the engine is closed" in caplog.text


def test_a_flood_of_requests_does_not_hold_up_timers() -> None:
    """Requests are taken in bounded numbers, and turns and timers get their share."""

    @aion.workflow
    async def sleeping() -> str:
        await asyncio.sleep(1)
        return "slept"

    async def main() -> None:
        async with engine(register=[sleeping, *ALL], turns_per_flush_max=2) as aion_engine:
            handle = await aion_engine.start(collecting(), id="c")
            sleeper = await aion_engine.start(sleeping())
            await asyncio.gather(*(handle.signal(item, value) for value in range(1, 200)))

            assert await sleeper.result() == "slept"
            await handle.signal(item, 0)
            assert await handle.result() == list(range(1, 200))

    run(main)


def test_signals_of_one_sender_keep_their_order_and_none_is_lost_or_doubled() -> None:
    """Several senders at once; each one's own order is that of the history."""

    async def main() -> None:
        async with engine() as aion_engine:
            handle = await aion_engine.start(collecting(), id="c")

            async def send(sender: int) -> None:
                for number in range(1, 21):
                    await handle.signal(item, sender * 1_000 + number)

            await asyncio.gather(*(send(sender) for sender in range(1, 6)))
            await handle.signal(item, 0)
            result = await handle.result()

            assert len(result) == 100
            for sender in range(1, 6):
                mine = [value for value in result if value // 1_000 == sender]
                assert mine == [sender * 1_000 + number for number in range(1, 21)]

    run(main)


def test_a_signal_that_was_acknowledged_comes_before_the_end() -> None:
    """A run that ends as signals come in: each is in the history, or was refused."""

    @aion.workflow
    async def racing() -> int:
        first = await item.receive()
        await echo(first)
        return first

    async def main() -> None:
        for _ in range(20):
            async with engine(register=[racing, echo]) as aion_engine:
                handle = await aion_engine.start(racing(), id="r")
                answers = await asyncio.gather(
                    *(handle.signal(item, number) for number in range(1, 30)), return_exceptions=True
                )
                await handle.result()
                history = shape(await handle.history())
                accepted = sum(answer is None for answer in answers)

                assert {type(answer) for answer in answers} <= {type(None), InvalidState}
                assert sum(line.startswith("SignalReceived") for line in history) == accepted
                assert history[-1].startswith("WorkflowCompleted")

    run(main)


def test_runs_that_a_former_engine_left_are_taken_up_while_it_serves_others() -> None:
    """Recovery goes in pages, and a new run does not wait for it."""

    async def main() -> None:
        store = LastingStore()
        blocked = asyncio.Event()

        @aion.activity
        async def slow() -> int:
            await blocked.wait()
            return 7

        @aion.workflow
        async def working() -> int:
            return await slow()

        aion_engine = testing.engine(register=[working, slow], store=store)
        await aion_engine.start_serving()
        for number in range(30):
            await aion_engine.start(working(), id=f"w{number}")
        await aion_engine.close(grace=0)
        blocked.set()
        async with testing.engine(register=[working, slow, *ALL], store=store, recovery_page=3) as second:
            new = await second.start(waiting(1))
            await new.signal(go)
            assert await new.result() == 1
            results = [await second.get(f"w{number}").result() for number in range(30)]

            assert results == [7] * 30
            started = [event.type for event in await second.get("w5").history()].count("ActivityStarted")
            assert started == 2

    run(main)


def test_watching_while_something_is_seen() -> None:
    """A reader that comes and goes changes nothing for others."""

    async def main() -> None:
        async with engine() as aion_engine:
            handle = await aion_engine.start(collecting(), id="c")
            for value in range(1, 4):
                await handle.signal(item, value)
                await seen(handle, "SignalReceived", value)
            await eventually(lambda: not scheduler_of(aion_engine).answers.sinks)
            await handle.signal(item, 0)

            assert await handle.result() == [1, 2, 3]

    run(main)
