"""Who takes turns, and what becomes of runs whose turn goes wrong or never ends."""

from __future__ import annotations

import asyncio
import logging
import threading

import pytest

import aion
from aion import testing
from aion._runtime import ready
from aion.errors import ShuttingDown, StoreError
from tests.runtime.worlds import eventually, run

held_up = threading.Event()


@aion.workflow
async def numbered(number: int) -> int:
    """Ends in its first turn."""
    return number


@aion.workflow
async def holding(number: int) -> int:
    """Keeps the engine thread until somebody lets it go."""
    held_up.wait()
    return number


def test_if_one_of_a_batch_of_starts_cannot_begin_none_does(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A fault of ours in one first turn is told, and leaves nothing of the others; the engine goes on."""
    caplog.set_level(logging.CRITICAL)
    take_turn = ready.take_turn

    def take_turn_but_one(run_in_turn, *rest):  # type: ignore[no-untyped-def]
        if run_in_turn.workflow_id == "two":
            raise ZeroDivisionError("a fault of ours")
        return take_turn(run_in_turn, *rest)

    async def main() -> None:
        async with testing.engine(register=[numbered]) as engine:
            monkeypatch.setattr(ready, "take_turn", take_turn_but_one)
            with pytest.raises(StoreError, match="nothing is recorded"):
                await engine.start_many([(numbered(at), {"id": id}) for at, id in enumerate(("one", "two", "three"))])
            monkeypatch.setattr(ready, "take_turn", take_turn)
            left = [described.id for described in await engine.list()]
            handles = await engine.start_many(
                [(numbered(at), {"id": id}) for at, id in enumerate(("one", "two", "three"))]
            )

            assert left == []
            assert [await handle.result() for handle in handles] == [0, 1, 2]

    run(main)


def test_an_engine_closes_beside_code_that_never_gives_control_back(caplog: pytest.LogCaptureFixture) -> None:
    """It says which run holds it up; whoever waits for an answer gets one, and nothing half done is in the store."""
    held_up.clear()

    async def main() -> None:
        engine = testing.engine(register=[numbered, holding], shutdown_seconds_max=0.05)
        await engine.start_serving()
        starting = asyncio.create_task(engine.start(holding(1), id="stuck"))
        await eventually(lambda: engine._shards[0].scheduler._ready.in_turn is not None)
        waiting = asyncio.create_task(engine.start(numbered(1), id="behind"))
        await asyncio.sleep(0)
        await engine.close("10ms")

        for asked in (starting, waiting):
            with pytest.raises(ShuttingDown):
                await asked

    try:
        run(main)
    finally:
        held_up.set()

    assert "the code of workflow 'stuck' (holding, run" in caplog.text
