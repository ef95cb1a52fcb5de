"""Workflow code in a real engine: what reaches outside is refused, and the engine around it is not disturbed."""

from __future__ import annotations

import asyncio
import concurrent.futures
import os
import random
import socket
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable
from typing import Any

import pytest

import aion
from aion import testing
from aion.errors import WorkflowFailed
from tests.runtime.worlds import LastingStore, run

go = aion.Signal("go")
POOL = concurrent.futures.ThreadPoolExecutor(1)

REACHING: dict[str, Callable[[], Any]] = {
    "time.sleep": lambda: time.sleep(0.001),
    "a thread": lambda: threading.Thread(target=print).start(),
    "an executor": lambda: POOL.submit(print),
    "a socket": lambda: socket.socket().connect(("127.0.0.1", 9)),
    "a name": lambda: socket.getaddrinfo("localhost", 80),
    "a program": lambda: subprocess.run([sys.executable, "-c", ""], check=False),
    "a file": lambda: open(__file__).close(),
    "a folder": lambda: os.listdir("."),
    "the loop's executor": lambda: asyncio.get_running_loop().run_in_executor(None, print),
    "to_thread": lambda: asyncio.to_thread(print).send(None),
    "a connection": lambda: asyncio.open_connection("localhost", 80).send(None),
    "a subprocess": lambda: asyncio.create_subprocess_exec("true").send(None),
    "a seed": lambda: random.seed(1),
}


@aion.workflow
async def reaching(what: str) -> None:
    """Reach outside."""
    REACHING[what]()


@aion.workflow
async def telling() -> list[str]:
    """Tell the time and draw numbers, before and after a wait."""
    told: list[str] = []
    for _ in range(2):
        told += [f"{time.time():.6f}", str(random.random()), str(uuid.uuid4()), str(random.randint(1, 10**9))]
        await asyncio.sleep(0.5)
        await go.receive()
    return told


@pytest.mark.parametrize("what", REACHING)
def test_what_reaches_outside_fails_the_run_and_says_what_to_do(what: str) -> None:
    """Nothing was done, and other runs of the engine go on."""

    async def main() -> None:
        async with testing.engine(register=[reaching, telling]) as engine:
            with pytest.raises(WorkflowFailed) as caught:
                await engine.execute(reaching(what))
            other = await engine.start(telling())
            for _ in range(2):
                await other.signal(go)

            assert caught.value.error.type == "ForbiddenInWorkflow"
            assert len(await other.result()) == 8

    run(main)


def test_the_same_calls_work_around_the_workflow() -> None:
    """In activities, and in the user's own program while the engine runs."""

    @aion.activity
    def outside(what: str) -> str:
        if what not in ("the loop's executor", "to_thread", "a connection", "a subprocess", "a socket"):
            REACHING[what]()
        return what

    @aion.workflow
    async def asking() -> list[str]:
        return [await outside(what) for what in REACHING]

    async def main() -> None:
        async with testing.engine(register=[asking, outside]) as engine:
            assert await engine.execute(asking()) == list(REACHING)
            for what in ("a file", "time.sleep", "a thread"):
                REACHING[what]()

    run(main)


def test_time_and_randomness_are_the_same_after_a_restart() -> None:
    """The run is rebuilt from its history, in another engine, and tells the same."""

    async def main(restarts: bool) -> list[str]:
        store, clock = LastingStore(), testing.VirtualClock()
        engine = testing.engine(register=[telling], store=store, clock=clock)
        await engine.start_serving()
        handle = await engine.start(telling(), id="t")
        for _ in range(2):
            await engine.advance("1m")
            if restarts:
                await engine.close()
                engine = testing.engine(register=[telling], store=store, clock=clock)
                await engine.start_serving()
            await engine.get("t").signal(go)
        result = await engine.get("t").result()
        testing.replay(await engine.get("t").history(), telling)
        await engine.close()
        assert handle.run_id is not None
        # Numbers and ids are those of the run, which is another each time; replay has compared them.
        return [result[0], result[4]]

    assert run(lambda: main(True)) == run(lambda: main(False))
