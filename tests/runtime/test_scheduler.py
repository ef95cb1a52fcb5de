"""The engine thread: what happens while a commit is under way."""

from __future__ import annotations

import asyncio
from typing import Any

import aion
from aion.errors import InvalidState
from tests.runtime.engine_programs import go, waiting
from tests.runtime.scheduler_programs import collecting, engine, item
from tests.runtime.worlds import (
    GatedStore,
    eventually,
    run,
    scheduler_of,
    types,
)


def test_inputs_that_come_while_the_end_is_being_written_are_refused() -> None:
    """A signal, a cancel, a termination: none was acknowledged, all are told, and nobody waits for ever."""

    async def main() -> None:
        store = GatedStore()
        async with engine(store=store) as aion_engine:
            handle = await aion_engine.start(waiting(7), id="w")
            ending = await store.hold(handle.signal(go))
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
            ending = await store.hold(handle.signal(go))
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
            sending = [await store.hold(handle.signal(item, 1))]
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
            sending = [await store.hold(first.signal(go))]
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
            sending = await store.hold(handle.signal(go))
            await asyncio.sleep(0.02)
            early = list(began)
            store.gate.set()
            await sending
            await handle.result()

            assert (early, began) == ([], [1])

    run(main)
