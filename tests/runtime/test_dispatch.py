"""Activities as they are run: inline and in threads, cancelled, bounded, and each recorded once."""

from __future__ import annotations

import asyncio
import itertools
import threading
import time
from typing import Any

import pytest

import aion
from aion import testing
from tests.runtime.activity_programs import awaiting, done_by
from tests.runtime.worlds import eventually, run, scheduler_of, types

go = aion.Signal("go")


# ── the plain way ────────────────────────────────────────────────────────────────────────────────


def test_an_activity_is_scheduled_started_and_completed() -> None:
    """Five events from the start of the run to its end."""

    @aion.activity
    async def greet() -> str:
        return "hello"

    result, history = run(lambda: done_by(greet))

    assert result == "hello"
    assert history == [
        "WorkflowStarted input={}",
        "ActivityScheduled id=1 name=greet input={}",
        "ActivityStarted id=1",
        "ActivityCompleted id=1 result=hello",
        "WorkflowCompleted result=hello",
    ]


@pytest.mark.parametrize("executor", ["inline", "thread"])
def test_a_plain_function_runs_where_it_was_told_to(executor: Any) -> None:
    """In a thread by default, or on the loop."""
    threads: list[int] = []

    @aion.activity(executor=executor)
    def where() -> str:
        threads.append(threading.get_ident())
        return aion.activity_info().name

    result, _ = run(lambda: done_by(where))

    assert result == "where"
    assert (threads[0] == threading.get_ident()) == (executor == "inline")


def test_options_of_a_call_hold_for_that_call() -> None:
    """Also the executor, which is no part of the record."""
    threads: list[int] = []

    @aion.activity
    def where() -> None:
        threads.append(threading.get_ident())

    @aion.workflow
    async def both() -> None:
        await where.options(executor="inline")()
        await where()

    async def main() -> None:
        async with testing.engine(register=[both, where]) as engine:
            await engine.execute(both())

    run(main)

    assert [thread == threading.get_ident() for thread in threads] == [True, False]


def test_an_activity_knows_its_attempt() -> None:
    """Names, ids, deadline, and a key that is the same in all attempts."""
    infos: list[Any] = []

    @aion.activity(timeout="1h", retry=aion.Retry(3, initial="1m", max_interval="1h", jitter=0.0))
    async def telling() -> None:
        info = aion.activity_info()
        infos.append(info)
        if info.attempt < 3:
            raise ValueError("again")

    async def main() -> None:
        workflow = awaiting(telling)
        async with testing.engine(register=[workflow, telling], namespace="shop") as engine:
            handle = await engine.start(workflow(), id="w")
            await handle.result()

            assert [info.attempt for info in infos] == [1, 2, 3]
            assert {info.idempotency_key for info in infos} == {f"shop/{handle.run_id}/1"}
            assert {(info.name, info.id, info.workflow_id, info.run_id) for info in infos} == {
                ("telling", "1", "w", handle.run_id)
            }
            spans = [(later.deadline - info.deadline).total_seconds() for info, later in itertools.pairwise(infos)]
            assert spans == [60.0, 120.0]

    run(main)


def test_what_an_activity_gets_and_gives_is_encoded_once() -> None:
    """Its arguments are copies, and what it returns is read back by its type."""

    @aion.activity
    async def changing(values: list[int]) -> tuple[int, ...]:
        values.append(4)
        return tuple(values)

    @aion.workflow
    async def looking() -> list[Any]:
        mine = [1, 2, 3]
        theirs = await changing(mine)
        return [mine, list(theirs), type(theirs).__name__]

    async def main() -> None:
        async with testing.engine(register=[looking, changing]) as engine:
            assert await engine.execute(looking()) == [[1, 2, 3], [1, 2, 3, 4], "tuple"]

    run(main)


# ── cancelling ───────────────────────────────────────────────────────────────────────────────────


def test_an_activity_nobody_waits_for_any_more_is_cancelled() -> None:
    """Async code gets `CancelledError`, a thread sees it; what they still do is not recorded."""
    told: list[str] = []
    began: list[str] = []
    stop = threading.Event()

    @aion.activity
    async def inline() -> str:
        began.append("inline")
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            told.append("inline")
            return "too late"
        return "no"

    @aion.activity
    def thread() -> str:
        began.append("thread")
        while not aion.activity_info().cancelled:
            if stop.wait(0.001):
                return "stopped"
        told.append("thread")
        return "too late"

    @aion.workflow
    async def racing() -> int:
        index, _ = await aion.race(inline(), thread(), go.receive())
        return index

    async def main() -> None:
        async with testing.engine(register=[racing, inline, thread]) as engine:
            handle = await engine.start(racing())
            await eventually(lambda: len(began) == 2)
            await handle.signal(go)
            assert await handle.result() == 2
            await eventually(lambda: len(told) == 2)
            await asyncio.sleep(0.01)

            assert sorted(told) == ["inline", "thread"]
            assert types(await handle.history())[-3:] == ["ActivityCancelled", "ActivityCancelled", "WorkflowCompleted"]
            assert scheduler_of(engine).residency.attempts == {}

    try:
        run(main)
    finally:
        stop.set()


def test_an_activity_that_is_cancelled_by_somebody_else_is_handed_out_again() -> None:
    """Its task was cancelled from outside, which says nothing about the work."""
    tasks: list[Any] = []

    @aion.activity
    async def victim() -> int:
        tasks.append(asyncio.current_task())
        if len(tasks) == 1:
            await asyncio.sleep(3600)
        return len(tasks)

    async def main() -> None:
        workflow = awaiting(victim)
        async with testing.engine(register=[workflow, victim]) as engine:
            handle = await engine.start(workflow())
            await eventually(lambda: tasks)
            tasks[0].cancel()
            assert await handle.result() == 2
            started = [event.data for event in await handle.history() if event.type == "ActivityStarted"]

            assert started == [{"id": "1"}, {"id": "1", "dispatch": 2}]

    run(main)


# ── bounds ───────────────────────────────────────────────────────────────────────────────────────


def test_only_so_many_inline_activities_run_at_once() -> None:
    """The others wait for their turn, in order."""
    running, most, order = 0, 0, list[int]()

    @aion.activity
    async def counted(number: int) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        order.append(number)
        await asyncio.sleep(0.001)
        running -= 1

    @aion.workflow
    async def many() -> None:
        await asyncio.gather(*(counted(number) for number in range(20)))

    async def main() -> None:
        async with testing.engine(register=[many, counted], inline_activities_max=3) as engine:
            await engine.execute(many())

    run(main)

    assert (most, order) == (3, list(range(20)))


def test_only_so_many_threads_are_used() -> None:
    """And not more than there is work for."""
    lock, threads = threading.Lock(), set[int]()

    @aion.activity
    def counted(number: int) -> None:
        with lock:
            threads.add(threading.get_ident())
        time.sleep(0.001)

    @aion.workflow
    async def many() -> None:
        await asyncio.gather(*(counted(number) for number in range(20)))

    async def main() -> None:
        async with testing.engine(register=[many, counted], activity_threads_max=2) as engine:
            await engine.execute(many())

    run(main)

    assert 1 <= len(threads) <= 2
