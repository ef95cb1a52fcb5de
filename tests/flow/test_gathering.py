"""`gather` and `shield`: results, errors and cancellations, each in one order."""

from __future__ import annotations

import asyncio
from typing import NoReturn

import pytest

from aion._flow.gathering import gather, shield
from tests.flow.toy_loop import ToyLoop, run


async def fail(after: float) -> NoReturn:
    """Raise later."""
    await asyncio.sleep(after)
    raise KeyError(after)


async def refuse_to_be_cancelled() -> int:
    """Return a result in answer to the cancellation."""
    try:
        await asyncio.sleep(9)
    except asyncio.CancelledError:
        pass
    return 3


def test_results_stand_in_the_order_of_the_arguments() -> None:
    """One that is passed twice runs once."""

    async def main() -> list[int]:
        twice = asyncio.sleep(3, 1)
        return await gather(twice, asyncio.sleep(1, 2), twice)

    assert run(main()) == [1, 2, 1]


def test_nothing_gathered_is_an_empty_list() -> None:
    """It is there at once."""

    async def main() -> tuple[bool, list[object]]:
        nothing = gather()
        return nothing.done(), await nothing

    assert run(main()) == (True, [])


def test_the_first_error_is_passed_on_at_once() -> None:
    """The others run on, and what they raise later is nobody's."""
    loop = ToyLoop(guarded=False)

    async def main() -> tuple[object, float]:
        other = asyncio.create_task(asyncio.sleep(5, 5.0))
        with pytest.raises(KeyError) as error:
            await gather(other, fail(1), fail(2))
        assert loop.time() == 1
        return error.value.args, await other

    assert loop.run(main()) == ((1,), 5)
    assert loop.errors == []


def test_errors_can_be_results() -> None:
    """Cancellations too."""

    async def main() -> list[str]:
        alone = asyncio.create_task(asyncio.sleep(9))
        asyncio.get_running_loop().call_later(1, alone.cancel)
        results = await gather(fail(1), alone, asyncio.sleep(2, 5), return_exceptions=True)
        return [repr(result) for result in results]

    assert run(main()) == ["KeyError(1)", "CancelledError()", "5"]


def test_an_error_that_is_false_is_an_error() -> None:
    """Its class may say what it likes about truth."""

    class Empty(Exception):
        def __bool__(self) -> bool:
            return False

    async def raising() -> None:
        raise Empty

    async def main() -> list[object]:
        return await gather(raising(), return_exceptions=True)

    assert [type(result) for result in run(main())] == [Empty]


def test_a_cancelled_child_is_an_error_like_others() -> None:
    """Who awaits is cancelled."""

    async def main() -> None:
        alone = asyncio.create_task(asyncio.sleep(9))
        asyncio.get_running_loop().call_later(1, alone.cancel)
        await gather(alone, asyncio.sleep(2))

    with pytest.raises(asyncio.CancelledError):
        run(main())


def test_cancelling_it_cancels_the_children_in_their_order() -> None:
    """With the reason."""
    seen: list[object] = []

    async def child(name: str) -> None:
        try:
            await asyncio.sleep(9)
        except asyncio.CancelledError as error:
            seen.append((name, *error.args))
            raise

    async def main() -> tuple[bool, object, bool]:
        gathered = gather(child("one"), child("two"), return_exceptions=True)
        await asyncio.sleep(1)
        asked = gathered.cancel("enough")
        with pytest.raises(asyncio.CancelledError) as error:
            await gathered
        return asked, error.value.args, gathered.cancel()

    assert run(main()) == (True, ("enough",), False)
    assert seen == [("one", "enough"), ("two", "enough")]


def test_it_is_cancelled_even_if_the_children_refuse() -> None:
    """Their results are lost."""

    async def main() -> None:
        gathered = gather(refuse_to_be_cancelled())
        await asyncio.sleep(1)
        gathered.cancel()
        await gathered

    with pytest.raises(asyncio.CancelledError):
        run(main())


def test_cancelling_it_when_all_children_have_ended_does_nothing() -> None:
    """Their report is on its way."""

    async def main() -> tuple[bool, list[int]]:
        task = asyncio.create_task(asyncio.sleep(0, 1))
        await task
        gathered = gather(task)
        return gathered.cancel(), await gathered

    assert run(main()) == (False, [1])


def test_it_hashes_by_creation() -> None:
    """So that a set of such futures iterates alike each time."""

    async def main() -> bool:
        before = hash(asyncio.get_running_loop().create_future())
        gathered = [gather(asyncio.get_running_loop().create_future()) for _ in range(3)]
        return before < hash(gathered[0]) < hash(gathered[1]) < hash(gathered[2])

    assert run(main())


def test_a_shield_passes_results_and_errors_on() -> None:
    """What is done already is returned as it is."""

    async def main() -> tuple[int, bool]:
        task = asyncio.create_task(asyncio.sleep(1, 3))
        result = await shield(task)
        with pytest.raises(KeyError):
            await shield(fail(1))
        return result, shield(task) is task

    assert run(main()) == (3, True)


def test_a_shield_keeps_a_cancellation_off() -> None:
    """The inner task goes on; an error that nobody waits for any more is not reported twice."""
    loop = ToyLoop(guarded=False)

    async def main() -> int:
        tasks = [asyncio.create_task(asyncio.sleep(2, 3)), asyncio.create_task(fail(1))]
        outer = [shield(task) for task in tasks]
        for each in outer:
            each.cancel()
        await asyncio.sleep(0)
        assert [each.cancelled() for each in outer] == [True, True]
        await asyncio.wait(tasks)
        assert tasks[1].exception() is not None
        return tasks[0].result()

    assert loop.run(main()) == 3


def test_a_shield_cancelled_in_the_step_in_which_the_inner_ends_stays_cancelled() -> None:
    """The report of the inner comes too late."""

    async def main() -> tuple[bool, int]:
        inner: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        outer = shield(inner)
        inner.set_result(3)
        outer.cancel()
        await asyncio.sleep(1)
        return outer.cancelled(), inner.result()

    assert run(main()) == (True, 3)


def test_a_cancellation_of_the_inner_passes_through_a_shield() -> None:
    """With its reason."""

    async def main() -> object:
        task = asyncio.create_task(asyncio.sleep(2))
        asyncio.get_running_loop().call_later(1, task.cancel, "inner")
        with pytest.raises(asyncio.CancelledError) as error:
            await shield(task)
        return error.value.args

    assert run(main()) == ("inner",)
