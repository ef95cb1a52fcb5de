"""Deadlines: who they cancel, what they raise, and that a cancellation of somebody else is never taken for theirs."""

from __future__ import annotations

import asyncio

import pytest

from aion._flow import timeouts
from tests.flow.toy_loop import ToyLoop, in_callback, me, now, run


def test_a_block_that_takes_too_long_raises_at_its_deadline() -> None:
    """The block is cancelled, and the cancellation is gone when the error is raised."""

    async def main() -> tuple[float, int, bool]:
        with pytest.raises(TimeoutError):
            async with timeouts.timeout(2) as deadline:
                await asyncio.sleep(5)
        return now(), me().cancelling(), deadline.expired()

    assert run(main()) == (2, 0, True)


def test_a_block_that_is_quick_enough_is_left_alone() -> None:
    """Its timer is disarmed."""

    async def main() -> tuple[float, bool, float | None]:
        async with timeouts.timeout_at(2) as deadline:
            await asyncio.sleep(1)
        await asyncio.sleep(5)
        return now(), deadline.expired(), deadline.when()

    assert run(main()) == (6, False, 2)


def test_no_deadline_is_no_timer() -> None:
    """None means for ever."""

    async def main() -> float | None:
        async with timeouts.timeout(None) as deadline:
            await asyncio.sleep(5)
        return deadline.when()

    assert run(main()) is None


def test_a_deadline_that_is_not_in_the_future_strikes_at_the_first_await() -> None:
    """The block runs up to there."""

    async def main() -> list[str]:
        seen = ["before"]
        with pytest.raises(TimeoutError):
            async with timeouts.timeout(-1):
                seen.append("inside")
                await asyncio.sleep(0)
                await asyncio.sleep(0)
                seen.append("never")
        return seen

    assert run(main()) == ["before", "inside"]


def test_a_deadline_can_be_moved_and_taken_away() -> None:
    """The last word counts."""

    async def main() -> float:
        async with timeouts.timeout(2) as deadline:
            deadline.reschedule(None)
            await asyncio.sleep(3)
            with pytest.raises(TimeoutError):
                async with timeouts.timeout(1) as inner:
                    inner.reschedule(now() + 4)
                    await asyncio.sleep(9)
        return now()

    assert run(main()) == 7


def test_a_deadline_moved_into_the_past_strikes_at_once() -> None:
    """No timer is armed for it."""

    async def main() -> float:
        with pytest.raises(TimeoutError):
            async with timeouts.timeout(2) as deadline:
                deadline.reschedule(now())
                await asyncio.sleep(9)
        return now()

    assert run(main()) == 0


def test_a_deadline_is_used_once_and_inside_its_block() -> None:
    """Each misuse says what it is."""

    async def main() -> None:
        deadline = timeouts.timeout(2)
        with pytest.raises(RuntimeError, match="has not been entered"):
            deadline.reschedule(1)
        async with deadline:
            with pytest.raises(RuntimeError, match="already been entered"):
                await deadline.__aenter__()
        with pytest.raises(RuntimeError, match="Cannot change state of finished Timeout"):
            deadline.reschedule(1)

    run(main())


def test_a_deadline_needs_a_task() -> None:
    """There is nobody to cancel in a callback."""
    error = in_callback(lambda: timeouts.timeout_at(1).__aenter__().send(None))

    assert str(error) == "Timeout should be used inside a task"


def test_a_cancellation_from_outside_is_no_timeout() -> None:
    """Also when both come in one step."""

    async def main() -> int:
        task = me()

        def both() -> None:
            deadline.reschedule(now())
            task.cancel()

        with pytest.raises(asyncio.CancelledError):
            async with timeouts.timeout(9) as deadline:
                asyncio.get_running_loop().call_later(2, both)
                await asyncio.sleep(5)
        return task.cancelling()

    assert run(main()) == 1


def test_the_outer_of_two_deadlines_passes_through_the_inner() -> None:
    """The inner block is not the one that was too slow."""

    async def main() -> tuple[bool, bool]:
        with pytest.raises(TimeoutError):
            async with timeouts.timeout(1) as outer:
                async with timeouts.timeout(2) as inner:
                    await asyncio.sleep(5)
        return outer.expired(), inner.expired()

    assert run(main()) == (True, False)


def test_a_deadline_works_in_the_cleanup_of_a_cancelled_task() -> None:
    """The cancellation that is being cleaned up after is not the deadline's."""

    async def main() -> tuple[float, int]:
        me().cancel()
        try:
            await asyncio.sleep(1)
        except asyncio.CancelledError:
            with pytest.raises(TimeoutError):
                async with timeouts.timeout(3):
                    await asyncio.sleep(9)
        return now(), me().cancelling()

    assert run(main()) == (3, 1)


def test_a_block_that_swallows_the_deadline_goes_on() -> None:
    """As with any cancellation; but the deadline knows that it passed."""

    async def main() -> tuple[bool, int]:
        async with timeouts.timeout(1) as deadline:
            try:
                await asyncio.sleep(5)
            except asyncio.CancelledError:
                pass
        await asyncio.sleep(1)
        return deadline.expired(), me().cancelling()

    assert run(main()) == (True, 0)


