"""Conditions and semaphores: no notification and no place is lost to somebody who gives up."""

from __future__ import annotations

import asyncio

import pytest

from aion._flow.locks import condition_wait, semaphore_acquire
from tests.flow.toy_loop import run


async def turn() -> None:
    """Let everybody else move."""
    for _ in range(5):
        await asyncio.sleep(0)


def test_a_condition_wakes_who_is_notified_with_the_lock_held() -> None:
    """In the order in which they came."""
    woken: list[int] = []

    async def waiter(condition: asyncio.Condition, number: int) -> None:
        async with condition:
            assert await condition_wait(condition)
            assert condition.locked()
            woken.append(number)

    async def main() -> None:
        condition = asyncio.Condition()
        tasks = [asyncio.create_task(waiter(condition, number)) for number in range(3)]
        await turn()
        async with condition:
            condition.notify(2)
        await turn()
        assert woken == [0, 1]
        async with condition:
            condition.notify_all()
        await asyncio.gather(*tasks)

    run(main())

    assert woken == [0, 1, 2]


def test_a_condition_needs_its_lock() -> None:
    """As in asyncio."""

    async def main() -> None:
        await condition_wait(asyncio.Condition())

    with pytest.raises(RuntimeError, match="un-acquired lock"):
        run(main())


def test_a_notification_passes_on_when_who_got_it_is_cancelled() -> None:
    """In the same step; before Python 3.13 it was lost, and the other waited for ever."""

    async def waiter(condition: asyncio.Condition) -> str:
        async with condition:
            await condition_wait(condition)
            return "woken"

    async def main() -> tuple[bool, str]:
        condition = asyncio.Condition()
        first, second = (asyncio.create_task(waiter(condition)) for _ in range(2))
        await turn()
        async with condition:
            condition.notify(1)
        first.cancel()
        result = await second
        return first.cancelled(), result

    assert run(main()) == (True, "woken")


def test_who_is_cancelled_while_taking_the_lock_back_takes_it_first() -> None:
    """However often; the last reason counts."""

    async def waiter(condition: asyncio.Condition) -> None:
        async with condition:
            try:
                await condition_wait(condition)
            finally:
                assert condition.locked()

    async def main() -> object:
        condition = asyncio.Condition()
        task = asyncio.create_task(waiter(condition))
        await turn()
        async with condition:
            condition.notify(1)
            for reason in ("one", "two"):
                await turn()
                task.cancel(reason)
        with pytest.raises(asyncio.CancelledError) as error:
            await task
        return error.value.args

    assert run(main()) == ("two",)


def test_a_semaphore_gives_its_places_in_turn() -> None:
    """At most as many as it has."""
    order: list[int] = []

    async def worker(semaphore: asyncio.Semaphore, number: int) -> None:
        assert await semaphore_acquire(semaphore)
        order.append(number)
        await asyncio.sleep(1)
        semaphore.release()

    async def main() -> float:
        semaphore = asyncio.Semaphore(2)
        await asyncio.gather(*(worker(semaphore, number) for number in range(5)))
        return asyncio.get_running_loop().time()

    assert run(main()) == 3
    assert order == [0, 1, 2, 3, 4]


def test_a_place_passes_on_when_who_got_it_is_cancelled() -> None:
    """In the same step; one that has none yet leaves its turn."""

    async def main() -> tuple[list[bool], bool]:
        semaphore = asyncio.Semaphore(1)
        await semaphore_acquire(semaphore)
        first, second, third = (asyncio.create_task(semaphore_acquire(semaphore)) for _ in range(3))
        await turn()
        semaphore.release()
        first.cancel()
        second.cancel()
        result = await third
        return [first.cancelled(), second.cancelled()], result

    assert run(main()) == ([True, True], True)


def test_places_that_come_free_while_others_wait_in_turn_are_all_given() -> None:
    """In one step, not one after the other."""

    async def main() -> list[bool]:
        semaphore = asyncio.Semaphore(0)
        tasks = [asyncio.create_task(semaphore_acquire(semaphore)) for _ in range(3)]
        await turn()
        # Two places are free, and nobody was woken for the second.
        semaphore._value += 1
        semaphore.release()
        await turn()
        return [task.done() for task in tasks]

    assert run(main()) == [True, True, False]
