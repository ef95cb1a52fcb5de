"""The loop of one run: callbacks in order, commands with ids by program order, durable timers, nothing from outside."""

from __future__ import annotations

import asyncio
import contextvars
import math
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from aion._core import commands as cmd
from aion._flow.loop import TimerHandle, WorkflowLoop
from aion.errors import InvalidInput
from tests.flow.run_loop import make_loop, running
from tests.flow.story import START


def run(main: Callable[[], Coroutine[Any, Any, Any]], loop: WorkflowLoop | None = None) -> WorkflowLoop:
    """Run a coroutine function as the main task until nothing can move."""
    loop = loop or make_loop()
    with running(loop):
        loop.create_task_at(main(), "")
        loop.run_ready()
    return loop


# ── callbacks ────────────────────────────────────────────────────────────────────────────────────


def test_callbacks_run_in_the_order_in_which_they_were_given() -> None:
    """First in, first out, also for those that callbacks add."""
    loop = make_loop()
    seen: list[str] = []
    loop.call_soon(lambda: (seen.append("a"), loop.call_soon(seen.append, "d")))
    loop.call_soon(seen.append, "b")
    loop.call_soon(seen.append, "c")
    loop.run_ready()

    assert seen == ["a", "b", "c", "d"]
    assert loop.idle()


def test_ten_thousand_callbacks_keep_their_order() -> None:
    """The queue is trimmed on the way, and nothing is skipped or done twice."""
    loop = make_loop()
    seen: list[int] = []

    def callback(number: int) -> None:
        seen.append(number)
        if number < 9_000:
            loop.call_soon(callback, number + 1_000)

    for number in range(1_000):
        loop.call_soon(callback, number)
    loop.run_ready()

    assert seen == list(range(10_000))


def test_a_cancelled_callback_does_not_run() -> None:
    """Cancelling before its turn is enough."""
    loop = make_loop()
    seen: list[str] = []
    dropped = loop.call_soon(seen.append, "a")
    loop.call_soon(seen.append, "b")
    dropped.cancel()
    loop.run_ready()

    assert (seen, dropped.cancelled()) == (["b"], True)


def test_a_callback_that_raises_is_reported_and_the_next_one_runs(caplog: pytest.LogCaptureFixture) -> None:
    """Even `SystemExit` in a callback stops neither the loop nor the thread."""
    loop = make_loop()
    seen: list[str] = []

    def leave() -> None:
        raise SystemExit(3)

    loop.call_soon(leave)
    loop.call_soon(seen.append, "b")
    loop.run_ready()

    assert seen == ["b"]
    assert [record.message for record in caplog.records] == ["exception in a callback"]


def test_callbacks_run_in_the_context_they_were_given() -> None:
    """Context variables are those of the moment when the callback was given, or of the context that was passed."""
    variable = contextvars.ContextVar("variable", default="none")
    loop = make_loop()
    seen: list[str] = []
    special = contextvars.copy_context()
    special.run(variable.set, "special")
    variable.set("then")
    loop.call_soon(lambda: seen.append(variable.get()))
    loop.call_soon(lambda: seen.append(variable.get()), context=special)
    variable.set("later")
    loop.run_ready()

    assert seen == ["then", "special"]


# ── ids ──────────────────────────────────────────────────────────────────────────────────────────


def test_ids_are_the_path_of_the_task_and_the_ordinal_within_it() -> None:
    """Making a task takes an ordinal of its maker, and each has ordinals of its own."""
    seen: list[str] = []

    async def child() -> None:
        loop = asyncio.get_running_loop()
        seen.append(loop.next_id())  # type: ignore[attr-defined]
        seen.append(loop.next_id())  # type: ignore[attr-defined]

    async def main() -> None:
        loop = asyncio.get_running_loop()
        seen.append(loop.next_id())  # type: ignore[attr-defined]
        task = loop.create_task(child())
        await loop.create_task(child())
        await task
        seen.append(loop.next_id())  # type: ignore[attr-defined]

    run(main)

    assert seen == ["1", "2.1", "2.2", "3.1", "3.2", "4"]


def test_what_callbacks_ask_for_has_ids_of_its_own() -> None:
    """Outside any task there is no path, so that no id of a task is taken."""
    loop = make_loop()
    with running(loop):
        loop.call_soon(lambda: loop.call_later(1, print))
        loop.call_soon(lambda: loop.call_later(2, print))
        loop.run_ready()

    assert [command.id for command in loop.commands] == ["~1", "~2"]  # type: ignore[union-attr]


def test_paths_do_not_grow_without_bound() -> None:
    """A chain of a thousand tasks that each make the next has short ids, all different."""
    seen: list[str] = []

    async def link(left: int) -> None:
        loop = asyncio.get_running_loop()
        seen.append(loop.next_id())  # type: ignore[attr-defined]
        if left:
            await loop.create_task(link(left - 1))

    run(lambda: link(400))

    assert len(set(seen)) == 401
    assert max(map(len, seen)) <= 70


def test_the_short_form_of_a_long_path_never_changes() -> None:
    """It is in histories: the same path gives the same id on every machine and version."""
    loop = make_loop()

    async def nothing() -> None:
        """Do nothing."""

    with running(loop):
        task = loop.create_task_at(nothing(), "1." * 40)
        loop.run_ready()

    assert task.prefix == "#3e3fe09f4ccc3483a92326ce."


