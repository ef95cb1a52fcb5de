"""Task groups: everything in them has ended when they have, in one order, and no cancellation is lost or made up."""

from __future__ import annotations

import asyncio
from typing import NoReturn

import pytest

from aion._flow.taskgroup import TaskGroup
from tests.flow.toy_loop import ToyLoop, in_callback, me, run


class Oops(Exception):
    """What a task raises."""


async def fail(after: float, what: str) -> NoReturn:
    """Raise later."""
    await asyncio.sleep(after)
    raise Oops(what)


async def fail_when_cancelled(what: str, after: float = 0) -> None:
    """Raise in answer to the cancellation, or some time after."""
    try:
        await asyncio.sleep(99)
    except asyncio.CancelledError:
        await asyncio.sleep(after)
        raise Oops(what) from None


async def fail_on(event: asyncio.Event, what: str) -> NoReturn:
    """Raise when the event comes."""
    await event.wait()
    raise Oops(what)


def what(error: pytest.ExceptionInfo[ExceptionGroup[Oops]]) -> list[str]:
    """The messages of a group of errors, in order."""
    return [str(each) for each in error.value.exceptions]


def test_the_block_ends_when_all_tasks_have() -> None:
    """Their results are there then."""

    async def main() -> tuple[list[int], float]:
        async with TaskGroup() as group:
            tasks = [group.create_task(asyncio.sleep(delay, delay)) for delay in (3, 1, 2)]
        return [task.result() for task in tasks], asyncio.get_running_loop().time()

    assert run(main()) == ([3, 1, 2], 3)


def test_names_and_contexts_reach_the_task() -> None:
    """As with `asyncio.create_task`."""

    async def main() -> str:
        async with TaskGroup() as group:
            task = group.create_task(asyncio.sleep(0), name="one", context=None)
        return task.get_name()

    assert run(main()) == "one"


def test_a_failing_task_cancels_the_block_and_the_others() -> None:
    """Which then end, before the error is raised; the parent is not left cancelled."""
    ended: list[str] = []

    async def other(name: str) -> None:
        try:
            await asyncio.sleep(99)
        finally:
            ended.append(name)

    async def main() -> tuple[list[str], int]:
        with pytest.raises(ExceptionGroup) as error:
            async with TaskGroup() as group:
                group.create_task(other("first"))
                group.create_task(fail(1, "bad"))
                group.create_task(other("last"))
                await asyncio.sleep(99)
        await asyncio.sleep(1)
        return what(error), me().cancelling()

    assert run(main()) == (["bad"], 0)
    assert ended == ["first", "last"]


def test_errors_stand_in_order_of_creation_with_the_blocks_own_last() -> None:
    """Not in the order in which they came."""

    async def main() -> list[str]:
        with pytest.raises(ExceptionGroup) as error:
            async with TaskGroup() as group:
                group.create_task(fail_when_cancelled("one", after=2))
                group.create_task(fail_when_cancelled("two", after=1))
                group.create_task(fail_when_cancelled("three"))
                await fail(1, "block")
        return what(error)

    assert run(main()) == ["one", "two", "three", "block"]


def test_a_failing_task_while_the_group_waits_cancels_the_others() -> None:
    """The parent itself is not cancelled, as nothing of it runs."""

    async def main() -> tuple[list[str], int, float]:
        with pytest.raises(ExceptionGroup) as error:
            async with TaskGroup() as group:
                group.create_task(asyncio.sleep(99))
                group.create_task(fail(1, "bad"))
        return what(error), me().cancelling(), asyncio.get_running_loop().time()

    assert run(main()) == (["bad"], 0, 1)


def test_a_cancellation_of_the_parent_cancels_all_and_passes_through() -> None:
    """With its reason."""

    async def main() -> tuple[object, bool, int]:
        asyncio.get_running_loop().call_later(1, me().cancel, "stop")
        with pytest.raises(asyncio.CancelledError) as error:
            async with TaskGroup() as group:
                task = group.create_task(asyncio.sleep(99))
        return error.value.args, task.cancelled(), me().cancelling()

    assert run(main()) == (("stop",), True, 1)


def test_a_cancellation_inside_the_block_passes_through() -> None:
    """The tasks are cancelled, and waited for."""

    async def main() -> bool:
        asyncio.get_running_loop().call_later(1, me().cancel)
        with pytest.raises(asyncio.CancelledError):
            async with TaskGroup() as group:
                task = group.create_task(asyncio.sleep(99))
                await asyncio.sleep(99)
        return task.cancelled()

    assert run(main())


def test_a_cancellation_while_tasks_end_does_not_hurry_them() -> None:
    """They are waited for however often the parent is cancelled."""

    async def slow_to_end() -> None:
        try:
            await asyncio.sleep(99)
        finally:
            await asyncio.sleep(5)

    async def main() -> float:
        for at in (1, 2, 3):
            asyncio.get_running_loop().call_later(at, me().cancel)
        with pytest.raises(asyncio.CancelledError):
            async with TaskGroup() as group:
                group.create_task(slow_to_end())
        return asyncio.get_running_loop().time()

    assert run(main()) == 6


def test_errors_go_before_a_cancellation_which_strikes_at_the_next_await() -> None:
    """Neither is lost."""

    async def main() -> tuple[list[str], object, int]:
        asyncio.get_running_loop().call_later(1, me().cancel, "stop")
        with pytest.raises(ExceptionGroup) as error:
            async with TaskGroup() as group:
                group.create_task(fail_when_cancelled("bad"))
        with pytest.raises(asyncio.CancelledError) as cancelled:
            await asyncio.sleep(1)
        return what(error), cancelled.value.args, me().cancelling()

    assert run(main()) == (["bad"], ("stop",), 1)


