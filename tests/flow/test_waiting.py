"""`wait` and `as_completed`: what they give, in an order that is the same each time."""

from __future__ import annotations

import asyncio
from typing import Any, NoReturn

import pytest

from aion._flow.waiting import OrderedSet, as_completed, wait
from aion.errors import ForbiddenInWorkflow
from tests.flow.toy_loop import now, run


def tasks_that_take(*delays: float) -> list[asyncio.Task[float]]:
    """A task for each, that returns how long it took."""
    return [asyncio.create_task(asyncio.sleep(delay, delay)) for delay in delays]


async def fail(after: float) -> NoReturn:
    """Raise later."""
    await asyncio.sleep(after)
    raise KeyError(after)


# ── the sets ─────────────────────────────────────────────────────────────────────────────────────


def test_an_ordered_set_iterates_in_the_order_it_was_filled_in() -> None:
    """Whatever the hashes of its members."""
    members = [40, 3, 8, 3, 1000, 1]

    assert list(OrderedSet(members)) == [40, 3, 8, 1000, 1]


def test_an_ordered_set_is_a_set() -> None:
    """For whoever asks, compares or computes with it."""
    one = OrderedSet([3, 1, 2])

    assert isinstance(one, set)
    assert one == {1, 2, 3}
    assert one | {4} == {1, 2, 3, 4}
    assert one - {3} == {1, 2}
    assert repr(one) == "{3, 1, 2}"
    assert repr(OrderedSet[int]()) == "set()"


def test_what_is_computed_from_an_ordered_set_is_in_order() -> None:
    """With sets of both kinds, on either side."""
    one, plain = OrderedSet([40, 3, 1]), {3, 9, 8}
    computed = [one | plain, plain | one, one & plain, plain & one, one - plain, plain - one, one ^ plain, plain ^ one]

    assert [list(each) for each in computed] == [
        [40, 3, 1, 8, 9],
        [3, 8, 9, 40, 1],
        [3],
        [3],
        [40, 1],
        [8, 9],
        [40, 1, 8, 9],
        [40, 1, 8, 9],
    ]
    assert list(one.copy()) == [40, 3, 1]
    assert list(OrderedSet([8, 1]) | OrderedSet([9, 8, 2])) == [8, 1, 9, 2]


def test_an_ordered_set_is_computed_with_sets_only() -> None:
    """As any set."""
    one: Any = OrderedSet([1])
    for compute in (lambda: one | [2], lambda: [2] | one, lambda: one - [2], lambda: [2] - one):
        with pytest.raises(TypeError, match="unsupported operand"):
            compute()


def test_an_ordered_set_keeps_its_order_when_it_changes() -> None:
    """What is added comes last, by order of creation."""
    one = OrderedSet([3, 1, 2])
    one.discard(1)
    one |= {9, 7}

    assert list(one) == [3, 2, 7, 9]
    assert [one.pop(), one.pop()] == [3, 2]


def test_an_empty_ordered_set_gives_nothing() -> None:
    """As any set."""
    with pytest.raises(KeyError):
        OrderedSet[int]().pop()


# ── wait ─────────────────────────────────────────────────────────────────────────────────────────


def test_wait_returns_when_all_are_done() -> None:
    """In the order of the arguments, each once."""

    async def main() -> tuple[list[float], int, float]:
        tasks = tasks_that_take(3, 1, 2)
        done, pending = await wait([*tasks, tasks[0]])
        return [task.result() for task in done], len(pending), now()

    assert run(main()) == ([3, 1, 2], 0, 3)


def test_wait_returns_when_the_first_is_done() -> None:
    """The others run on."""

    async def main() -> tuple[list[float], list[float], float]:
        tasks = tasks_that_take(3, 1, 2)
        done, pending = await wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        at = now()
        return [task.result() for task in done], [await task for task in pending], at

    assert run(main()) == ([1], [3, 2], 1)


def test_wait_returns_at_the_first_error() -> None:
    """A cancelled task is none."""

    async def main() -> tuple[int, int, float]:
        tasks = [*tasks_that_take(9, 1, 3), asyncio.create_task(fail(2))]
        asyncio.get_running_loop().call_later(1, tasks[2].cancel)
        done, pending = await wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
        return len(done), len(pending), now()

    assert run(main()) == (3, 1, 2)


def test_wait_returns_when_its_time_is_over() -> None:
    """It cancels nothing and raises nothing."""

    async def main() -> tuple[int, int, float]:
        done, pending = await wait(tasks_that_take(1, 9), timeout=2)
        return len(done), len(pending), now()

    assert run(main()) == (1, 1, 2)


def test_wait_can_be_cancelled() -> None:
    """The tasks are not."""

    async def main() -> float:
        tasks = tasks_that_take(5)
        waiting = asyncio.create_task(wait(tasks, timeout=9))
        await asyncio.sleep(1)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        return await tasks[0]

    assert run(main()) == 5


def test_wait_for_a_set_gives_sets_in_order_of_creation() -> None:
    """However the set was made."""

    async def main() -> list[float]:
        done, _ = await wait(set(tasks_that_take(*range(30))))
        return [task.result() for task in done]

    assert run(main()) == list(range(30))


