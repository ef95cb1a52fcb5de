"""A clock that stands still until nothing else can happen."""

from __future__ import annotations

import asyncio
import queue
from collections.abc import Callable
from typing import Any

from aion.testing import VirtualClock
from aion.testing.clock import START

SECOND = 1_000_000


def none_due() -> int | None:
    """There is no timer."""
    return None


def yes() -> bool:
    """Somebody waits for a result."""
    return True


def no() -> bool:
    """Nobody waits for a result."""
    return False


def pass_of(clock: VirtualClock, inbox: queue.SimpleQueue[Any], due: Callable[[], int | None], awaited: bool) -> Any:
    """What a wait gives, made from another thread as the engine does."""
    return clock.wait(inbox, 1.0, due, lambda: awaited)


def test_time_stands_still() -> None:
    """However often it is asked for."""
    clock = VirtualClock()

    assert [clock.now() for _ in range(3)] == [START] * 3
    assert clock.monotonic() == 0.0


def test_wall_time_can_be_set_in_both_directions_and_monotonic_time_does_not_follow() -> None:
    """As when an operator changes a machine's clock."""
    clock = VirtualClock()
    clock.set(START - 5 * SECOND)
    back = clock.now()
    clock.set(START + 5 * SECOND)

    assert (back, clock.now(), clock.monotonic()) == (START - 5 * SECOND, START + 5 * SECOND, 0.0)


def test_a_request_that_is_there_is_given_at_once() -> None:
    """Before any jump is thought of."""
    clock = VirtualClock()
    inbox: queue.SimpleQueue[str] = queue.SimpleQueue()
    inbox.put("request")

    assert clock.wait(inbox, 1.0, lambda: START + SECOND, yes) == "request"
    assert clock.wait(inbox, 0.0, lambda: START + SECOND, yes) is None
    assert clock.now() == START


def test_it_jumps_to_the_next_timer_once_the_loop_has_nothing_to_do() -> None:
    """The loop is asked first, so that a request that is about to be made is not overtaken."""

    async def main() -> list[Any]:
        clock = VirtualClock()
        clock.attach(asyncio.get_running_loop())
        inbox: queue.SimpleQueue[Any] = queue.SimpleQueue()
        waiting = asyncio.create_task(asyncio.to_thread(_until_jump, clock, inbox, START + 7 * SECOND))
        for _ in range(3):
            await asyncio.sleep(0)
        inbox.put("late request")
        got: list[Any] = await waiting
        return [got, clock.now(), clock.monotonic()]

    assert asyncio.run(main()) == [["late request"], START + 7 * SECOND, 7.0]


def _until_jump(clock: VirtualClock, inbox: queue.SimpleQueue[Any], due: int) -> list[Any]:
    got: list[Any] = []
    while clock.now() < due:
        request = clock.wait(inbox, 1.0, lambda: due, yes)
        # An echo of the loop that something overtook comes as a request without meaning.
        if isinstance(request, str):
            got.append(request)
    return got


def test_targets_are_reached_in_order_with_timers_on_the_way() -> None:
    """Nobody has to wait for a result; each target is told when time is there."""

    async def main() -> list[Any]:
        loop = asyncio.get_running_loop()
        clock = VirtualClock()
        clock.attach(loop)
        inbox: queue.SimpleQueue[Any] = queue.SimpleQueue()
        late, early, dropped = loop.create_future(), loop.create_future(), loop.create_future()
        clock.target(START + 9 * SECOND, late)
        clock.target(START + 4 * SECOND, early)
        clock.target(START + 5 * SECOND, dropped)
        dropped.cancel()
        moments: list[int] = []

        def work() -> None:
            while clock._targets:
                before = clock.now()
                clock.wait(inbox, 1.0, lambda: START + 6 * SECOND if clock.now() < START + 6 * SECOND else None, no)
                if clock.now() != before:
                    moments.append((clock.now() - START) // SECOND)

        await asyncio.to_thread(work)
        await asyncio.gather(early, late)
        return moments

    assert asyncio.run(main()) == [4, 5, 6, 9]


def test_frozen_it_waits_for_a_request() -> None:
    """Nothing but a request, or a target, moves it."""

    async def main() -> list[Any]:
        clock = VirtualClock()
        clock.attach(asyncio.get_running_loop())
        clock.frozen = True
        inbox: queue.SimpleQueue[Any] = queue.SimpleQueue()
        waiting = asyncio.create_task(asyncio.to_thread(pass_of, clock, inbox, lambda: START + SECOND, True))
        await asyncio.sleep(0.01)
        early = waiting.done()
        inbox.put("request")
        return [early, await waiting, clock.now()]

    assert asyncio.run(main()) == [False, "request", START]


def test_without_a_loop_or_a_timer_it_waits_for_a_request() -> None:
    """There is nowhere to jump to, or nobody to ask."""

    async def main(attached: bool) -> list[Any]:
        clock = VirtualClock()
        if attached:
            clock.attach(asyncio.get_running_loop())
        inbox: queue.SimpleQueue[Any] = queue.SimpleQueue()
        due = none_due if attached else lambda: START + SECOND
        got: list[Any] = []

        def work() -> None:
            while not got:
                request = clock.wait(inbox, 1.0, due, yes)
                if request is not None:
                    got.append(request)

        waiting = asyncio.create_task(asyncio.to_thread(work))
        await asyncio.sleep(0.01)
        inbox.put("request")
        await waiting
        return [got, clock.now()]

    assert [asyncio.run(main(attached)) for attached in (True, False)] == [[["request"], START]] * 2
