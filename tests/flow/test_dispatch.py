"""asyncio's own names: ours where a workflow runs, unchanged everywhere else, whenever they were imported."""

from __future__ import annotations

import asyncio
import inspect
import types
from collections.abc import Callable, Coroutine
from typing import Any

import anyio
import pytest

from aion._flow import guards
from aion._flow.dispatch import aion_plain, redirect
from aion._flow.gathering import Gathered
from aion._flow.waiting import AsCompleted, OrderedSet
from aion.errors import ForbiddenInWorkflow
from tests.flow.toy_loop import ToyLoop, run

guards.install()

NAMES = ("wait_for", "wait", "as_completed", "gather", "shield")


def on_both(main: Callable[[], Coroutine[Any, Any, Any]]) -> tuple[Any, Any]:
    """What a program gives on asyncio's own loop, and in a workflow."""
    return asyncio.run(main()), run(main())


def test_the_functions_keep_their_identity_and_signature() -> None:
    """In all the places where asyncio shows them."""
    for name in NAMES:
        function = getattr(asyncio, name)

        assert function is getattr(asyncio.tasks, name)
        assert inspect.signature(function) == inspect.signature(getattr(aion_plain, name))


def test_coroutine_functions_stay_coroutine_functions() -> None:
    """Frameworks ask."""
    found = [
        inspect.iscoroutinefunction(getattr(asyncio, name)) for name in ("wait_for", "wait", "to_thread", "gather")
    ]

    assert found == [True, True, True, False]


def test_the_functions_lead_to_ours_in_a_workflow_only() -> None:
    """What they return tells."""

    async def main() -> list[bool]:
        task = asyncio.ensure_future(asyncio.sleep(0, 1))
        done, _ = await asyncio.wait([task])
        completed = asyncio.as_completed([task])
        for each in completed:
            await each
        gathered = asyncio.gather(task)
        await gathered
        return [type(done) is OrderedSet, type(completed) is AsCompleted, type(gathered) is Gathered]

    assert on_both(main) == ([False, False, False], [True, True, True])


def test_the_functions_give_the_same_on_both_loops() -> None:
    """A workflow is plain asyncio."""

    async def fail() -> None:
        raise KeyError

    async def main() -> list[Any]:
        seen: list[Any] = [
            await asyncio.wait_for(asyncio.sleep(0, 1), 5),
            await asyncio.shield(asyncio.sleep(0, 2)),
            await asyncio.gather(asyncio.sleep(0, 3), asyncio.sleep(0, 4)),
        ]
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.sleep(5), 0)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(fail())
        except ExceptionGroup as error:
            seen.append(repr(error.exceptions))
        try:
            async with asyncio.timeout(0):
                await asyncio.sleep(1)
        except TimeoutError:
            seen.append("late")
        return seen

    plain, durable = on_both(main)

    assert plain == durable == [1, 2, [3, 4], "(KeyError(),)", "late"]


def test_who_imported_a_function_before_gets_the_new_body_too() -> None:
    """The body is exchanged, not the name; the old one is kept."""
    module: Any = types.ModuleType("module")
    exec("def ticket(number, *, colour='red'): return f'{colour} {number}'", vars(module))
    early = module.ticket
    redirect(module, ticket)

    assert early is module.ticket
    assert early(3, colour="blue") == "new blue 3"
    assert early(3) == "new red 3"


def test_what_is_no_python_function_is_replaced_by_name() -> None:
    """Somebody else has wrapped it, or it is written in C; its body cannot be exchanged."""
    module: Any = types.ModuleType("module")
    module.stamp = "plain {}".format
    redirect(module, stamp)

    assert module.stamp(3) == "new plain 3"


def ticket(number: int, *, colour: str = "red") -> str:
    """A new body."""
    return f"new {aion_plain.ticket(number, colour=colour)}"


def stamp(number: int) -> str:
    """Another."""
    return f"new {aion_plain.stamp(number)}"


def test_to_thread_is_refused_in_a_workflow() -> None:
    """The error says what to write instead."""

    async def main() -> int:
        return await asyncio.to_thread(lambda: 3)

    assert asyncio.run(main()) == 3
    with pytest.raises(ForbiddenInWorkflow, match=r"decorate the function with @aion\.activity"):
        run(main())


def test_groups_and_deadlines_stay_instances_of_their_classes() -> None:
    """Whoever checks, sees no difference."""

    async def main() -> list[bool]:
        async with asyncio.TaskGroup() as group, asyncio.timeout(5) as deadline, asyncio.timeout_at(None) as other:
            await asyncio.sleep(0)
            return [type(group) is asyncio.TaskGroup, type(deadline) is asyncio.Timeout, other.when() is None]

    assert on_both(main) == ([True] * 3, [True] * 3)