def test_in_the_cleanup_of_a_cancelled_task_a_failing_group_does_not_cancel_again() -> None:
    """The cancellation that is being cleaned up after came before the group, and was felt."""

    async def main() -> tuple[list[str], float]:
        me().cancel()
        try:
            await asyncio.sleep(1)
        except asyncio.CancelledError:
            with pytest.raises(ExceptionGroup) as error:
                async with TaskGroup() as group:
                    group.create_task(fail(1, "bad"))
            await asyncio.sleep(2)
        return what(error), asyncio.get_running_loop().time()

    assert run(main()) == (["bad"], 3)


def test_nested_groups_that_fail_in_one_step_both_report() -> None:
    """The inner error is part of the outer group, and no cancellation is left over."""

    async def main() -> tuple[list[str], int, float]:
        event = asyncio.Event()
        asyncio.get_running_loop().call_later(1, event.set)
        with pytest.raises(ExceptionGroup) as error:
            async with TaskGroup() as outer:
                outer.create_task(fail_on(event, "outer"))
                async with TaskGroup() as inner:
                    inner.create_task(fail_on(event, "inner"))
        parts = [str(e) if isinstance(e, Oops) else str(e.exceptions[0]) for e in error.value.exceptions]
        await asyncio.sleep(1)
        return parts, me().cancelling(), asyncio.get_running_loop().time()

    assert run(main()) == (["outer", "inner"], 0, 2)


def test_a_task_that_is_cancelled_alone_is_no_error() -> None:
    """The others go on."""

    async def main() -> tuple[bool, int]:
        async with TaskGroup() as group:
            alone = group.create_task(asyncio.sleep(99))
            other = group.create_task(asyncio.sleep(1, 3))
            await asyncio.sleep(0)
            alone.cancel()
        return alone.cancelled(), other.result()

    assert run(main()) == (True, 3)


@pytest.mark.parametrize("fatal", [KeyboardInterrupt, SystemExit])
def test_what_ends_the_program_leaves_the_group_as_it_is(fatal: type[BaseException]) -> None:
    """The tasks are waited for all the same."""

    async def main() -> bool:
        with pytest.raises(fatal):
            async with TaskGroup() as group:
                task = group.create_task(fail_when_cancelled("lost"))
                await asyncio.sleep(1)
                raise fatal
        return task.done()

    assert run(main())


def test_a_task_started_by_a_task_of_the_group_belongs_to_it() -> None:
    """Also while the group waits."""

    async def main() -> float:
        async with TaskGroup() as group:

            async def more() -> None:
                await asyncio.sleep(1)
                group.create_task(asyncio.sleep(2))

            group.create_task(more())
        return asyncio.get_running_loop().time()

    assert run(main()) == 3


def test_a_group_takes_no_task_before_its_block_after_it_or_while_it_shuts_down() -> None:
    """The coroutine is closed, so that it does not complain that it was never awaited."""

    async def main() -> list[str]:
        refusals: list[str] = []

        def try_one(group: TaskGroup) -> None:
            with pytest.raises(RuntimeError) as error:
                group.create_task(asyncio.sleep(0))
            refusals.append(str(error.value).split(">")[1])

        group = TaskGroup()
        try_one(group)
        with pytest.raises(ExceptionGroup):
            async with group:
                group.create_task(fail(0, "bad"))
                try:
                    await asyncio.sleep(9)
                except asyncio.CancelledError:
                    group_with_task = group
                    raise
        try_one(group_with_task)
        with pytest.raises(ExceptionGroup):
            async with TaskGroup() as other:

                async def late() -> None:
                    try:
                        await asyncio.sleep(9)
                    except asyncio.CancelledError:
                        try_one(other)

                other.create_task(late())
                other.create_task(fail(1, "bad"))
        return refusals

    assert run(main()) == [
        " has not been entered: create tasks inside its `async with` block",
        " is finished",
        " is shutting down, because the block was left by an exception or a task failed",
    ]


def test_a_group_is_entered_once_and_in_a_task() -> None:
    """Each misuse says what it is."""

    async def main() -> None:
        async with TaskGroup() as group:
            with pytest.raises(RuntimeError, match="already been entered"):
                await group.__aenter__()

    run(main())
    error = in_callback(lambda: TaskGroup().__aenter__().send(None))

    assert str(error) == "TaskGroup <TaskGroup> cannot determine the parent task: use it inside a task"


def test_a_task_that_fails_after_its_parent_ended_is_reported_to_the_loop() -> None:
    """Who enters a group by hand and never leaves it cannot hear of it."""
    loop = ToyLoop(guarded=False)

    async def careless() -> None:
        group = TaskGroup()
        await group.__aenter__()
        group.create_task(fail(1, "late"))

    async def main() -> None:
        await asyncio.create_task(careless())
        await asyncio.sleep(2)

    loop.run(main())

    assert [str(context["exception"]) for context in loop.errors] == ["late"]


def test_the_state_of_a_group_can_be_read() -> None:
    """Logs and debuggers show it."""

    async def main() -> list[str]:
        group = TaskGroup()
        shown = [repr(group)]
        with pytest.raises(ExceptionGroup):
            async with group:
                group.create_task(fail(1, "bad"))
                shown.append(repr(group))
                try:
                    await asyncio.sleep(9)
                finally:
                    shown.append(repr(group))
        return shown

    assert run(main()) == ["<TaskGroup>", "<TaskGroup tasks=1 entered>", "<TaskGroup errors=1 cancelling>"]
