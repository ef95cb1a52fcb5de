"""Starting workflows and getting their results: what a user of the engine may rely on."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

import aion
from aion import testing
from aion._core.limits import Limits
from aion.errors import (
    InvalidInput,
    NotFound,
    NotRegistered,
    PayloadTooLarge,
    WorkflowFailed,
)
from tests.runtime.engine_programs import Order, echo, engine, failing, go, ordering, quick, waiting
from tests.runtime.worlds import LastingStore, run, types

# ── start and result ─────────────────────────────────────────────────────────────────────────────


def test_a_workflow_runs_to_its_result() -> None:
    """The result comes typed, the history begins and ends as it should, and lists show the run."""

    async def main() -> None:
        async with engine() as aion_engine:
            handle = await aion_engine.start(ordering(Order("17"), more=5), id="order-17")
            result = await handle.result()
            history = await handle.history()
            (listed,) = await aion_engine.list()

            assert result == Order("17", 6)
            assert types(history) == ["WorkflowStarted", "WorkflowCompleted"]
            assert history[-1].data == {"result": {"id": "17", "amount": 6}}
            assert (listed.id, listed.type, listed.status) == ("order-17", "ordering", "completed")

    run(main)


def test_a_run_that_waits_is_recorded_and_running() -> None:
    """The start event holds type, ids, input and no parent."""

    async def main() -> None:
        async with engine() as aion_engine:
            handle = await aion_engine.start(waiting(7), id="w", attributes={"customer": "ada"}, summary="one")
            (started,) = await handle.history()
            described = await handle.describe()

            assert started.data["workflow_type"] == "waiting"
            assert started.data["workflow_id"] == "w"
            assert started.data["run_id"] == handle.run_id
            assert started.data["input"] == {"value": 7} or started.data["input"] == 7
            assert "parent" not in started.data
            assert (described.status, described.parent, described.closed) == ("running", None, None)
            assert (described.attributes, described.summary) == ({"customer": "ada"}, "one")
            assert (described.history_length, described.history_bytes > 0) == (1, True)

    run(main)


def test_a_start_without_attributes_records_the_start_alone() -> None:
    """An empty map is none."""

    async def main() -> None:
        async with engine() as aion_engine:
            handle = await aion_engine.start(waiting(), id="w", attributes={})

            assert types(await handle.history()) == ["WorkflowStarted"]
            assert (await handle.describe()).attributes == {}

    run(main)


def test_attributes_are_there_after_a_restart() -> None:
    """They are part of the start event, which must be readable by the next process."""

    async def main() -> None:
        store = LastingStore()
        async with engine(store=store) as first:
            await first.start(waiting(5), id="w", attributes={"customer": "ada"})
        async with engine(store=store) as second:
            handle = second.get("w")
            await handle.signal(go)

            assert await handle.result() == 5
            assert (await handle.describe()).attributes == {"customer": "ada"}

    run(main)


def test_a_result_that_is_there_already_is_given_at_once_and_again() -> None:
    """Nobody has to wait in time, and a result once read never changes."""

    async def main() -> None:
        async with engine() as aion_engine:
            handle = await aion_engine.start(quick([1, {"a": None}]))
            results = [await handle.result() for _ in range(3)]
            by_id = await aion_engine.get(handle.id).result()

            assert results == [[1, {"a": None}]] * 3
            assert by_id == [1, {"a": None}]

    run(main)


def test_many_may_wait_for_one_result() -> None:
    """All get it; one that gave up in between is not missed."""

    async def main() -> None:
        async with engine() as aion_engine:
            handle = await aion_engine.start(waiting("done"))
            for _ in range(40):
                with pytest.raises(TimeoutError):
                    await handle.result(timeout="1ms")
            waiters = [asyncio.create_task(handle.result()) for _ in range(20)]
            await asyncio.sleep(0)
            waiters[3].cancel()
            await handle.signal(go)
            results = await asyncio.gather(*waiters, return_exceptions=True)

            assert [result for result in results if result == "done"] == ["done"] * 19

    run(main)


def test_a_failed_workflow_raises_what_was_recorded_of_its_error() -> None:
    """Type, message, details and the line, also for who asks later, and after a restart."""

    async def main() -> None:
        store = LastingStore()
        async with engine(store=store) as first:
            handle = await first.start(failing("no money"), id="f")
            with pytest.raises(WorkflowFailed) as caught:
                await handle.result()
        async with engine(store=store) as second:
            with pytest.raises(WorkflowFailed) as again:
                await second.get("f").result()

        assert caught.value.error == again.value.error
        assert (caught.value.error.type, caught.value.error.message) == ("Refused", "no money")
        assert caught.value.error.details == {"code": 51}
        assert "in failing: raise aion.ApplicationError" in caught.value.error.traceback

    run(main)


def test_the_result_of_an_unknown_workflow_is_not_found() -> None:
    """By id, and by run."""

    async def main() -> None:
        async with engine() as aion_engine:
            handle = await aion_engine.start(waiting(), id="w")
            for unknown in (aion_engine.get("nope"), aion_engine.get("w", "no-such-run")):
                for call in (
                    unknown.result(),
                    unknown.signal(go),
                    unknown.cancel(),
                    unknown.terminate(),
                    unknown.describe(),
                    unknown.history(),
                    unknown.query(aion.Query("q")),
                ):
                    with pytest.raises(NotFound, match=unknown.id):
                        await call
            assert types(await handle.history()) == ["WorkflowStarted"]

    run(main)


def test_an_unregistered_workflow_is_refused_before_anything_is_recorded() -> None:
    """The message names what is registered, and how to register."""

    @aion.workflow
    async def stranger() -> None:
        """Nobody knows it."""

    async def main() -> None:
        async with engine() as aion_engine:
            with pytest.raises(NotRegistered, match=r"'stranger' is not registered .*failing, ordering"):
                await aion_engine.start(stranger(), id="s")
            with pytest.raises(NotFound):
                await aion_engine.get("s").describe()
            assert len(await aion_engine.list()) == 0

    run(main)


def test_an_activity_that_is_not_registered_is_found_through_its_call() -> None:
    """Registering workflows is enough."""

    async def main() -> None:
        @aion.workflow
        async def calling() -> Any:
            return await echo(7)

        async with testing.engine(register=[calling]) as aion_engine:
            assert await aion_engine.execute(calling()) == 7

    run(main)


# ── bad input ────────────────────────────────────────────────────────────────────────────────────

TOO_DEEP: list[Any] = []
for _ in range(100):
    TOO_DEEP = [TOO_DEEP]
CYCLE: list[Any] = []
CYCLE.append(CYCLE)


@pytest.mark.parametrize(
    "value",
    [
        float("nan"),
        float("inf"),
        "\ud800",
        object(),
        10**5_000,
        TOO_DEEP,
        CYCLE,
        {"a": {1: float("-inf")}},
        lambda: None,
    ],
    ids=["nan", "inf", "surrogate", "object", "long int", "deep", "cycle", "nested inf", "function"],
)
def test_a_value_that_cannot_be_recorded_is_refused_everywhere(value: Any) -> None:
    """As an argument, an attribute or a signal: a typed error, and nothing is recorded."""

    async def main() -> None:
        async with engine() as aion_engine:
            handle = await aion_engine.start(waiting(), id="w")
            with pytest.raises(InvalidInput):
                await aion_engine.start(quick(value), id="q")
            with pytest.raises(InvalidInput):
                await aion_engine.start(quick(1), id="q", attributes={"a": value})
            with pytest.raises(InvalidInput):
                await handle.signal(go, value)
            with pytest.raises(InvalidInput):
                await aion_engine.start_many([(quick(1), {}), (quick(value), {})])

            assert [entry.id for entry in await aion_engine.list()] == ["w"]
            assert types(await handle.history()) == ["WorkflowStarted"]

    run(main)


def test_a_value_that_is_too_large_is_refused_everywhere() -> None:
    """With its size, the limit, and what to do."""

    async def main() -> None:
        async with engine(limits=Limits(payload_bytes_max=100)) as aion_engine:
            handle = await aion_engine.start(waiting(), id="w")
            large = "x" * 200
            for call in (
                aion_engine.start(quick(large), id="q"),
                aion_engine.start(quick(1), id="q", attributes={"a": large}),
                handle.signal(go, large),
            ):
                with pytest.raises(PayloadTooLarge, match="the limit is 100"):
                    await call

            assert len(await aion_engine.list()) == 1

    run(main)


@pytest.mark.parametrize(
    "options",
    [
        {"id": ""},
        {"id": "a\nb"},
        {"id": "x" * 256},
        {"id": "\ud800"},
        {"id": 7},
        {"request_id": ""},
        {"request_id": 7},
        {"on_conflict": "ignore"},
        {"on_conflict": None},
        {"summary": 7},
        {"summary": "\ud800"},
        {"summary": "x" * 100_000},
        {"attributes": [1]},
        {"attributes": "text"},
        {"attributes": {1: 2}},
    ],
    ids=lambda options: str(options)[:40],
)
def test_bad_options_of_a_start_are_refused(options: dict[str, Any]) -> None:
    """Before anything is recorded, by one kind of error; the engine goes on."""

    async def main() -> None:
        async with engine() as aion_engine:
            with pytest.raises(InvalidInput):
                await aion_engine.start(quick(1), **options)
            assert len(await aion_engine.list()) == 0
            assert await aion_engine.execute(quick(2)) == 2

    run(main)


def test_what_is_no_call_is_refused() -> None:
    """The definition itself, a coroutine, an activity call, anything else."""

    async def main() -> None:
        async with engine() as aion_engine:
            coroutine, call = quick.fn(1), echo(1)
            for wrong in (quick, coroutine, call, 7, None, "quick"):
                with pytest.raises(InvalidInput, match="start needs a call of a workflow"):
                    await aion_engine.start(wrong)  # type: ignore[arg-type]
            coroutine.close()
            call.close()

    run(main)


def test_a_call_that_was_used_cannot_start_another_run() -> None:
    """As with any coroutine."""

    async def main() -> None:
        async with engine() as aion_engine:
            call = quick(1)
            await aion_engine.start(call)
            with pytest.raises(RuntimeError, match="used already"):
                await aion_engine.start(call)

    run(main)


def test_a_call_with_wrong_arguments_is_refused() -> None:
    """Too many, too few, unknown names: the error is that of Python or ours, and nothing is recorded."""

    async def main() -> None:
        async with engine() as aion_engine:
            for call in (quick(), quick(1, 2), quick(other=1)):  # type: ignore[call-arg]
                with pytest.raises((TypeError, InvalidInput)):
                    await aion_engine.start(call)
            assert len(await aion_engine.list()) == 0

    run(main)


# ── registering ──────────────────────────────────────────────────────────────────────────────────


def test_two_definitions_of_one_name_are_refused() -> None:
    """When the engine is made, and when it is running; the message names both."""

    @aion.workflow(name="quick")
    async def other(value: int) -> int:
        return value

    async def main() -> None:
        async with engine() as aion_engine:
            with pytest.raises(InvalidInput, match="two definitions are named 'quick'"):
                await aion_engine.register(quick, other)
            assert await aion_engine.execute(quick(3)) == 3

    with pytest.raises(InvalidInput, match=r"two definitions are named 'quick': .*quick and .*other"):
        testing.engine(register=[quick, other])
    run(main)


@pytest.mark.parametrize("thing", [7, None, quick.fn, "quick", object()])
def test_only_definitions_and_modules_can_be_registered(thing: Any) -> None:
    """Anything else is named in the refusal."""
    with pytest.raises(InvalidInput, match="cannot register"):
        testing.engine(register=[thing])


def test_a_running_engine_learns_new_definitions() -> None:
    """What was unknown can be started afterwards."""

    @aion.workflow
    async def newcomer() -> str:
        return "here"

    async def main() -> None:
        async with engine() as aion_engine:
            await aion_engine.register(newcomer)

            assert await aion_engine.execute(newcomer()) == "here"

    run(main)
