"""The engine thread: what happens while a commit is under way, when it fails, and when the engine closes."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest

import aion
from aion import testing
from aion.errors import InvalidState, ShuttingDown, StoreError, WorkflowCancelled, WorkflowFailed, WorkflowTerminated
from aion.stores.base import Lease
from aion.testing import VirtualClock
from tests.runtime.worlds import (
    FaultyStore,
    GatedStore,
    LastingStore,
    eventually,
    run,
    scheduler_of,
    seen,
    shape,
    types,
)

go = aion.Signal("go")
item = aion.Signal("item", int)


@aion.activity
async def echo(value: Any) -> Any:
    """Give back what was given."""
    return value


@aion.workflow
async def waiting(value: Any = None) -> Any:
    """End when told to."""
    await go.receive()
    return value


@aion.workflow
async def collecting() -> list[int]:
    """Collect what is sent until 0 comes."""
    return [value async for value in _until_zero()]


async def _until_zero() -> Any:
    async for value in item:
        if value == 0:
            return
        yield value


ALL = [waiting, collecting, echo]


def engine(**options: Any) -> testing.TestEngine:
    """An engine whose commits are made by its writer thread."""
    return testing.engine(**{"register": ALL, "turns_inline_max": 0, **options})


# ── while a commit is under way ──────────────────────────────────────────────────────────────────


def test_inputs_that_come_while_the_end_is_being_written_are_refused() -> None:
    """A signal, a cancel, a termination: none was acknowledged, all are told, and nobody waits for ever."""

    async def main() -> None:
        store = GatedStore()
        async with engine(store=store) as aion_engine:
            handle = await aion_engine.start(waiting(7), id="w")
            store.gate.clear()
            ending = asyncio.create_task(handle.signal(go))
            await asyncio.to_thread(store.waiting.wait)
            late = [asyncio.create_task(call) for call in (handle.signal(go), handle.cancel(), handle.terminate())]
            asking = asyncio.create_task(handle.result())
            await asyncio.sleep(0.02)
            store.gate.set()
            answers = await asyncio.gather(*late, return_exceptions=True)

            assert [type(answer) for answer in answers] == [InvalidState] * 3
            assert await asking == 7
            await ending
            assert types(await handle.history()) == ["WorkflowStarted", "SignalReceived", "WorkflowCompleted"]

    run(main)


def test_a_start_of_an_id_whose_run_is_just_ending_waits_for_its_end() -> None:
    """Then its policy decides as for any closed run."""

    async def main(policy: str) -> Any:
        store = GatedStore()
        async with engine(store=store) as aion_engine:
            handle = await aion_engine.start(waiting("first"), id="w")
            store.gate.clear()
            ending = asyncio.create_task(handle.signal(go))
            await asyncio.to_thread(store.waiting.wait)
            starting = asyncio.create_task(aion_engine.start(waiting("second"), id="w", on_conflict=policy))
            await asyncio.sleep(0.02)
            store.gate.set()
            await ending
            try:
                second = await starting
            except aion.AlreadyExists as error:
                return error.status
            return "same" if second.run_id == handle.run_id else "new"

    outcomes = {policy: run(lambda: main(policy)) for policy in ("fail", "attach", "terminate", "restart")}  # noqa: B023

    assert outcomes == {"fail": "completed", "attach": "same", "terminate": "new", "restart": "new"}


def test_a_run_takes_no_turn_before_its_last_one_is_durable() -> None:
    """What comes meanwhile is taken together afterwards, in order."""

    async def main() -> None:
        store = GatedStore()
        async with engine(store=store) as aion_engine:
            handle = await aion_engine.start(collecting(), id="c")
            store.gate.clear()
            sending = [asyncio.create_task(handle.signal(item, 1))]
            await asyncio.to_thread(store.waiting.wait)
            sending += [asyncio.create_task(handle.signal(item, value)) for value in (2, 3, 0)]
            await asyncio.sleep(0.02)
            during = types(await handle.history())
            acknowledged = [task.done() for task in sending]
            store.gate.set()
            await asyncio.gather(*sending)

            assert (during, acknowledged) == (["WorkflowStarted"], [False] * 4)
            assert await handle.result() == [1, 2, 3]

    run(main)


def test_other_runs_are_built_while_one_batch_is_written() -> None:
    """The next batch waits for the writer, not for the code of its runs."""

    async def main() -> None:
        store = GatedStore()
        async with engine(store=store) as aion_engine:
            first = await aion_engine.start(waiting(1), id="1")
            store.gate.clear()
            sending = [asyncio.create_task(first.signal(go))]
            await asyncio.to_thread(store.waiting.wait)
            sending += [asyncio.create_task(aion_engine.start(waiting(number))) for number in range(2, 9)]
            scheduler = scheduler_of(aion_engine)
            await eventually(lambda: scheduler._built is not None and len(scheduler._built.turns) == 7)
            store.gate.set()
            await asyncio.gather(*sending)

            assert len(await aion_engine.list('status = "running"')) == 7

    run(main)


def test_effects_wait_for_the_commit() -> None:
    """An activity does not begin before its hand-out is durable."""

    async def main() -> None:
        store = GatedStore()
        began: list[int] = []

        @aion.activity
        async def act() -> None:
            began.append(1)

        @aion.workflow
        async def acting() -> None:
            await go.receive()
            await act()

        async with engine(store=store, register=[acting, act]) as aion_engine:
            handle = await aion_engine.start(acting())
            store.gate.clear()
            sending = asyncio.create_task(handle.signal(go))
            await asyncio.to_thread(store.waiting.wait)
            await asyncio.sleep(0.02)
            early = list(began)
            store.gate.set()
            await sending
            await handle.result()

            assert (early, began) == ([], [1])

    run(main)


# ── faults of runs and of the engine ─────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "error", [SystemExit(3), KeyboardInterrupt(), GeneratorExit(), RecursionError(), MemoryError()]
)
def test_whatever_a_run_raises_is_its_own_matter(error: BaseException) -> None:
    """It fails; the engine thread and all others go on."""

    @aion.workflow
    async def bad() -> None:
        await go.receive()
        raise error

    async def main() -> None:
        async with testing.engine(register=[bad, *ALL]) as aion_engine:
            other = await aion_engine.start(waiting(7))
            handle = await aion_engine.start(bad())
            await handle.signal(go)
            with pytest.raises(WorkflowFailed) as caught:
                await handle.result()
            await other.signal(go)

            assert caught.value.error.type == type(error).__name__
            assert await other.result() == 7
            assert aion_engine._shards[0].restarts == 0

    run(main)


def test_endless_recursion_in_a_run_fails_that_run() -> None:
    """Deep calls, and tasks that make tasks."""

    @aion.workflow
    async def deep() -> int:
        def call(number: int) -> int:
            return call(number + 1)

        return call(0)

    async def main() -> None:
        async with testing.engine(register=[deep, *ALL]) as aion_engine:
            with pytest.raises(WorkflowFailed, match="RecursionError"):
                await aion_engine.execute(deep())
            handle = await aion_engine.start(waiting(7))
            await handle.signal(go)
            assert await handle.result() == 7

    run(main)


class Odd:
    """A type whose values cannot be made."""

    def __init__(self, *args: Any, **fields: Any) -> None:
        raise RuntimeError("cannot be made")


def test_a_fault_of_ours_in_one_turn_blocks_that_run_alone(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The turn is thrown away, its input is kept, the reason is shown, and other runs in the batch go on."""
    from aion._runtime import turn as turn_module

    caplog.set_level(logging.CRITICAL)
    plain = turn_module.decide

    def broken(state: Any, arrived: Any, spread: Any) -> Any:
        if getattr(arrived, "name", None) == "break":
            raise ZeroDivisionError("a bug of ours")
        return plain(state, arrived, spread)

    async def main() -> None:
        monkeypatch.setattr(turn_module, "decide", broken)
        store = LastingStore()
        async with testing.engine(register=ALL, store=store) as aion_engine:
            bad, good = await aion_engine.start(waiting(1), id="bad"), await aion_engine.start(waiting(2), id="good")
            await asyncio.gather(bad.signal(aion.Signal("break")), good.signal(go))
            described = await bad.describe()

            assert await good.result() == 2
            assert described.status == "blocked"
            assert "a bug of ours" in (described.blocked_reason or "")
            assert aion_engine._shards[0].restarts == 0
            monkeypatch.setattr(turn_module, "decide", plain)
            await bad.terminate()
            with pytest.raises(WorkflowTerminated):
                await bad.result()

    run(main)


