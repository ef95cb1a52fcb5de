"""Turns that the store refuses or fails: taken again from what is stored, with every caller answered once."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from msgspec import Raw

import aion
from aion import testing
from aion._core.inputs import SignalArrived, encode_input
from aion._runtime.requests import Started
from aion.errors import AionError, AlreadyExists, StoreError
from aion.stores.base import Flush, Refusal, RequestRow
from tests.runtime.engine_programs import echo
from tests.runtime.scheduler_programs import item
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

count = aion.Query("count", int)


@aion.workflow
async def collecting() -> list[int]:
    """Collect what is sent until 0 comes; what came with it counts too."""
    got: list[int] = []
    count.answer(lambda: len(got))
    while True:
        value = await item.receive()
        if value == 0:
            return got + [each for each in iter(item.poll, None) if each]
        got.append(await echo(value))


ALL = [collecting, echo]


class RefusingStore(LastingStore):
    """Refuses the next turn of a run, for a reason, as if somebody else had been first; `first` is what he did."""

    def __init__(self) -> None:
        super().__init__()
        self.reason: Refusal | None = None
        self.first: Callable[[Flush], None] = lambda flush: None
        self.refused = 0

    def commit(self, flush: Flush) -> dict[int, Refusal]:
        """Commit, or refuse the first run of the flush."""
        if self.reason is None or not flush.heads:
            return super().commit(flush)
        self.refused += 1
        self.first(flush)
        reason, self.reason = self.reason, None
        return {head.run: reason for head in flush.heads}


def engine(store: Any, **options: Any) -> testing.TestEngine:
    """An engine on a store that fails at once and recovers at once."""
    return testing.engine(**{"register": ALL, "store": store, "retry_first": 0.0, "retry_last": 0.0, **options})


@pytest.mark.parametrize("reason", [Refusal.HEAD_MOVED, Refusal.UNREAD_INBOX])
@pytest.mark.parametrize("value", [5, 0])
def test_a_turn_that_is_refused_is_taken_again(reason: Refusal, value: int) -> None:
    """Its input is recorded once, its caller answered once, and the result is the same."""

    async def main() -> None:
        store = RefusingStore()
        async with engine(store) as aion_engine:
            handle = await aion_engine.start(collecting(), id="c")
            store.reason = reason
            await handle.signal(item, value)
            if value:
                await handle.signal(item, 0)

            assert store.refused == 1
            assert await handle.result() == [value] * bool(value)
            assert types(await handle.history()).count("SignalReceived") == 1 + bool(value)

    run(main)


def test_a_result_whose_turn_is_refused_is_not_lost_and_not_done_again() -> None:
    """Only the engine knows of it, so it gives it again."""

    async def main() -> None:
        store = RefusingStore()
        calls: list[int] = []

        @aion.activity
        async def once() -> int:
            calls.append(1)
            store.reason = Refusal.HEAD_MOVED
            return 7

        @aion.workflow
        async def asking() -> int:
            return await once()

        async with engine(store, register=[asking, once]) as aion_engine:
            assert await aion_engine.execute(asking()) == 7
            assert (calls, store.refused) == ([1], 1)
            assert scheduler_of(aion_engine).residency.attempts == {}

    run(main)


def test_an_input_that_somebody_left_in_the_inbox_comes_before_the_end() -> None:
    """Acknowledged by another process while the run was ending here: the run takes one more turn."""

    async def main() -> None:
        store = GatedStore()
        async with engine(store, turns_inline_max=0) as aion_engine:
            handle = await aion_engine.start(collecting(), id="c")
            (number,) = store._runs
            ending = await store.hold(handle.signal(item, 0))
            posted = store.post(number, "input", encode_input(SignalArrived("item", Raw(b"8"))), 1)
            store.gate.set()
            await ending
            result = await handle.result()
            history = shape(await handle.history())

            assert posted is not None
            assert result in ([8], [])
            assert history[-1].startswith("WorkflowCompleted")
            assert "SignalReceived name=item value=8" in history
            assert store.inbox(number) == []

    run(main)


def test_queries_that_wait_for_a_refused_turn_have_an_answer() -> None:
    """Or an error that says to ask again, but never nothing."""

    async def main() -> None:
        store = RefusingStore()
        async with engine(store) as aion_engine:
            handle = await aion_engine.start(collecting(), id="c")
            store.reason = Refusal.HEAD_MOVED
            answers = await asyncio.gather(handle.signal(item, 5), handle.query(count), return_exceptions=True)

            assert answers[0] is None
            assert answers[1] in (0, 1) or isinstance(answers[1], AionError)

    run(main)


def test_a_start_whose_id_was_taken_meanwhile_is_refused() -> None:
    """With what was asked of it at the same time."""

    async def main() -> None:
        store = RefusingStore()
        async with engine(store) as aion_engine:
            store.reason = Refusal.ID_TAKEN
            answers = await asyncio.gather(
                aion_engine.start(collecting(), id="c"),
                aion_engine.get("c").signal(item, 5),
                aion_engine.get("c").result(),
                return_exceptions=True,
            )

            assert [type(answer) for answer in answers] == [AlreadyExists] * 3
            assert await (await aion_engine.start(collecting(), id="c")).describe()

    run(main)


@pytest.mark.parametrize("kept", [True, False])
def test_a_start_that_was_answered_meanwhile_gives_that_answer(kept: bool) -> None:
    """Somebody else made the same request; if his answer is gone, the id is taken."""

    async def main() -> None:
        store = RefusingStore()

        def answer(flush: Flush) -> None:
            data = msgspec.json.encode(Started("c", "his run"))
            if kept:
                store._requests["default", "c", "start:r"] = RequestRow("default", "c", "start:r", data).answer

        async with engine(store) as aion_engine:
            store.reason, store.first = Refusal.REQUEST_TAKEN, answer
            if kept:
                handle = await aion_engine.start(collecting(), id="c", request_id="r")
                assert handle.run_id == "his run"
            else:
                with pytest.raises(AlreadyExists):
                    await aion_engine.start(collecting(), id="c", request_id="r")

    run(main)


@pytest.mark.parametrize("error", [StoreError("on fire"), ZeroDivisionError("a bug of ours")])
@pytest.mark.parametrize("turns_inline_max", [0, 500])
def test_everything_that_was_asked_of_a_start_that_fails_is_answered(
    error: Exception, turns_inline_max: int, caplog: pytest.LogCaptureFixture
) -> None:
    """The start, signals and queries right after it, and whoever waits for the result: nobody hangs."""
    caplog.set_level(logging.CRITICAL)

    async def main() -> None:
        faulty = FaultyStore(LastingStore(), 0, "before", error=lambda: error)
        async with engine(faulty, turns_inline_max=turns_inline_max) as aion_engine:
            handle = aion_engine.get("c")
            answers = await asyncio.gather(
                aion_engine.start(collecting(), id="c"),
                handle.signal(item, 5),
                handle.query(count),
                handle.cancel(),
                handle.result(),
                return_exceptions=True,
            )

            assert all(isinstance(answer, AionError) for answer in answers)
            again = await aion_engine.start(collecting(), id="c")
            await again.signal(item, 0)
            assert await again.result() == []

    run(main)


def test_a_first_turn_that_fails_through_a_fault_of_ours_fails_the_start_alone(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing is recorded, and the engine goes on."""
    from aion._flow.stepper import Stepper

    caplog.set_level(logging.CRITICAL)
    plain = Stepper.begin

    def broken(self: Stepper) -> None:
        if self.started.workflow_id == "bad":
            raise ZeroDivisionError("a bug of ours")
        plain(self)

    async def main() -> None:
        monkeypatch.setattr(Stepper, "begin", broken)
        async with engine(LastingStore()) as aion_engine:
            answers = await asyncio.gather(
                aion_engine.start(collecting(), id="bad"),
                aion_engine.get("bad").signal(item, 5),
                aion_engine.start(collecting(), id="good"),
                return_exceptions=True,
            )

            assert [type(answer).__name__ for answer in answers] == ["StoreError", "StoreError", "WorkflowHandle"]
            assert [entry.id for entry in await aion_engine.list()] == ["good"]
            assert aion_engine._shards[0].restarts == 0

    run(main)


