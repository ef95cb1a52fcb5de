"""Engines that are not open, closed, elsewhere, or not alone."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

import aion
from aion.errors import (
    InvalidInput,
    InvalidState,
    ShuttingDown,
    StoreError,
    StoreLocked,
    WorkflowFailed,
)
from tests.runtime.engine_programs import engine, failing, go, quick, waiting
from tests.runtime.worlds import LastingStore, run


def test_an_engine_that_is_not_open_says_so() -> None:
    """Nothing hangs."""

    async def main() -> None:
        aion_engine = engine()
        with pytest.raises(InvalidState, match="this engine is not open"):
            await aion_engine.start(quick(1))
        with pytest.raises(InvalidState, match="this engine is not open"):
            await aion_engine.get("w").result()
        await aion_engine.close()

    run(main)


def test_an_engine_is_opened_once() -> None:
    """Not twice, and not again after it was closed."""

    async def main() -> None:
        async with engine() as aion_engine:
            with pytest.raises(InvalidState, match="was opened before"):
                await aion_engine.start_serving()
        with pytest.raises(InvalidState, match="was opened before"):
            await aion_engine.start_serving()
        await aion_engine.close()

    run(main)


def test_a_closed_engine_refuses_everything() -> None:
    """With an error that says it is closed, and at once; those who still waited are told too."""

    async def main() -> None:
        async with engine() as aion_engine:
            handle = await aion_engine.start(waiting(), id="w")
            waiter = asyncio.create_task(handle.result())
            feed = asyncio.create_task(anext(aiter(aion_engine.events())))
            await asyncio.sleep(0.01)
        for call in (
            lambda: aion_engine.start(quick(1)),
            lambda: aion_engine.start_many([(quick(1), {})]),
            handle.result,
            lambda: handle.signal(go),
            handle.cancel,
            handle.terminate,
            lambda: handle.query(aion.Query("q")),
            lambda: aion_engine.register(quick),
            handle.describe,
            handle.history,
            aion_engine.list,
        ):
            with pytest.raises((ShuttingDown, StoreError)):
                await call()
        with pytest.raises(ShuttingDown):
            await waiter
        with pytest.raises(StopAsyncIteration):
            await feed

    run(main)


def test_an_engine_is_used_on_the_loop_that_opened_it() -> None:
    """From another thread's loop it refuses, instead of breaking in odd ways."""

    async def main() -> None:
        async with engine() as aion_engine:

            async def elsewhere() -> None:
                await aion_engine.start(quick(1))

            with pytest.raises(InvalidState, match="opened on another event loop"):
                await asyncio.to_thread(asyncio.run, elsewhere())

    run(main)


def test_two_engines_do_not_share_a_store() -> None:
    """The second is told who has it; once the first is closed it may go on."""

    async def main() -> None:
        store = LastingStore()
        async with engine(store=store):
            with pytest.raises(StoreLocked, match="another engine owns all of this store"):
                await engine(store=store).start_serving()
        async with engine(store=store) as second:
            assert await second.execute(quick(1)) == 1

    run(main)


def test_settings_that_do_not_exist_are_refused() -> None:
    """Before the store is touched."""
    with pytest.raises(InvalidInput, match="there is no engine setting 'speed'; there are: "):
        engine(speed=11)
    with pytest.raises(InvalidInput, match="namespace"):
        engine(namespace="")


@pytest.mark.parametrize("store", ["redis://x", "sqlite:///", "", 7, None, "memory", "sqlite:x.db"])
def test_an_unknown_store_is_refused(store: Any) -> None:
    """The message says what is expected."""
    with pytest.raises(InvalidInput, match=r"store"):
        aion.Engine(store)


def test_namespaces_do_not_see_each_other() -> None:
    """The same ids live side by side in one store."""

    async def main() -> None:
        store = LastingStore()
        async with engine(store=store, namespace="one") as one:
            await one.start(waiting(1), id="w", request_id="r")
        async with engine(store=store, namespace="two") as two:
            handle = await two.start(waiting(2), id="w", request_id="r")
            await handle.signal(go)

            assert await handle.result() == 2
            assert [entry.namespace for entry in await two.list()] == ["two"]
        async with engine(store=store, namespace="one") as one:
            assert (await one.get("w").describe()).status == "running"

    run(main)


def test_aion_run_runs_one_workflow_and_gives_its_result() -> None:
    """For scripts: it finds activities through the workflow, and raises what the workflow raised."""
    assert aion.run(quick(7)) == 7
    with pytest.raises(WorkflowFailed, match="Refused: no"):
        aion.run(failing("no"))


def test_aion_run_goes_on_where_an_interrupted_run_stopped() -> None:
    """With an id: one that has finished gives its result again."""
    store = LastingStore()

    assert aion.run(quick(7), store=store, id="q") == 7
    assert aion.run(quick(8), store=store, id="q") == 7
