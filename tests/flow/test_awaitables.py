"""What may be awaited becomes futures, and several of them stand in one order."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Generator
from typing import Any

import pytest

from aion._flow.awaitables import as_future, in_one_order, is_coroutine
from aion._flow.waiting import OrderedSet
from aion.errors import ForbiddenInWorkflow
from tests.flow.toy_loop import ToyLoop, run


class Call(Coroutine[Any, Any, int]):
    """An object with the methods of a coroutine, as calls of activities are."""

    def __init__(self, value: int) -> None:
        self.inner = asyncio.sleep(1, value)

    def __await__(self) -> Generator[Any, Any, int]:
        return self.inner.__await__()

    def send(self, value: Any) -> Any:
        """Go on."""
        return self.inner.send(value)

    def throw(self, *error: Any) -> Any:
        """Go on with an error."""
        return self.inner.throw(*error)

    def close(self) -> None:
        """End."""
        self.inner.close()


class Handle:
    """Something that can be awaited and is no coroutine."""

    def __await__(self) -> Generator[Any, Any, int]:
        return asyncio.sleep(1, 7).__await__()


def test_whatever_can_be_awaited_becomes_a_future_of_its_result() -> None:
    """Coroutines, objects like coroutines, other awaitables, and futures themselves."""

    async def main() -> list[int]:
        loop = asyncio.get_running_loop()
        task: asyncio.Future[int] = loop.create_task(asyncio.sleep(1, 5))
        assert as_future(task, loop) is task
        return [await as_future(each, loop) for each in (task, asyncio.sleep(1, 6), Call(4), Handle())]

    assert run(main()) == [5, 6, 4, 7]


def test_a_future_of_another_loop_is_refused() -> None:
    """It could only be completed from outside the workflow."""
    foreign = asyncio.Future[int](loop=ToyLoop())

    async def main() -> None:
        as_future(foreign, asyncio.get_running_loop())

    with pytest.raises(ValueError, match="another event loop"):
        run(main())


def test_what_cannot_be_awaited_is_refused() -> None:
    """The error names the type."""

    async def main() -> None:
        as_future(3, asyncio.get_running_loop())  # type: ignore[arg-type]

    with pytest.raises(TypeError, match="found int"):
        run(main())


def test_a_generator_is_no_coroutine_on_any_python() -> None:
    """On 3.11 asyncio takes it for one."""
    assert not is_coroutine(number for number in (1, 2))


def test_a_list_keeps_its_order_and_gives_each_member_once() -> None:
    """So do the sets that `wait` returns."""
    assert in_one_order([3, 1, 3, 2]) == [3, 1, 2]
    assert in_one_order(OrderedSet([3, 1, 2])) == [3, 1, 2]


def test_a_set_of_tasks_is_put_in_order_of_creation() -> None:
    """A set's own order depends on its size, and on what was in it before."""

    async def main() -> tuple[bool, list[str]]:
        # The numbers that the tasks hash to go past the end of the set's table, and start again at its front.
        while hash(asyncio.get_running_loop().create_future()) % 32 != 29:
            pass
        tasks = {asyncio.create_task(asyncio.sleep(0), name=str(number)) for number in range(5)}
        await asyncio.sleep(1)
        ordered = in_one_order(tasks)
        return list(tasks) == ordered, [task.get_name() for task in ordered]

    assert run(main()) == (False, ["0", "1", "2", "3", "4"])


def test_a_set_of_coroutines_is_refused() -> None:
    """Nothing tells in which order they were made, and each replay would start them in another."""
    calls = {Call(1), Call(2)}
    with pytest.raises(ForbiddenInWorkflow, match="pass a list instead"):
        in_one_order(calls)
    for call in calls:
        call.close()


def test_a_set_of_one_is_in_order() -> None:
    """There is nothing to put in order."""
    call = Call(1)

    assert in_one_order({call}) == [call]
    call.close()
