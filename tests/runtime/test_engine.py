"""Starting, finding and ending workflows: what a user of the engine may rely on."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

import pytest

import aion
from aion import testing
from aion._core.limits import Limits
from aion.errors import (
    AlreadyExists,
    InvalidFilter,
    InvalidInput,
    InvalidState,
    LimitExceeded,
    NotFound,
    NotRegistered,
    PayloadTooLarge,
    ShuttingDown,
    StoreError,
    StoreLocked,
    WorkflowCancelled,
    WorkflowFailed,
    WorkflowTerminated,
)
from tests.runtime.worlds import LastingStore, run, seen, shape, types

go = aion.Signal("go")
number = aion.Signal("number", int)


@dataclass
class Order:
    """A typed argument."""

    id: str
    amount: int = 1


@aion.activity
async def echo(value: Any) -> Any:
    """Give back what was given."""
    return value


@aion.workflow
async def quick(value: Any) -> Any:
    """End at once."""
    return value


@aion.workflow
async def waiting(value: Any = None) -> Any:
    """End when told to."""
    await go.receive()
    return value


@aion.workflow
async def failing(message: str) -> None:
    """Fail."""
    raise aion.ApplicationError(message, "Refused", {"code": 51})


@aion.workflow
async def ordering(order: Order, more: int = 2) -> Order:
    """Typed in and out."""
    return Order(order.id, order.amount + more)


ALL = [echo, quick, waiting, failing, ordering]


def engine(**options: Any) -> testing.TestEngine:
    """An engine that knows all of these."""
    return testing.engine(**{"register": ALL, **options})


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


# ── one id, one run ──────────────────────────────────────────────────────────────────────────────


def test_of_many_starts_at_once_one_makes_a_run() -> None:
    """The others are told that it exists, with its status."""

    async def main() -> None:
        async with engine() as aion_engine:
            starts = [aion_engine.start(waiting(value), id="w") for value in range(10)]
            answers = await asyncio.gather(*starts, return_exceptions=True)
            refused = [answer for answer in answers if isinstance(answer, AlreadyExists)]

            assert len(refused) == 9
            assert all(answer.workflow_id == "w" for answer in refused)
            assert len(await aion_engine.list()) == 1

    run(main)


POLICIES: dict[tuple[str, str], str] = {
    ("running", "fail"): "refused",
    ("running", "attach"): "same",
    ("running", "terminate"): "new",
    ("running", "restart"): "refused",
    ("completed", "fail"): "refused",
    ("completed", "attach"): "same",
    ("completed", "terminate"): "new",
    ("completed", "restart"): "new",
}


@pytest.mark.parametrize("resident", [True, False], ids=["in memory", "after a restart"])
@pytest.mark.parametrize(("before", "policy"), POLICIES)
def test_what_a_second_start_does_is_up_to_its_policy(before: str, policy: str, resident: bool) -> None:
    """Whether the id is running or has run, and whether that run is in memory or not."""

    async def main() -> None:
        store = LastingStore()
        first_engine = engine(store=store)
        await first_engine.start_serving()
        first = await first_engine.start(waiting("first"), id="w")
        if before == "completed":
            await first.signal(go)
            await first.result()
        if not resident:
            await first_engine.close()
            first_engine = engine(store=store)
            await first_engine.start_serving()
        expected = POLICIES[before, policy]
        if expected == "refused":
            with pytest.raises(AlreadyExists) as caught:
                await first_engine.start(waiting("second"), id="w", on_conflict=policy)
            assert (caught.value.status, caught.value.run_id) == (before, first.run_id)
        else:
            second = await first_engine.start(waiting("second"), id="w", on_conflict=policy)
            assert (second.run_id == first.run_id) == (expected == "same")
            if before == "running":
                await second.signal(go)
            elif expected == "new":
                await second.signal(go)
            assert await second.result() == ("first" if expected == "same" else "second")
        statuses = sorted(entry.status for entry in await first_engine.list())
        await first_engine.close()

        assert (
            statuses
            == {
                "refused": [before],
                "same": ["completed"],
                "new": ["completed", "terminated" if before == "running" else "completed"],
            }[expected]
        )

    run(main)


def test_the_runs_of_an_id_are_told_apart() -> None:
    """A handle of an earlier run keeps to that run; one without a run means the newest."""

    async def main() -> None:
        async with engine() as aion_engine:
            first = await aion_engine.start(quick(1), id="w")
            await first.result()
            second = await aion_engine.start(quick(2), id="w", on_conflict="restart")
            third = await aion_engine.start(waiting(3), id="w", on_conflict="restart")
            assert first.run_id is not None
            results = [
                await aion_engine.get("w", first.run_id).result(),
                await second.result(),
                (await aion_engine.get("w").describe()).run_id,
                len(await aion_engine.list()),
            ]

            assert results == [1, 2, third.run_id, 3]
            with pytest.raises(InvalidState, match="is completed: it takes no more"):
                await first.signal(go)

    run(main)


def test_a_request_id_gives_the_first_answer_again() -> None:
    """Under any policy, after the run closed, and after a restart; nothing starts twice."""

    async def main() -> None:
        store = LastingStore()
        async with engine(store=store) as first:
            handle = await first.start(quick(1), id="w", request_id="r")
            await handle.result()
            again = [
                await first.start(quick(2), id="w", request_id="r", on_conflict=policy)
                for policy in ("fail", "attach", "terminate", "restart")
            ]
        async with engine(store=store) as second:
            later = await second.start(quick(3), id="w", request_id="r")
            other = await second.start(quick(4), id="other", request_id="r")
            count = len(await second.list())

        assert {each.run_id for each in (*again, later)} == {handle.run_id}
        assert (other.run_id != handle.run_id, count) == (True, 2)

    run(main)


def test_a_request_that_is_repeated_while_it_is_under_way_is_done_once() -> None:
    """A client that lost patience and asked again gets the answer of the first."""

    async def main() -> None:
        async with engine() as aion_engine:
            handles = await asyncio.gather(
                *(aion_engine.start(waiting(value), id="w", request_id="r") for value in range(5))
            )
            await asyncio.gather(*(handles[0].signal(number, 7, request_id="s") for _ in range(5)))
            await asyncio.gather(*(handles[0].cancel("enough", request_id="c") for _ in range(5)))
            with pytest.raises(WorkflowCancelled):
                await handles[0].result()
            history = await handles[0].history()

            assert len({handle.run_id for handle in handles}) == 1
            assert types(history) == [
                "WorkflowStarted",
                "SignalReceived",
                "WorkflowCancelRequested",
                "WorkflowCancelled",
            ]

    run(main)


def test_request_ids_of_signals_cancels_and_terminates_are_kept_apart() -> None:
    """The same id for another kind of request is another request; a repeated one is answered, even after the end."""

    async def main() -> None:
        async with engine() as aion_engine:
            handle = await aion_engine.start(waiting(), id="w", request_id="r")
            await handle.signal(number, 1, request_id="r")
            await handle.signal(number, 1, request_id="r")
            await handle.terminate("end", request_id="r")
            await handle.terminate("end", request_id="r")
            await handle.signal(number, 1, request_id="r")
            with pytest.raises(InvalidState):
                await handle.signal(number, 1, request_id="another")

            assert types(await handle.history()) == ["WorkflowStarted", "SignalReceived", "WorkflowTerminated"]

    run(main)


# ── several at once ──────────────────────────────────────────────────────────────────────────────


def test_start_many_starts_all_in_order() -> None:
    """One durable batch; handles come in the order of the calls."""

    async def main() -> None:
        async with engine() as aion_engine:
            handles = await aion_engine.start_many(
                [(quick(value), {"id": f"q{value}", "summary": str(value)}) for value in range(200)]
            )
            results = [await handle.result() for handle in handles]

            assert [handle.id for handle in handles] == [f"q{value}" for value in range(200)]
            assert results == list(range(200))
            assert await aion_engine.start_many([]) == []

    run(main)


@pytest.mark.parametrize("taken", ["running", "closed", "twice"])
def test_start_many_starts_none_if_one_cannot_start(taken: str) -> None:
    """An id that runs, has run, or is given twice refuses the whole batch."""

    async def main() -> None:
        async with engine() as aion_engine:
            if taken != "twice":
                handle = await aion_engine.start(waiting() if taken == "running" else quick(1), id="b")
                if taken == "closed":
                    await handle.result()
            ids = ["a", "b", "b" if taken == "twice" else "c"]
            with pytest.raises(AlreadyExists, match="'b' already exists"):
                await aion_engine.start_many([(quick(1), {"id": id}) for id in ids])
            listed = [entry.id for entry in await aion_engine.list()]

            assert listed == ([] if taken == "twice" else ["b"])

    run(main)


def test_start_many_checks_all_of_its_options() -> None:
    """Options that hold for single starts only, bad ids, and too many calls are refused whole."""

    async def main() -> None:
        async with engine(limits=Limits(request_bytes_max=1_000)) as aion_engine:
            for options in ({"on_conflict": "attach"}, {"request_id": "r"}, {"id": ""}, {"nonsense": 1}):
                with pytest.raises(InvalidInput):
                    await aion_engine.start_many([(quick(1), {}), (quick(2), options)])
            with pytest.raises(InvalidInput, match="10,001 calls"):
                await aion_engine.start_many([(None, {})] * 10_001)  # type: ignore[list-item]
            with pytest.raises(LimitExceeded, match="make several batches"):
                await aion_engine.start_many([(quick("x" * 400), {}) for _ in range(3)])

            assert len(await aion_engine.list()) == 0

    run(main)


# ── opening and closing ──────────────────────────────────────────────────────────────────────────


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


# ── lists ────────────────────────────────────────────────────────────────────────────────────────


def test_lists_filter_by_status_and_type() -> None:
    """One, several, both."""

    async def main() -> None:
        async with engine() as aion_engine:
            await aion_engine.start(waiting(), id="a")
            await aion_engine.execute(quick(1), id="b")
            ended = await aion_engine.start(waiting(), id="c")
            await ended.terminate()
            found = {
                filter: [entry.id for entry in await aion_engine.list(filter)]
                for filter in (
                    "",
                    'status = "running"',
                    'type = "waiting"',
                    'status = "terminated" and type = "waiting"',
                    'status in ("running", "completed")',
                    'type = "nobody"',
                    'status = "running" and status = "completed"',
                )
            }

            assert list(found.values()) == [["a", "b", "c"], ["a"], ["a", "c"], ["c"], ["a", "b"], [], []]

    run(main)


def test_a_list_goes_on_from_its_cursor() -> None:
    """No run is missed or shown twice, also when others start meanwhile; the last page has no cursor."""

    async def main() -> None:
        async with engine() as aion_engine:
            await aion_engine.start_many([(waiting(), {"id": f"w{n:02}"}) for n in range(25)])
            pages: list[list[str]] = []
            cursor: str | None = None
            while True:
                page = await aion_engine.list('status = "running"', limit=10, cursor=cursor)
                pages.append([entry.id for entry in page])
                cursor = page.cursor
                if cursor is None:
                    break
                await aion_engine.start(quick(1))

            assert pages == [[f"w{n:02}" for n in range(first, min(first + 10, 25))] for first in (0, 10, 20)]

    run(main)


def test_a_bad_list_is_refused() -> None:
    """A filter points at the character, limits and cursors say what is expected."""

    async def main() -> None:
        async with engine() as aion_engine:
            with pytest.raises(InvalidFilter) as caught:
                await aion_engine.list('status = "running" or x')
            assert caught.value.position == 19
            for limit in (0, -1, 10_001):
                with pytest.raises(InvalidInput, match="limit"):
                    await aion_engine.list(limit=limit)
            for cursor in ("", "nonsense", "bnVsbA==", "WzEsMl0", "\ud800"):
                with pytest.raises(InvalidInput, match="cursor"):
                    await aion_engine.list(cursor=cursor)

    run(main)


# ── events ───────────────────────────────────────────────────────────────────────────────────────


def test_the_events_of_a_run_come_without_gap_or_duplicate_and_end_with_it() -> None:
    """Those recorded first, then live, from any place on."""

    async def main() -> None:
        async with engine() as aion_engine:
            handle = await aion_engine.start(waiting(), id="w")
            for value in range(5):
                await handle.signal(number, value)
            reading = asyncio.create_task(_all(handle.events()))
            late = asyncio.create_task(_all(handle.events(from_seq=4)))
            await seen(handle, "SignalReceived", 5)
            for value in range(5, 20):
                await handle.signal(number, value)
            await handle.signal(go)
            await handle.result()
            history = await handle.history()

            assert await reading == list(history)
            assert await late == list(history)[3:]
            assert await _all(handle.events()) == list(history)
            assert [event.seq for event in history] == list(range(1, 24))

    run(main)


def test_the_events_of_all_runs_come_as_they_commit() -> None:
    """With those recorded before, if asked for; each run's in order; filtered."""

    async def main() -> None:
        async with engine() as aion_engine:
            await aion_engine.execute(quick(1), id="before")
            got: dict[str, list[int]] = {}
            live: list[str] = []

            async def read_all() -> None:
                async for event in aion_engine.events(from_seq=1):
                    got.setdefault(event.workflow_id, []).append(event.event.seq)
                    if event.event.type == "WorkflowTerminated":
                        return

            async def read_some() -> None:
                async for event in aion_engine.events('type = "waiting"'):
                    live.append(f"{event.workflow_id} {event.event.type}")
                    if event.event.type == "WorkflowTerminated":
                        return

            readers = [asyncio.create_task(read_all()), asyncio.create_task(read_some())]
            await asyncio.sleep(0.02)
            await asyncio.gather(*(aion_engine.execute(quick(n), id=f"q{n}") for n in range(10)))
            last = await aion_engine.start(waiting(), id="last")
            await last.terminate()
            await asyncio.gather(*readers)

            assert got == {id: [1, 2] for id in ("before", *(f"q{n}" for n in range(10)), "last")}
            assert live == ["last WorkflowStarted", "last WorkflowTerminated"]

    run(main)


async def _all(events: Any) -> list[Any]:
    return [event async for event in events]


# ── cancel and terminate ─────────────────────────────────────────────────────────────────────────


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
