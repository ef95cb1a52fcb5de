"""Cancelling and terminating runs, and what closed runs still take."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

import aion
from aion import testing
from aion.errors import (
    InvalidInput,
    InvalidState,
    WorkflowCancelled,
    WorkflowTerminated,
)
from tests.runtime.engine_programs import echo, engine, failing, go, number, waiting
from tests.runtime.worlds import LastingStore, run, seen, shape, types


def test_a_cancelled_run_ends_cancelled_with_its_reason() -> None:
    """Request and end are recorded, and waiting callers learn why."""

    async def main() -> None:
        async with engine() as aion_engine:
            handle = await aion_engine.start(waiting(), id="w")
            await handle.cancel("enough")
            with pytest.raises(WorkflowCancelled) as caught:
                await handle.result()
            history = await handle.history()

            assert caught.value.reason == "enough"
            assert [(event.type, event.data.get("reason")) for event in history[1:]] == [
                ("WorkflowCancelRequested", "enough"),
                ("WorkflowCancelled", "enough"),
            ]

    run(main)


def test_a_cancelled_run_ends_its_timers_before_itself() -> None:
    """The timer is cancelled in the history, and nothing fires later."""

    @aion.workflow
    async def sleeping() -> None:
        await asyncio.sleep(3600)

    async def main() -> None:
        store = LastingStore()
        async with testing.engine(register=[sleeping], store=store) as aion_engine:
            handle = await aion_engine.start(sleeping(), id="s")
            await handle.cancel()
            with pytest.raises(WorkflowCancelled):
                await handle.result()
            history = types(await handle.history())
            await aion_engine.advance("2h")

            assert history[-2:] == ["TimerCancelled", "WorkflowCancelled"]
            assert types(await handle.history()) == history
            assert store.next_due(0) is None

    run(main)


def test_clean_up_of_a_cancelled_run_may_take_time_and_activities() -> None:
    """A second request changes neither the reason nor the clean-up under way."""

    @aion.workflow
    async def tidy() -> None:
        try:
            await go.receive()
        finally:
            await echo("cleaning")
            await asyncio.sleep(60)
            await echo("cleaned")

    async def main() -> None:
        async with testing.engine(register=[tidy, echo]) as aion_engine:
            handle = await aion_engine.start(tidy(), id="t")
            await handle.cancel("first")
            await handle.cancel("second")
            with pytest.raises(WorkflowCancelled) as caught:
                await handle.result()

            assert caught.value.reason == "first"
            assert shape(await handle.history())[1:] == [
                "WorkflowCancelRequested reason=first",
                "ActivityScheduled id=1 name=echo input=cleaning",
                "ActivityStarted id=1",
                "ActivityCompleted id=1 result=cleaning",
                "TimerStarted id=2 delay=60000000",
                "TimerFired id=2",
                "ActivityScheduled id=3 name=echo input=cleaned",
                "ActivityStarted id=3",
                "ActivityCompleted id=3 result=cleaned",
                "WorkflowCancelled reason=first",
            ]

    run(main)


def test_a_swallowed_cancellation_completes_the_run() -> None:
    """Cancelling is a request."""

    @aion.workflow
    async def stubborn() -> str:
        try:
            await go.receive()
        except asyncio.CancelledError:
            return "kept going"
        return "told"

    async def main() -> None:
        async with testing.engine(register=[stubborn]) as aion_engine:
            handle = await aion_engine.start(stubborn())
            await handle.cancel()

            assert await handle.result() == "kept going"

    run(main)


def test_a_terminated_run_ends_at_once_without_its_code() -> None:
    """No clean-up runs, its activities are let go, and what it was asked before is done with."""
    cleaned: list[str] = []
    stopped = asyncio.Event

    @aion.activity
    async def endless() -> None:
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            cleaned.append("activity")
            raise

    @aion.workflow
    async def busy() -> None:
        try:
            await asyncio.gather(endless(), asyncio.sleep(3600))
        finally:
            cleaned.append("workflow")
            await echo("not recorded")

    async def main() -> None:
        async with testing.engine(register=[busy, endless, echo]) as aion_engine:
            handle = await aion_engine.start(busy(), id="b")
            await seen(handle, "ActivityStarted")
            await handle.terminate("at once")
            with pytest.raises(WorkflowTerminated) as caught:
                await handle.result()
            await asyncio.sleep(0.01)

            assert caught.value.reason == "at once"
            assert types(await handle.history()) == [
                "WorkflowStarted",
                "ActivityScheduled",
                "ActivityStarted",
                "TimerStarted",
                "WorkflowTerminated",
            ]
            assert sorted(cleaned) == ["activity", "workflow"]

    assert stopped is asyncio.Event
    run(main)


@pytest.mark.parametrize("end", ["completed", "cancelled", "terminated", "failed"])
def test_a_closed_run_takes_nothing_more(end: str) -> None:
    """Signals, cancels and terminations are refused, naming the status, and leave no trace."""

    async def main() -> None:
        async with engine() as aion_engine:
            handle: Any = await aion_engine.start(failing("x") if end == "failed" else waiting(), id="w")
            match end:
                case "completed":
                    await handle.signal(go)
                case "cancelled":
                    await handle.cancel()
                case "terminated":
                    await handle.terminate()
            with pytest.raises(aion.OutcomeError) if end != "completed" else _nothing():
                await handle.result()
            before = await handle.history()
            for call in (handle.signal(go), handle.cancel(), handle.terminate()):
                with pytest.raises(InvalidState, match=f"is {end}: it takes no more"):
                    await call

            assert await handle.history() == before

    run(main)


class _nothing:
    """A block that raises nothing."""

    def __enter__(self) -> None:
        """Nothing to prepare."""

    def __exit__(self, *exc: object) -> None:
        """Nothing to do."""


@pytest.mark.parametrize("reason", [7, None, "x" * 1_001, "\ud800"], ids=["number", "none", "long", "surrogate"])
def test_a_reason_is_a_short_text(reason: Any) -> None:
    """Anything else is refused before it is recorded, and the engine and its other runs go on."""

    async def main() -> None:
        async with engine() as aion_engine:
            handle, other = await aion_engine.start(waiting(), id="w"), await aion_engine.start(waiting(5), id="o")
            with pytest.raises(InvalidInput, match="reason"):
                await handle.cancel(reason)
            with pytest.raises(InvalidInput, match="reason"):
                await handle.terminate(reason)
            await other.signal(go)

            assert await other.result() == 5
            assert types(await handle.history()) == ["WorkflowStarted"]

    run(main)


def test_a_signal_needs_a_signal_of_the_right_type() -> None:
    """A value of another type is refused at the sender."""

    async def main() -> None:
        async with engine() as aion_engine:
            handle = await aion_engine.start(waiting(), id="w")
            with pytest.raises(InvalidInput):
                await handle.signal(number, "seven")  # type: ignore[arg-type]
            with pytest.raises(InvalidInput, match="needs an aion.Signal"):
                await handle.signal("number", 7)  # type: ignore[arg-type]
            with pytest.raises(InvalidInput, match="request id"):
                await handle.signal(number, 7, request_id="")

            assert types(await handle.history()) == ["WorkflowStarted"]

    run(main)
