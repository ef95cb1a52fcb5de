"""The port that gives parts of an engine their threads."""

from __future__ import annotations

import asyncio
import threading

import pytest

from aion._runtime.runner import ThreadRunner


def test_work_runs_in_a_daemon_thread_of_its_own_under_its_name() -> None:
    """It does not keep the process alive, and a list of threads tells what it is."""
    found: list[threading.Thread] = []
    done = threading.Event()

    def work() -> None:
        found.append(threading.current_thread())
        done.set()

    ThreadRunner().start("aion-part", work)

    assert done.wait(10)
    assert (found[0].name, found[0].daemon, found[0] is threading.current_thread()) == ("aion-part", True, False)


def test_a_blocking_call_does_not_hold_up_the_loop() -> None:
    """The loop goes on meanwhile; result and error come back."""

    async def main() -> list[object]:
        runner = ThreadRunner()
        gate = threading.Event()
        waiting = asyncio.create_task(runner.call(gate.wait, 10))
        await asyncio.sleep(0)
        gate.set()
        with pytest.raises(ZeroDivisionError):
            await runner.call(lambda: 1 / 0)
        return [await waiting, await runner.call(int, "7")]

    assert asyncio.run(main()) == [True, 7]


def test_lines_of_execution_are_told_apart() -> None:
    """Here is here, and another thread is not."""
    runner = ThreadRunner()
    elsewhere: list[int] = []
    thread = threading.Thread(target=lambda: elsewhere.append(runner.here()))
    thread.start()
    thread.join()

    assert runner.here() == runner.here() != elsewhere[0]
