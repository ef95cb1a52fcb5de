"""Queries: answered from committed state, at any await, by closed runs too, and never anything but read."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

import aion
from aion import testing
from aion.errors import InvalidInput, InvalidState, QueryFailed, QueryTimeout, UnknownQuery
from tests.runtime.engine_programs import echo, go
from tests.runtime.worlds import GatedStore, LastingStore, run, seen, shape, types

item = aion.Signal("item", int)
count = aion.Query("count", int)
plus = aion.Query("plus", int, arg=int)
raising = aion.Query("raising")
recording = aion.Query("recording")
unknown = aion.Query("unknown")


@aion.workflow
async def answering() -> list[int]:
    """Count what is sent, and answer in several ways."""
    got: list[int] = []
    count.answer(lambda: len(got))
    plus.answer(lambda number: len(got) + number)
    raising.answer(lambda: 1 / 0)
    recording.answer(lambda: aion.side_effect(lambda: 1))
    async for value in item:
        if value == 0:
            break
        got.append(await echo(value))
        await asyncio.sleep(1)
    return got


def engine(**options: Any) -> testing.TestEngine:
    """An engine that knows all of these."""
    return testing.engine(**{"register": [answering, echo], **options})


def test_a_query_is_answered_and_changes_nothing() -> None:
    """The history is the same before and after, and the run goes on as if it had not been asked."""

    async def main(times: int) -> list[str]:
        async with engine() as aion_engine:
            handle = await aion_engine.start(answering(), id="a")
            await handle.signal(item, 5)
            await seen(handle, "TimerStarted")
            await aion_engine.advance("2s")
            before = await handle.history()
            answers = [(await handle.query(count), await handle.query(plus, 10)) for _ in range(times)]

            assert answers == [(1, 11)] * times
            assert await handle.history() == before
            await handle.signal(item, 0)
            assert await handle.result() == [5]
            return shape(await handle.history())

    assert run(lambda: main(0)) == run(lambda: main(50))


def test_many_queries_at_once_all_have_an_answer() -> None:
    """Each its own."""

    async def main() -> None:
        async with engine() as aion_engine:
            handle = await aion_engine.start(answering())
            answers = await asyncio.gather(*(handle.query(plus, number) for number in range(50)))

            assert answers == list(range(50))
            assert types(await handle.history()) == ["WorkflowStarted"]

    run(main)


def test_a_query_right_after_the_start_waits_for_the_first_turn() -> None:
    """It finds its handler."""

    async def main() -> None:
        async with engine() as aion_engine:
            starting = asyncio.create_task(aion_engine.start(answering(), id="a"))
            await asyncio.sleep(0)
            answers = await asyncio.gather(*(aion_engine.get("a").query(count) for _ in range(5)))

            assert answers == [0] * 5
            await starting

    run(main)


def test_a_query_during_a_turn_waits_for_its_commit() -> None:
    """It never sees what might not become durable."""

    async def main() -> None:
        store = GatedStore()
        async with engine(store=store, turns_inline_max=0) as aion_engine:
            handle = await aion_engine.start(answering(), id="a")
            signalling = await store.hold(handle.signal(item, 5))
            asking = asyncio.create_task(handle.query(count))
            await asyncio.sleep(0.02)
            early = asking.done()
            store.gate.set()

            assert (early, await asking) == (False, 0)
            await signalling

    run(main)


@pytest.mark.parametrize("memory", [True, False], ids=["resident", "evicted"])
def test_bad_queries_fail_alone(memory: bool) -> None:
    """Unknown names, handlers that raise or record, wrong arguments: nothing is recorded, others are answered."""

    async def main() -> None:
        async with engine(resident_idle=1e9 if memory else 0.0, resident_runs_max=100 if memory else 1) as aion_engine:
            handle = await aion_engine.start(answering(), id="a")
            if not memory:
                await aion_engine.advance("5s")
            for query, error, says in (
                (unknown, UnknownQuery, "it answers: count, plus, raising, recording"),
                (raising, QueryFailed, "ZeroDivisionError"),
                (recording, QueryFailed, "may not record anything"),
                (aion.Query("plus", int), QueryFailed, "plus"),
            ):
                with pytest.raises(error, match=says):
                    await handle.query(query)
            with pytest.raises(InvalidInput, match="takes no argument"):
                await handle.query(count, 5)
            with pytest.raises(InvalidInput):
                await handle.query(plus, float("nan"))  # type: ignore[arg-type]
            with pytest.raises(InvalidInput, match="needs an aion.Query"):
                await handle.query("count")  # type: ignore[arg-type]

            assert await handle.query(count) == 0
            assert types(await handle.history()) == ["WorkflowStarted"]

    run(main)


def test_hundreds_of_failing_queries_leave_the_run_as_it_was() -> None:
    """Beside other runs that are busy."""

    async def main() -> None:
        async with engine() as aion_engine:
            handle = await aion_engine.start(answering(), id="a")
            noisy = [await aion_engine.start(answering()) for _ in range(3)]
            failures = await asyncio.gather(
                *(handle.query(recording) for _ in range(400)),
                *(each.signal(item, number) for each in noisy for number in (1, 2, 3)),
                return_exceptions=True,
            )

            assert [type(failure) for failure in failures[:400]] == [QueryFailed] * 400
            assert [await each.query(plus, 0) >= 0 for each in noisy] == [True] * 3
            await handle.signal(item, 0)
            assert await handle.result() == []

    run(main)


def test_a_closed_run_answers_from_its_end() -> None:
    """By replay, without becoming resident, again and again, and after a restart."""

    async def main() -> None:
        store = LastingStore()
        async with engine(store=store) as aion_engine:
            handle = await aion_engine.start(answering(), id="a")
            for value in (5, 6, 0):
                await handle.signal(item, value)
            await handle.result()
            before = await handle.history()
            answers = [await handle.query(plus, 10) for _ in range(3)]

            assert answers == [12] * 3
            assert await handle.history() == before
            assert len(aion_engine._shards[0].scheduler.residency.runs) == 0
        async with engine(store=store) as aion_engine:
            assert await aion_engine.get("a").query(count) == 2
            with pytest.raises(QueryFailed):
                await aion_engine.get("a").query(recording)

    run(main)


@pytest.mark.parametrize("end", ["cancel", "terminate"])
def test_a_run_that_was_ended_answers_too(end: str) -> None:
    """From where its code was when it ended."""

    async def main() -> None:
        async with engine() as aion_engine:
            handle = await aion_engine.start(answering(), id="a")
            await handle.signal(item, 5)
            await seen(handle, "ActivityCompleted")
            await getattr(handle, end)()
            with pytest.raises(aion.OutcomeError):
                await handle.result()

            assert await handle.query(count) == 1

    run(main)


def test_a_closed_run_whose_code_has_changed_says_so() -> None:
    """It cannot be rebuilt, so it cannot answer; nor can one whose code is gone."""

    @aion.workflow(name="answering")
    async def changed() -> list[int]:
        await asyncio.sleep(1)
        return []

    async def main() -> None:
        store = LastingStore()
        async with engine(store=store) as aion_engine:
            handle = await aion_engine.start(answering(), id="a")
            await handle.signal(item, 0)
            await handle.result()
            await aion_engine.register(changed)
            with pytest.raises(InvalidState, match="no longer fits this closed run"):
                await handle.query(count)
        async with testing.engine(store=store) as aion_engine:
            with pytest.raises(aion.AionError, match="not registered"):
                await aion_engine.get("a").query(count)
            assert aion_engine._shards[0].restarts == 0

    run(main)


def test_a_query_that_is_not_answered_in_time_fails_alone() -> None:
    """The run goes on, and the late answer is dropped."""

    async def main() -> None:
        store = GatedStore()
        async with engine(store=store, turns_inline_max=0) as aion_engine:
            handle = await aion_engine.start(answering(), id="a")
            signalling = await store.hold(handle.signal(item, 0))
            with pytest.raises(QueryTimeout, match="within 0.02 s"):
                await handle.query(count, timeout="20ms")
            store.gate.set()
            await signalling

            assert await handle.result() == []

    run(main)


def test_answers_are_of_the_declared_type() -> None:
    """A handler that gives something else fails its query."""
    typed = aion.Query("typed", dict[str, int])

    @aion.workflow
    async def wrong() -> None:
        typed.answer(lambda: {"a": 1})
        await go.receive()

    async def main() -> None:
        async with testing.engine(register=[wrong]) as aion_engine:
            handle = await aion_engine.start(wrong())

            assert await handle.query(typed) == {"a": 1}
            with pytest.raises(InvalidInput):
                await handle.query(aion.Query("typed", list[int]))

    run(main)