def test_requests_that_wait_while_the_engine_thread_is_replaced_are_carried_out(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """They are in the queue, or in memory: done by the successor, or told that it is unknown."""
    caplog.set_level(logging.CRITICAL)

    async def main() -> None:
        gated = GatedStore()
        faulty = FaultyStore(gated, None, "before", error=lambda: ZeroDivisionError("a bug of ours"))
        async with engine(faulty, turns_inline_max=0) as aion_engine:
            one, two = await aion_engine.start(collecting(), id="1"), await aion_engine.start(collecting(), id="2")
            faulty._fail_at = faulty.calls + 1
            calls: list[asyncio.Task[Any]] = [await gated.hold(one.signal(item, 1))]
            calls += [
                asyncio.create_task(call) for call in (one.signal(item, 2), two.signal(item, 3), two.query(count))
            ]
            calls += [asyncio.create_task(aion_engine.start(collecting(), id="3"))]
            await asyncio.sleep(0.02)
            gated.gate.set()
            answers = await asyncio.gather(*calls, return_exceptions=True)

            assert answers[0] is None
            assert all(not isinstance(answer, Exception) or isinstance(answer, StoreError) for answer in answers)
            await eventually(lambda: aion_engine._shards[0].restarts == 1)
            for handle in (one, two):
                await handle.signal(item, 0)
                result = await handle.result()
                assert result in ([1], [1, 2], [], [3])

    run(main)


def test_a_report_whose_run_cannot_be_loaded_is_kept(caplog: pytest.LogCaptureFixture) -> None:
    """The store failed just then; the result is recorded when it works again, and the work is not repeated."""
    caplog.set_level(logging.CRITICAL)

    async def main() -> None:
        release = asyncio.Event()
        calls: list[int] = []

        @aion.activity
        async def slow() -> int:
            calls.append(1)
            await release.wait()
            return 7

        @aion.workflow
        async def waits() -> int:
            return await slow()

        faulty = FaultyStore(LastingStore(), None, "before", ("records",))
        async with engine(faulty, register=[waits, slow], resident_idle=0.0, resident_runs_max=1) as aion_engine:
            handle = await aion_engine.start(waits(), id="w")
            await seen(handle, "ActivityStarted")
            scheduler = scheduler_of(aion_engine)
            scheduler._evict_at = 0.0
            await aion_engine.register()
            await eventually(lambda: not scheduler.residency.runs)
            faulty._fail_at = faulty.calls
            release.set()

            assert await handle.result() == 7
            assert (faulty.fired, calls) == (True, [1])

    run(main)


def test_other_code_that_is_registered_during_a_turn_takes_the_next_one() -> None:
    """What waits for the run then, signals and queries, meets the new code."""

    @aion.workflow(name="talk")
    async def first() -> str:
        count.answer(lambda: 1)
        return f"first {await item.receive() + await item.receive()}"

    @aion.workflow(name="talk")
    async def second() -> str:
        count.answer(lambda: 2)
        return f"second {await item.receive() + await item.receive()}"

    async def main() -> None:
        store = GatedStore()
        async with testing.engine(register=[first], store=store, turns_inline_max=0) as aion_engine:
            handle = await aion_engine.start(first(), id="t")
            sending = [await store.hold(handle.signal(item, 1))]
            registering = asyncio.create_task(aion_engine.register(second))
            sending.append(asyncio.create_task(handle.signal(item, 2)))
            asking = asyncio.create_task(handle.query(count))
            await asyncio.sleep(0.02)
            store.gate.set()
            await asyncio.gather(registering, *sending)

            assert await asking == 2
            assert await handle.result() == "second 3"

    run(main)
