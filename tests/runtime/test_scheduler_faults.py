"""Faults of runs are their own matter; those of the engine thread are survived, or said."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest

import aion
from aion import testing
from aion.errors import StoreError, WorkflowFailed, WorkflowTerminated
from aion.stores.base import Lease
from aion.testing import VirtualClock
from tests.runtime.engine_programs import go, waiting
from tests.runtime.scheduler_programs import ALL, collecting, item
from tests.runtime.worlds import (
    FaultyStore,
    LastingStore,
    eventually,
    run,
    scheduler_of,
)


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
    """Nothing of it is left to the collector, which would run its clean-up anywhere; no activity starts from there."""
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
