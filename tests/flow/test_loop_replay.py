"""The loop live and on replay, and for code that may only look."""

from __future__ import annotations

import asyncio

import pytest

from aion._core import commands as cmd
from aion._core import events as ev
from aion._core.commands import event_of
from aion._flow.loop import Diverged, WorkflowLoop
from aion.errors import QueryFailed
from tests.flow.run_loop import make_loop, running

# ── live and replay ──────────────────────────────────────────────────────────────────────────────

ARM = cmd.ArmTimer("1", 5, "a.py:1")


def replaying(*events: ev.AnyEvent) -> WorkflowLoop:
    """A loop that expects these events next."""
    loop = make_loop()
    loop.expected = [(10 + number, event) for number, event in enumerate(events)]
    return loop


def test_live_commands_are_collected_in_order() -> None:
    """Nothing is compared, and nothing is answered."""
    loop = make_loop()

    assert [loop.issue(ARM), loop.issue(cmd.DisarmTimer("1"))] == [None, None]
    assert loop.commands == [ARM, cmd.DisarmTimer("1")]
    assert loop.next_recorded() is None


def test_on_replay_a_command_gets_the_event_that_recorded_it() -> None:
    """One by one, and none is collected."""
    recorded = ev.TimerStarted("1", 5)
    loop = replaying(recorded, ev.TimerCancelled("1"))

    assert loop.next_recorded() is recorded
    assert loop.issue(ARM) is recorded
    assert loop.issue(cmd.DisarmTimer("1")) == ev.TimerCancelled("1")
    assert (loop.commands, loop.position, loop.next_recorded()) == ([], 2, None)


def test_a_command_that_does_not_fit_stops_the_code() -> None:
    """The first difference is kept, with both sides and the place in history."""
    loop = replaying(ev.TimerStarted("1", 6, "b.py:2"))

    with pytest.raises(Diverged):
        loop.issue(ARM)
    with pytest.raises(Diverged):
        loop.issue(cmd.DisarmTimer("9"))
    assert loop.divergence == (
        10,
        "TimerStarted(id=1, delay=6e-06s) at b.py:2",
        "ArmTimer(id=1, delay=5e-06s) at a.py:1",
    )


def test_a_command_beyond_what_is_recorded_stops_the_code() -> None:
    """The code asks for more than it did then."""
    loop = replaying(event_of(ARM))
    loop.issue(ARM)

    with pytest.raises(Diverged):
        loop.issue(cmd.DisarmTimer("1"))
    assert loop.divergence == (11, "nothing more here", "DisarmTimer(id=1)")


def test_a_command_where_nothing_is_recorded_is_located_behind_the_input() -> None:
    """The place is that of the next event, also when the input had no commands at all."""
    loop = replaying()

    with pytest.raises(Diverged):
        loop.issue(ARM)
    assert loop.divergence == (10, "nothing more here", "ArmTimer(id=1, delay=5e-06s) at a.py:1")


def test_nothing_runs_after_a_divergence() -> None:
    """Neither callbacks that wait nor code that swallows what stopped it."""
    loop = replaying(ev.TimerFired("9"))
    seen: list[str] = []

    async def main() -> None:
        try:
            await asyncio.sleep(1)
        except BaseException:
            seen.append("swallowed")
            await asyncio.sleep(0)
        seen.append("went on")

    with running(loop):
        loop.create_task_at(main(), "")
        loop.call_soon(seen.append, "callback")
        loop.run_ready()
    assert loop.divergence is not None
    assert seen == ["swallowed"]
    loop.close()


def test_a_divergence_in_a_callback_stops_the_loop_too() -> None:
    """There is no task that could keep what was raised."""
    loop = replaying()
    seen: list[str] = []
    loop.call_soon(loop.call_later, 1, print)
    loop.call_soon(seen.append, "callback")
    loop.run_ready()

    assert (loop.divergence is not None, seen) == (True, [])