def test_the_engine_thread_is_restarted_when_it_fails(caplog: pytest.LogCaptureFixture) -> None:
    """Runs are rebuilt from the store, those who wait go on waiting, calls of that moment are told it is unknown."""
    caplog.set_level(logging.CRITICAL)

    async def main() -> None:
        faulty = FaultyStore(LastingStore(), None, "after", error=lambda: ZeroDivisionError("a bug of ours"))
        async with testing.engine(register=ALL, store=faulty) as aion_engine:
            one, two = await aion_engine.start(waiting(1), id="1"), await aion_engine.start(collecting(), id="2")
            outcome = asyncio.create_task(one.result())
            await asyncio.sleep(0)
            for number in range(3):
                faulty._fail_at = faulty.calls
                with pytest.raises(StoreError, match="had to restart itself"):
                    await two.signal(item, number + 1, request_id=f"r{number}")
                await two.signal(item, number + 1, request_id=f"r{number}")
            await one.signal(go)
            await two.signal(item, 0)

            assert await outcome == 1
            assert await two.result() == [1, 2, 3]
            assert aion_engine._shards[0].restarts == 3

    run(main)


def test_code_of_runs_is_ended_when_the_engine_thread_is_replaced(caplog: pytest.LogCaptureFixture) -> None:
    """Nothing of it is left to the collector, which would run its clean-up anywhere; a cleaning activity never starts."""
    caplog.set_level(logging.CRITICAL)
    cleaned: list[str] = []

    @aion.activity
    async def clean() -> None:
        cleaned.append("activity")

    @aion.workflow
    async def tidy() -> None:
        try:
            await go.receive()
        finally:
            cleaned.append("code")
            await clean()

    async def main() -> None:
        faulty = FaultyStore(LastingStore(), None, "before", error=lambda: ZeroDivisionError("a bug of ours"))
        async with testing.engine(register=[tidy, clean, *ALL], store=faulty) as aion_engine:
            await aion_engine.start(tidy(), id="t")
            faulty._fail_at = faulty.calls
            with pytest.raises(StoreError):
                await aion_engine.start(waiting())
            await aion_engine.start(waiting())

            assert cleaned == ["code"]

    run(main)


