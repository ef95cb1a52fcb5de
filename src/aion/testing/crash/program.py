"""A program to be killed: workflows, a client that drives them, and a model that says how it must end.

A program is a script. Its client must be able to begin anew at any point: what was answered before is taken
from the log of calls, the rest is asked again. The model computes every run's outcome in plain Python,
without the engine, so that the same mistake is not made on both sides.
"""

from __future__ import annotations

import asyncio
import json
import sys
import threading
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from aion._compose import Engine
from aion.testing.crash.calls import LoggedClient
from aion.testing.crash.failpoints import ArmedFailpoints
from aion.testing.crash.folder import CALLS, REACHED, STORE, here

Outcome = list[Any]
"""`["completed", value]`, `["failed", type]`, `["cancelled"]` or `["terminated"]`."""


@dataclass(frozen=True)
class OneOf:
    """Several outcomes that are all right, where a crash decides which it is."""

    outcomes: tuple[Outcome, ...]


Expected = dict[str, list[Outcome | OneOf]]
"""Workflow id → the outcomes of its runs, in order of the chain."""


THREADS_END_WITHIN_SECONDS = 5.0


@dataclass(frozen=True)
class Program:
    """What to run, how to drive it, and what comes out. `settings` are those of the engine."""

    register: Sequence[object]
    drive: Callable[[LoggedClient], Awaitable[None]]
    expected: Callable[[], Expected]
    settings: dict[str, Any] = field(default_factory=dict)


def main(program: Program) -> None:
    """Run a program to its end in this process, on the store of its folder, with the failpoints of the environment."""
    failpoints = ArmedFailpoints.from_environment()
    asyncio.run(_run(program, failpoints))
    ours = [thread for thread in threading.enumerate() if thread.name.startswith("aion-")]
    for thread in ours:
        # They have been told to end; on a busy machine they may not have had their turn yet.
        thread.join(timeout=THREADS_END_WITHIN_SECONDS)
    left = [thread.name for thread in ours if thread.is_alive()]
    if left:
        sys.stderr.write(f"threads outlived their engine: {left}\n")
    (here() / REACHED).write_text(json.dumps(failpoints.reached), "utf-8")


async def _run(program: Program, failpoints: ArmedFailpoints) -> None:
    folder = here()
    # Whoever kills at a random moment counts from here: what comes before has no effect.
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    async with Engine(
        f"sqlite:///{folder / STORE}", register=program.register, failpoints=failpoints, **program.settings
    ) as engine:
        await program.drive(LoggedClient(engine, folder / CALLS))