def test_wait_takes_any_iterable() -> None:
    """Also one that turns out to be empty."""

    async def main() -> tuple[int, int]:
        done, _ = await wait(task for task in tasks_that_take(1, 2))
        nothing, _ = await wait(task for task in tasks_that_take())
        return len(done), len(nothing)

    assert run(main()) == (2, 0)


@pytest.mark.parametrize(
    ("arguments", "options", "error", "message"),
    [
        ([], {}, ValueError, "empty"),
        ([1], {"return_when": "soon"}, ValueError, "Invalid return_when value: soon: expected one of FIRST_COMPLETED"),
        ("coroutine", {}, TypeError, "not coroutine"),
        (["coroutine"], {}, TypeError, "use tasks explicitly"),
    ],
)
def test_wait_refuses_what_it_cannot_wait_for(arguments: Any, options: Any, error: Any, message: str) -> None:
    """Each with its reason."""

    async def main() -> None:
        coroutine = asyncio.sleep(0)
        one = coroutine if arguments == "coroutine" else [coroutine if a == "coroutine" else a for a in arguments]
        try:
            await wait(one, **options)
        finally:
            coroutine.close()

    with pytest.raises(error, match=message):
        run(main())


# ── as_completed ─────────────────────────────────────────────────────────────────────────────────


def test_results_come_in_the_order_in_which_they_are_there() -> None:
    """Of coroutines and tasks alike."""

    async def main() -> list[float]:
        awaitables = [*tasks_that_take(3, 1), asyncio.sleep(2, 2.0)]
        return [await result for result in as_completed(awaitables)]

    assert run(main()) == [1, 2, 3]


def test_the_asynchronous_iterator_gives_the_tasks_themselves() -> None:
    """Of a coroutine, the task that was made for it."""

    async def main() -> tuple[list[bool], list[float]]:
        first, second = tasks_that_take(2, 1)
        found = [task async for task in as_completed([first, second, asyncio.sleep(3, 3.0)])]
        return [found[0] is second, found[1] is first], [task.result() for task in found]

    assert run(main()) == ([True, True], [1, 2, 3])


def test_an_error_comes_in_its_turn() -> None:
    """The others are not touched."""

    async def main() -> list[object]:
        seen: list[object] = []
        for result in as_completed([*tasks_that_take(3, 1), asyncio.create_task(fail(2))]):
            try:
                seen.append(await result)
            except KeyError as error:
                seen.append(error.args)
        return seen

    assert run(main()) == [1, (2,), 3]


def test_past_the_timeout_what_is_awaited_raises() -> None:
    """For each that is not there, in both kinds of iteration."""

    async def main() -> tuple[list[object], float]:
        seen: list[object] = []
        for result in as_completed(tasks_that_take(1, 8, 9), timeout=2):
            try:
                seen.append(await result)
            except TimeoutError:
                seen.append("late")
        with pytest.raises(TimeoutError):
            async for task in as_completed(tasks_that_take(1, 9), timeout=2):
                seen.append(task.result())
        return seen, now()

    assert run(main()) == ([1, "late", "late", 1], 4)


def test_a_timeout_that_is_not_reached_leaves_no_timer() -> None:
    """It is disarmed with the last result."""

    async def main() -> float:
        for result in as_completed(tasks_that_take(1), timeout=50):
            await result
        await asyncio.sleep(1)
        return now()

    assert run(main()) == 2


def test_several_may_wait_at_once_and_are_served_in_turn() -> None:
    """Also when one that was served gives up in the same step."""

    async def main() -> list[object]:
        tasks = tasks_that_take(1, 1, 2)
        results = [asyncio.ensure_future(result) for result in as_completed(tasks)]
        # Called after the iterator's own callback: the first result has just been promised to the first.
        tasks[0].add_done_callback(lambda _: results[0].cancel())
        done = await asyncio.gather(*results[1:], return_exceptions=True)
        return [results[0].cancelled(), *done]

    assert run(main()) == [True, 1, 1]


def test_one_that_gives_up_while_it_waits_leaves_its_turn() -> None:
    """The next result goes to the next."""

    async def main() -> list[float]:
        first, *others = [asyncio.ensure_future(result) for result in as_completed(tasks_that_take(1, 2))]
        await asyncio.sleep(0)
        first.cancel()
        return [await other for other in others]

    assert run(main()) == [1]


def test_past_the_timeout_a_late_result_counts_no_more() -> None:
    """Neither one that comes later, nor one whose report was on its way."""

    async def main() -> None:
        later: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        at_once: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        waiting = as_completed([later, at_once], timeout=2)
        at_once.set_result(1)
        waiting._give_up()
        await asyncio.sleep(3)
        later.set_result(1)
        for result in waiting:
            with pytest.raises(TimeoutError):
                await result
        with pytest.raises(StopIteration):
            next(waiting)

    run(main())


def test_as_completed_refuses_what_has_no_order() -> None:
    """One awaitable instead of several, or a set of coroutines."""

    async def main() -> None:
        one, two = asyncio.sleep(0), asyncio.sleep(1)
        with pytest.raises(TypeError, match="iterable of awaitables, not coroutine"):
            as_completed(one)  # type: ignore[arg-type]
        with pytest.raises(ForbiddenInWorkflow):
            as_completed({one, two})
        one.close()
        two.close()

    run(main())