# ── timers ───────────────────────────────────────────────────────────────────────────────────────


def test_a_timer_is_a_command_with_its_delay_and_line() -> None:
    """`asyncio.sleep` asks for a durable timer, and names the line of the user's code."""

    async def main() -> None:
        await asyncio.sleep(1.5)

    loop = run(main)

    (command,) = loop.commands
    assert isinstance(command, cmd.ArmTimer)
    assert (command.id, command.delay) == ("1", 1_500_000)
    assert command.at.startswith("flow/test_loop.py:")


def test_a_fired_timer_wakes_its_task_and_time_is_that_of_the_event() -> None:
    """The loop's clock stands at what the code reacts to, in seconds since the start."""
    seen: list[float] = []

    async def main() -> None:
        seen.append(asyncio.get_running_loop().time())
        await asyncio.sleep(2)
        seen.append(asyncio.get_running_loop().time())

    loop = run(main)
    loop.now = START + 7_000_000
    with running(loop):
        loop.fire("1")
        loop.run_ready()

    assert seen == [0.0, 7.0]
    assert (loop.workflow_time(), loop.tasks()) == ((START + 7_000_000) / 1_000_000, [])


def test_firing_a_timer_that_is_not_there_does_nothing() -> None:
    """A second fire, or one of an unknown id, wakes nobody."""
    loop = make_loop()
    loop.fire("9")

    assert loop.idle()


@pytest.mark.parametrize("delay", [0, -1, -0.0, 1e-9, -math.inf])
def test_a_timer_whose_time_has_come_needs_no_record(delay: float) -> None:
    """Nothing is armed; the callback is next in line."""
    loop = make_loop()
    seen: list[str] = []
    handle = loop.call_later(delay, seen.append, "a")
    loop.call_soon(seen.append, "b")
    loop.run_ready()

    assert (loop.commands, seen, handle.id, handle.when()) == ([], ["a", "b"], None, 0.0)


@pytest.mark.parametrize("delay", [math.nan, math.inf, 1e12])
def test_a_timer_of_no_sensible_length_is_refused(delay: float) -> None:
    """Not a number, endless, and more than a thousand years: refused before anything is recorded."""
    loop = make_loop()

    with pytest.raises(InvalidInput, match="expected a number, at most a thousand years"):
        loop.call_later(delay, print)
    assert loop.commands == []


def test_a_cancelled_timer_is_disarmed_once() -> None:
    """Cancelling again, or after it fired, asks for nothing more."""
    loop = make_loop()
    first = loop.call_later(5, print)
    second = loop.call_at(6, lambda: None)
    first.cancel()
    first.cancel()
    loop.fire(second.id or "")
    second.cancel()
    loop.run_ready()

    assert [type(command).__name__ for command in loop.commands] == ["ArmTimer", "ArmTimer", "DisarmTimer"]
    assert isinstance(second, TimerHandle)
    assert second.when() == 6.0


def test_call_at_is_the_delay_from_now() -> None:
    """The absolute time becomes a span at the call, as the guarantee on timers says."""
    loop = make_loop()
    loop.now = START + 4_000_000
    loop.call_at(10, print)

    assert loop.commands == [cmd.ArmTimer("~1", 6_000_000, loop.commands[0].at)]  # type: ignore[union-attr]


# ── tasks and futures ────────────────────────────────────────────────────────────────────────────


def test_sets_of_tasks_and_futures_iterate_in_order_of_creation() -> None:
    """They hash by a counter, not by their place in memory."""
    loop = make_loop()

    async def nothing() -> None:
        """Do nothing."""

    with running(loop):
        members: list[asyncio.Future[Any]] = []
        for number in range(20):
            members.append(loop.create_future() if number % 3 else loop.create_task(nothing()))
        loop.run_ready()

    assert [hash(member) for member in members] == list(range(1, 21))
    assert list(set(members)) == members


def test_the_loop_lists_tasks_that_have_not_ended_in_order_of_creation() -> None:
    """However many have come and gone."""
    loop = make_loop()

    async def wait(name: str) -> None:
        if name.startswith("stay"):
            await loop.create_future()

    with running(loop):
        for number in range(300):
            loop.create_task(wait(f"stay {number}" if number % 100 == 0 else "go"), name=f"t{number}")
            loop.run_ready()

        assert [task.get_name() for task in loop.tasks()] == ["t0", "t100", "t200"]
        assert len(loop._tasks) < 100
    loop.close()


def test_tasks_are_named_after_their_path() -> None:
    """Unless the code names them."""
    loop = make_loop()

    async def nothing() -> None:
        """Do nothing."""

    with running(loop):
        names = [
            loop.create_task_at(nothing(), "").get_name(),
            loop.create_task(nothing()).get_name(),
            loop.create_task(nothing(), name="mine").get_name(),
        ]
        loop.run_ready()

    assert names == ["task-main", "task-~1", "mine"]


def test_tasks_are_not_in_the_global_list_of_asyncio() -> None:
    """One weak set of all tasks of all runs would grow with the number of runs."""
    loop = make_loop()

    async def wait() -> None:
        await loop.create_future()

    with running(loop):
        task = loop.create_task(wait())
        loop.run_ready()
        listed = asyncio.all_tasks(loop)
    loop.close()

    assert task not in listed
