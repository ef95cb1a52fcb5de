"""Whether workflow code runs is told by the class of the loop that runs in this thread."""

from __future__ import annotations

import asyncio
import threading

from aion._flow.running import workflow_loop
from tests.flow.toy_loop import ToyLoop


def test_outside_any_loop_no_workflow_runs() -> None:
    """Nor in a thread of its own."""
    assert workflow_loop() is None


def test_on_a_plain_loop_no_workflow_runs() -> None:
    """Whatever its class."""

    async def main() -> object:
        return workflow_loop()

    assert asyncio.run(main()) is None


def test_on_the_loop_of_a_run_a_workflow_runs() -> None:
    """The answer is that loop."""
    loop = ToyLoop()

    async def main() -> object:
        return workflow_loop()

    assert loop.run(main()) is loop


def test_in_other_threads_no_workflow_runs_meanwhile() -> None:
    """The question is about this thread only."""
    seen: list[object] = []
    asked = threading.Event()
    go = threading.Event()

    def other() -> None:
        go.wait()
        seen.append(workflow_loop())
        asked.set()

    thread = threading.Thread(target=other)
    thread.start()

    async def main() -> None:
        go.set()
        asked.wait()

    ToyLoop().run(main())
    thread.join()

    assert seen == [None]