def test_an_engine_that_cannot_recover_stops_and_says_why(caplog: pytest.LogCaptureFixture) -> None:
    """Everybody who waits is told; later calls fail at once; closing works, and the user's program lives on."""
    caplog.set_level(logging.CRITICAL)

    async def main() -> None:
        store = LastingStore()
        faulty = FaultyStore(store, 1, "before", dead=True, error=lambda: ZeroDivisionError("a bug of ours"))
        async with testing.engine(register=ALL, store=faulty) as aion_engine:
            handle = await aion_engine.start(waiting(1), id="w")
            outcome = asyncio.create_task(handle.result())
            watching = asyncio.create_task(anext(aiter(aion_engine.events())))
            await eventually(lambda: scheduler_of(aion_engine).answers.sinks)
            with pytest.raises(StoreError):
                await handle.signal(go)
            with pytest.raises(StoreError, match="the engine has stopped"):
                await watching
            with pytest.raises(StoreError):
                await outcome
            for call in (lambda: aion_engine.start(waiting()), handle.result, lambda: handle.signal(go)):
                with pytest.raises(StoreError, match="the engine has stopped: a bug of ours"):
                    await call()

    run(main)


def test_an_engine_that_lost_its_store_to_another_stops() -> None:
    """Its writes are refused by the store, and it does not try again."""

    async def main() -> None:
        store = LastingStore()
        async with testing.engine(register=ALL, store=store) as aion_engine:
            handle = await aion_engine.start(waiting(1), id="w")
            shard = store._shards[0]
            shard.owner, shard.epoch = "somebody else", shard.epoch + 1
            with pytest.raises(StoreError, match="the engine has stopped"):
                await handle.signal(go)
            with pytest.raises(StoreError, match="the engine has stopped"):
                await aion_engine.start(waiting())
        (number,) = store._runs

        assert [row.type for row in store.history(number)] == ["WorkflowStarted"]
        assert store._shards[0].owner == "somebody else"

    run(main)


def test_a_lease_is_renewed_as_long_as_the_engine_works() -> None:
    """Well before it ends; a renewal that fails is tried again."""

    async def main() -> None:
        store, clock = LastingStore(), VirtualClock()
        faulty = FaultyStore(store, 1, "before", ("renew",))
        async with testing.engine(register=ALL, store=faulty, clock=clock, lease_ttl=9.0) as aion_engine:
            for _ in range(10):
                await aion_engine.advance("4s")
                await eventually(lambda: store._shards[0].until >= clock.now())
            assert faulty.fired
            assert store.claim("another", clock.now(), 1) == []

    run(main)


def test_a_lease_that_cannot_be_renewed_ends_the_engine() -> None:
    """Somebody else has the store by then."""

    async def main() -> None:
        class Lost(FaultyStore):
            """Gives nobody a longer lease."""

            def renew(self, owner: str, leases: Any, until: int) -> list[Lease]:
                return []

        async with testing.engine(register=ALL, store=Lost(LastingStore()), lease_ttl=9.0) as aion_engine:
            await aion_engine.advance("4s")
            await eventually(lambda: aion_engine._stopped is not None)
            with pytest.raises(StoreError, match="taken this store over"):
                await aion_engine.start(waiting())

    run(main)


# ── closing ──────────────────────────────────────────────────────────────────────────────────────


def test_closing_waits_for_the_commit_under_way() -> None:
    """What was being written is written, and acknowledged."""

    async def main() -> None:
        store = GatedStore()
        aion_engine = engine(store=store)
        await aion_engine.start_serving()
        handle = await aion_engine.start(waiting(1), id="w")
        store.gate.clear()
        sending = asyncio.create_task(handle.signal(item, 1))
        await asyncio.to_thread(store.waiting.wait)
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