def test_subclasses_of_groups_work() -> None:
    """Their own methods are called, and `super()` leads to ours."""

    class Counting(asyncio.TaskGroup):
        """Counts its tasks."""

        made = 0
        left = False

        def create_task(self, *args: Any, **kwargs: Any) -> Any:
            """Count, then do it."""
            self.made += 1
            return super().create_task(*args, **kwargs)

        async def __aexit__(self, *exc_info: Any) -> None:
            await super().__aexit__(*exc_info)
            self.left = True

    made_outside = Counting()

    async def main() -> list[Any]:
        async with Counting() as group:
            task = group.create_task(asyncio.sleep(0, 3), name="one")
        return [group.made, group.left, task.result(), task.get_name()]

    async def late() -> list[Any]:
        async with made_outside as group:
            group.create_task(asyncio.sleep(0))
        return [group.made, group.left]

    assert on_both(main) == ([1, True, 3, "one"], [1, True, 3, "one"])
    assert run(late()) == [1, True]


def test_the_methods_of_a_deadline_hand_over() -> None:
    """It can be read before, inside and after its block."""

    async def main() -> list[Any]:
        deadline = asyncio.timeout_at(None)
        with pytest.raises(RuntimeError, match="has not been entered"):
            deadline.reschedule(1)
        seen: list[Any] = [deadline.when(), deadline.expired(), repr(deadline)]
        with pytest.raises(TimeoutError):
            async with deadline:
                seen.append("active" in repr(deadline))
                deadline.reschedule(-1)
                seen.append(deadline.when())
                await asyncio.sleep(1)
        return [*seen, deadline.expired(), "expired" in repr(deadline)]

    plain, durable = on_both(main)

    assert plain == durable == [None, False, "<Timeout [created]>", True, -1, True, True]


def test_a_group_shows_its_state() -> None:
    """Its own in a workflow."""

    async def main() -> list[str]:
        group = asyncio.TaskGroup()
        shown = [repr(group)]
        async with group:
            shown.append(repr(group))
        return shown

    plain, durable = on_both(main)

    assert plain == durable == ["<TaskGroup>", "<TaskGroup entered>"]


def test_a_group_is_entered_once() -> None:
    """As in asyncio."""

    async def main() -> None:
        async with asyncio.TaskGroup() as group:
            with pytest.raises(RuntimeError, match="has already been entered"):
                await group.__aenter__()

    on_both(main)


def test_a_group_that_was_not_entered_takes_no_task() -> None:
    """As in asyncio."""

    async def main() -> None:
        coroutine = asyncio.sleep(0)
        try:
            with pytest.raises(RuntimeError, match="has not been entered"):
                asyncio.TaskGroup().create_task(coroutine)
        finally:
            coroutine.close()

    on_both(main)


def test_conditions_barriers_and_semaphores_work_on_both_loops() -> None:
    """They are asyncio's, with bodies of ours where versions differ."""

    async def main() -> list[Any]:
        condition, semaphore, barrier = asyncio.Condition(), asyncio.Semaphore(1), asyncio.Barrier(2)
        order: list[Any] = []

        async def one() -> None:
            async with condition:
                await condition.wait()
            async with semaphore:
                order.append("one")
            await barrier.wait()

        async def two() -> None:
            async with semaphore, condition:
                condition.notify()
                await asyncio.sleep(0)
                order.append("two")
            await barrier.wait()

        await asyncio.gather(one(), two())
        return order

    assert on_both(main) == (["two", "one"], ["two", "one"])


def test_anyio_task_groups_run_in_one_order() -> None:
    """A library on plain asyncio works unchanged: groups, scopes, streams, events, and its import in mid-workflow."""

    async def main() -> list[str]:
        lines: list[str] = []

        async def worker(name: str, delay: float) -> None:
            try:
                await anyio.sleep(delay)
                lines.append(f"{anyio.current_time():g} {name}")
            except BaseException:
                lines.append(f"{anyio.current_time():g} {name} cancelled")
                raise

        send, receive = anyio.create_memory_object_stream[int](0)
        async with send, receive, anyio.create_task_group() as group:
            for number in range(6):
                group.start_soon(worker, str(number), number % 3 + 1)
            group.start_soon(send.send, 7)
            lines.append(f"received {await receive.receive()}")
            with anyio.move_on_after(1.5) as scope:
                await anyio.sleep(5)
            lines.append(f"moved on {scope.cancelled_caught}")
            with pytest.raises(TimeoutError):
                with anyio.fail_after(0.5):
                    await anyio.sleep_forever()
            group.cancel_scope.cancel()
        return lines

    assert [ToyLoop().run(main()) for _ in range(20)] == [
        [
            "received 7",
            "1 0",
            "1 3",
            "moved on True",
            "2 1",
            "2 4",
            "2 2 cancelled",
            "2 5 cancelled",
        ]
    ] * 20
