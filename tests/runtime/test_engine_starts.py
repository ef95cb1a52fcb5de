"""One id, one run: conflict policies, request ids, and several starts at once."""

from __future__ import annotations

import asyncio

import pytest

from aion._core.limits import Limits
from aion.errors import (
    AlreadyExists,
    InvalidInput,
    InvalidState,
    LimitExceeded,
    WorkflowCancelled,
)
from tests.runtime.engine_programs import engine, go, number, ordering, quick, waiting
from tests.runtime.worlds import LastingStore, run, types

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
            if before == "running" or expected == "new":
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


def test_an_argument_of_another_type_is_refused_before_anything_is_recorded() -> None:
    """The sender is told which argument, of what, and nobody else ever sees it."""

    async def main() -> None:
        async with engine() as aion_engine:
            with pytest.raises(InvalidInput, match=r"arguments of ordering\(\): .* at `\$\.order`"):
                await aion_engine.start(ordering("17", more=3))  # type: ignore[arg-type]

            assert list(await aion_engine.list()) == []

    run(main)