def test_errors_nobody_will_see_are_logged_live_and_not_on_replay(caplog: pytest.LogCaptureFixture) -> None:
    """Each is reported once, when it happens for the first time."""
    live, replayed, closing = make_loop(), replaying(), make_loop()
    closing.closing = True
    for loop in (live, replayed, closing):
        loop.call_exception_handler({"message": "something odd"})
    live.default_exception_handler({"message": "asked for by a library"})

    assert [record.message for record in caplog.records] == ["something odd", "asked for by a library"]


# ── reading ──────────────────────────────────────────────────────────────────────────────────────


def test_code_that_may_only_look_can_ask_for_nothing() -> None:
    """A command, a timer, a task: each is refused, and none of them uses up an id."""

    async def nothing() -> None:
        """Do nothing."""

    loop = make_loop()
    with running(loop):
        loop.read_only = "a query handler"
        with pytest.raises(QueryFailed, match=r"a query handler may not record anything, but it issued ArmTimer"):
            loop.issue(ARM)
        with pytest.raises(QueryFailed, match="a query handler may not record anything"):
            loop.call_later(1, print)
        with pytest.raises(QueryFailed, match="a query handler may not start tasks"):
            loop.create_task(nothing())
        loop.read_only = ""
        loop.call_later(1, print)

    assert [command.id for command in loop.commands] == ["~1"]  # type: ignore[union-attr]


def test_predicates_are_looked_at_in_order_of_creation_after_every_step() -> None:
    """The first whose waiter is woken is the first that was made; one that raises fails its own waiter."""
    loop = make_loop()
    state: list[int] = []
    seen: list[str] = []

    def broken() -> bool:
        if state:
            raise ValueError("broken")
        return False

    waiters = [loop.create_future() for _ in range(4)]
    predicates = [lambda: len(state) > 1, lambda: bool(state), broken, lambda: False]
    loop.predicates = list(zip(predicates, waiters, strict=True))
    for number, waiter in enumerate(waiters):
        waiter.add_done_callback(lambda _, number=number: seen.append(f"woke {number}"))
    waiters[3].cancel()
    loop.call_soon(state.append, 1)
    loop.call_soon(state.append, 2)
    loop.run_ready()

    assert seen == ["woke 3", "woke 1", "woke 2", "woke 0"]
    assert isinstance(waiters[2].exception(), ValueError)
    assert loop.predicates == []


def test_predicates_may_not_ask_for_anything() -> None:
    """What they raise then goes to who waits."""
    loop = make_loop()
    waiter = loop.create_future()
    loop.predicates = [(lambda: bool(loop.call_later(1, print)), waiter)]
    loop.check_predicates()

    assert isinstance(waiter.exception(), QueryFailed)
    assert (loop.commands, loop.read_only) == ([], "")


# ── what libraries ask of a loop ─────────────────────────────────────────────────────────────────


def test_no_method_of_an_event_loop_is_left_unimplemented() -> None:
    """Whatever code or a library calls on the loop, it works or says why not, never just NotImplementedError."""
    ours = vars(WorkflowLoop)
    missing = [name for name in vars(asyncio.AbstractEventLoop) if not name.startswith("_") and name not in ours]

    assert missing == []


def test_the_loop_answers_what_libraries_ask() -> None:
    """It runs when it runs, is never closed, never in debug mode, and has no factory."""
    loop = make_loop()
    outside = loop.is_running()
    loop.set_debug(True)
    with running(loop):
        inside = loop.is_running()
        handler = loop.get_exception_handler()

    assert (outside, inside, loop.is_closed(), loop.get_debug()) == (False, True, False, False)
    assert (handler, loop.get_task_factory()) == (None, None)


def test_shutting_down_parts_that_do_not_exist_is_fine() -> None:
    """Code that tidies up its loop finds nothing to tidy."""

    async def main() -> str:
        loop = asyncio.get_running_loop()
        await loop.shutdown_asyncgens()
        await loop.shutdown_default_executor()
        return "fine"

    loop = make_loop()
    with running(loop):
        task = loop.create_task_at(main(), "")
        loop.run_ready()

    assert task.result() == "fine"