def test_an_error_that_a_deadline_caused_has_it_in_its_chain() -> None:
    """Who reads the traceback sees why the block was cancelled; in a group, for each member."""

    async def main() -> list[type[BaseException]]:
        async def failing() -> None:
            try:
                await asyncio.sleep(5)
            finally:
                raise KeyError

        with pytest.raises(KeyError) as single:
            async with timeouts.timeout(1):
                await failing()
        with pytest.raises(ExceptionGroup) as group:
            async with timeouts.timeout(1):
                try:
                    await failing()
                except KeyError as error:
                    raise ExceptionGroup("both", [error, ValueError()]) from None
        contexts = [single.value.__context__, group.value.exceptions[0].__context__]
        return [type(context) for context in contexts if context is not None]

    assert run(main()) == [TimeoutError, TimeoutError]


def test_a_group_that_fails_at_the_deadline_leaves_no_cancellation_behind() -> None:
    """The group asks for the cancellation to strike again, the deadline takes it back; before 3.13 asyncio did not."""

    async def main() -> tuple[float, int]:
        async def failing() -> None:
            try:
                await asyncio.sleep(5)
            finally:
                raise KeyError

        with pytest.raises(ExceptionGroup):
            async with timeouts.timeout(1):
                async with asyncio.TaskGroup() as group:
                    group.create_task(failing())
        await asyncio.sleep(2)
        return now(), me().cancelling()

    assert run(main()) == (3, 0)


def test_the_state_of_a_deadline_can_be_read() -> None:
    """Logs and debuggers show it."""

    async def main() -> list[str]:
        deadline = timeouts.timeout(2)
        shown = [repr(deadline)]
        async with deadline:
            shown.append(repr(deadline))
        return [*shown, repr(deadline)]

    assert run(main()) == ["<Timeout [created]>", "<Timeout [active] when=2.0>", "<Timeout [finished]>"]


def test_wait_for_gives_the_result_in_time_and_an_error_past_it() -> None:
    """What was waited for is cancelled, and has ended when the error is raised."""
    ended: list[float] = []

    async def slow() -> None:
        try:
            await asyncio.sleep(9)
        except asyncio.CancelledError:
            await asyncio.sleep(1)
            ended.append(now())
            raise

    async def main() -> tuple[int, int, float]:
        results = (await timeouts.wait_for(asyncio.sleep(1, 3), 2), await timeouts.wait_for(asyncio.sleep(1, 4), None))
        with pytest.raises(TimeoutError):
            await timeouts.wait_for(slow(), 2)
        return *results, now()

    assert run(main()) == (3, 4, 5)
    assert ended == [5]


def test_wait_for_runs_a_coroutine_in_the_same_task() -> None:
    """Its commands get their ids there; asyncio of 3.11 makes a task of its own."""

    async def who() -> asyncio.Task[object]:
        return me()

    async def main() -> bool:
        return await timeouts.wait_for(who(), 1) is me()

    assert run(main())


def test_wait_for_without_time_takes_only_what_is_done() -> None:
    """A coroutine is not even started."""
    started: list[int] = []

    async def never() -> None:
        started.append(1)

    async def main() -> int:
        done = asyncio.ensure_future(asyncio.sleep(0, 5))
        await asyncio.sleep(1)
        result = await timeouts.wait_for(done, 0)
        with pytest.raises(TimeoutError):
            await timeouts.wait_for(never(), 0)
        return result

    assert run(main()) == 5
    assert started == []


def test_wait_for_without_time_gives_the_result_of_what_refuses_to_be_cancelled() -> None:
    """It ended with one, after all."""

    async def stubborn() -> int:
        try:
            await asyncio.sleep(9)
        except asyncio.CancelledError:
            return 3
        return 4

    async def main() -> int:
        task = asyncio.create_task(stubborn())
        await asyncio.sleep(1)
        return await timeouts.wait_for(task, -1)

    assert run(main()) == 3


def test_wait_for_without_time_can_itself_be_cancelled() -> None:
    """While it waits for the cancellation of the other to end."""

    async def stubborn() -> None:
        try:
            await asyncio.sleep(9)
        except asyncio.CancelledError:
            await asyncio.sleep(5)

    async def main() -> float:
        task = asyncio.create_task(stubborn())
        await asyncio.sleep(1)
        asyncio.get_running_loop().call_later(2, me().cancel)
        with pytest.raises(asyncio.CancelledError):
            await timeouts.wait_for(task, 0)
        return now()

    assert run(main()) == 3


def test_a_delay_that_is_no_number_is_the_loops_to_refuse() -> None:
    """It is passed on as a timer, and is not taken for one that has passed."""
    loop = ToyLoop(guarded=False)

    async def main() -> None:
        await timeouts.wait_for(asyncio.sleep(0), float("nan"))

    loop.run(main())

    assert [str(when) for when, _, _ in loop._timers] == ["nan"]
