"""Failpoints are the engine's only when it is given them, and are named after what a commit carries."""

from __future__ import annotations

import os
import subprocess
import sys

from aion._runtime.failpoints import WRITES, writes_of
from aion.stores.base import EventRow, Flush, TimerRow

PROGRAM = """
import asyncio, sys
import aion

@aion.workflow
async def hello() -> str:
    return "hello"

async def main() -> None:
    async with aion.Engine("sqlite:///" + sys.argv[1], register=[hello]) as engine:
        print(await engine.execute(hello()))

asyncio.run(main())
"""


def test_the_environment_alone_arms_nothing(tmp_path: object) -> None:
    """An engine that was not given failpoints lives through all of them, whatever the variables say."""
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
        "AION_FAILPOINTS": "any=kill,commit.before_begin=kill",
        "AION_FAILPOINTS_MARK": f"{tmp_path}/kills.jsonl",
    }
    command = [sys.executable, "-c", PROGRAM, f"{tmp_path}/store.db"]
    finished = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    assert (finished.returncode, finished.stdout, finished.stderr) == (0, "hello\n", "")


def test_a_commit_names_each_of_its_writes_once() -> None:
    """Events by type, rows by kind; what is not there is not named."""
    flush = Flush(0, "owner", 1)
    for seq in (1, 2):
        flush.events.append(EventRow(7, seq, "SignalReceived", 0, b"", b""))
    flush.events.append(EventRow(7, 3, "TimerStarted", 0, b"", b""))
    flush.timers.append(TimerRow(5, 7, 3))

    assert writes_of(flush) == ["SignalReceived", "TimerStarted", "events", "timers"]
    assert set(writes_of(flush)) <= set(WRITES)
