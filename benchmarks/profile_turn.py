"""Where each microsecond of a step goes: W2x once without clocks for the totals, once with them for the parts.

`python -m benchmarks.profile_turn DIRECTORY [--scale 1.0]` prints one line of JSON: rows of part, thread,
microseconds of processor time per step, and share of all of it. A row is a part of a thread; what no clock
covers is a row too. The rows of a thread add up to what it used when there was no clock at all.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aion
from aion._core import draft
from aion._core.draft import Draft
from aion._core.state import RunState
from aion._flow.loop import WorkflowLoop
from aion._flow.signature import CallSignature
from aion._flow.stepper import Stepper
from aion._runtime import commit, scheduler, turn
from aion._runtime.answers import Answers
from aion._runtime.commit import Committer
from aion._runtime.dispatch import Dispatcher
from aion._runtime.engine import CoreEngine
from aion._runtime.scheduler import Scheduler
from aion.stores.sqlite.checkpoint import Checkpointer
from aion.stores.sqlite.flushing import Flushing
from aion.stores.sqlite.writer import Writer
from benchmarks.child import Figures
from benchmarks.clockwork import Cell, Clockwork, Overhead, Probe, measure_overhead, thread_processor_ns
from benchmarks.definitions import everything, many_steps
from benchmarks.job import Job, warm_up
from benchmarks.measure import make_payload, run_in_flight

WORKFLOWS = 100
COMMIT = "COMMIT: write the log, fsync"


@dataclass(frozen=True, slots=True)
class Used:
    """What a piece of work took, in nanoseconds: from begin to end, and of the processor by thread."""

    wall: int
    processor: Mapping[str, int]


def all_probes() -> list[Probe]:
    """The functions that get a clock. Names are those of the importing module, where a function is called by it."""
    return [
        Probe(CoreEngine, "_deliver", "take what the engine thread sent"),
        Probe(Dispatcher, "launch", "make the activity's asyncio task"),
        Probe(Dispatcher, "_finish", "report the outcome to the engine thread"),
        Probe(CallSignature, "decode_call", "decode the arguments"),
        Probe(CallSignature, "encode_result", "encode the result"),
        Probe(CallSignature, "encode_call", "encode the arguments of the call"),
        Probe(CallSignature, "decode_result", "decode the result"),
        Probe(Scheduler, "_take_requests", "take requests: queue, find the run"),
        Probe(Scheduler, "_finish", "after the commit: effects and answers"),
        Probe(Scheduler, "_build", "turns: loop over the ready runs"),
        Probe(Answers, "send", "hand over to the event loop"),
        Probe(Committer, "commit_later", "hand over to the writer thread"),
        Probe(scheduler, "take_turn", "turn: take the inputs"),
        Probe(turn, "decide", "decide what the input means"),
        Probe(Draft, "record", "record events"),
        Probe(draft, "encode_event", "encode events"),
        Probe(RunState, "apply", "apply events to the state"),
        Probe(Stepper, "react", "deliver the input to the code"),
        Probe(WorkflowLoop, "run_ready", "task step: the workflow's code on its loop"),
        Probe(Stepper, "schedule_activity", "ask for the activity: id, command, future"),
        Probe(Committer, "commit_now", "batch: sort"),
        Probe(commit, "add_turn", "stamp events, make rows"),
        Probe(commit, "next_digest", "digest events"),
        Probe(Writer, "commit", "transaction: begin, guards"),
        Probe(Flushing, "whole", "SQL: bind and step the rows"),
        Probe(Checkpointer, "run_if_due", "checkpoint the log"),
    ]


async def measure_profile(job: Job) -> Figures:
    """Both runs, and the table."""
    steps = job.count(100, least=10)
    plain = await _run_w2x(job, "plain.db", steps)
    overhead = measure_overhead()
    clockwork = Clockwork()
    with clockwork.attached(all_probes()), _clocked_commit(clockwork):
        clocked = await _run_w2x(job, "clocked.db", steps, clockwork)
    return _make_table(plain, clocked, clockwork.cells(), overhead, WORKFLOWS * steps)


async def _run_w2x(job: Job, name: str, steps: int, clockwork: Clockwork | None = None) -> Used:
    payload = make_payload()
    async with aion.Engine(job.url(name), register=everything()) as engine:

        async def run_one(number: int, prefix: str, count: int) -> None:
            handle = await engine.start(many_steps(payload, count), id=f"{prefix}-{number}")
            await handle.result()

        await warm_up(engine)
        await run_in_flight(WORKFLOWS, WORKFLOWS, lambda number: run_one(number, "first", 5))
        if clockwork is not None:
            clockwork.reset()
        before, begun = thread_processor_ns(), time.perf_counter_ns()
        await run_in_flight(WORKFLOWS, WORKFLOWS, lambda number: run_one(number, "profile", steps))
        wall, after = time.perf_counter_ns() - begun, thread_processor_ns()
    return Used(wall, {thread: after[thread] - before.get(thread, 0) for thread in after})


@contextmanager
def _clocked_commit(clockwork: Clockwork) -> Iterator[None]:
    """A clock around the statement that waits for the disk, among all that the writer's connection executes."""
    original = Writer.__init__

    def select(arguments: tuple[Any, ...]) -> str | None:
        return COMMIT if arguments[0] == "COMMIT" else None

    def wrapped(self: Writer, *args: Any, **kwargs: Any) -> None:
        original(self, *args, **kwargs)
        self._execute = clockwork.wrap(self._execute, Probe(self, "_execute", COMMIT, select))

    Writer.__init__ = wrapped  # type: ignore[method-assign]
    try:
        yield
    finally:
        Writer.__init__ = original  # type: ignore[method-assign]


def _make_table(
    plain: Used, clocked: Used, cells: Mapping[str, Mapping[str, Cell]], overhead: Overhead, steps: int
) -> Figures:
    """Rows, largest first in each thread; they leave out what is less than a thousandth of all."""
    total = sum(plain.processor.values())
    rows = []
    for thread in sorted(plain.processor, key=lambda name: -plain.processor[name]):
        parts = _split_thread(
            plain.processor[thread], clocked.processor.get(thread, 0), cells.get(thread, {}), overhead
        )
        for part, used in parts:
            if used / total >= 0.001:
                where = _thread_title(thread)
                rows.append({"part": part, "where": where, "us": used / steps / 1e3, "share": used / total})
    commits = [parts[COMMIT] for parts in cells.values() if COMMIT in parts]
    waited = sum(cell.wall - cell.processor for cell in commits)
    return {
        "rows": rows,
        "steps": steps,
        "wall_us_per_step": plain.wall / steps / 1e3,
        "processor_us_per_step": total / steps / 1e3,
        "disk_wait_us_per_step": waited / steps / 1e3,
        "clock_us": (overhead.inside + overhead.around) / 1e3,
    }


def _split_thread(plain: int, clocked: int, cells: Mapping[str, Cell], overhead: Overhead) -> list[tuple[str, float]]:
    """What a thread used without clocks, divided into parts in the proportions that were found with clocks.

    Clocks also cost what their calibration cannot see (they push code and data out of the caches), so the
    parts would add up to more than the whole.
    """
    parts = {part: _corrected(cell, overhead) for part, cell in cells.items()}
    clocks = sum(cell.calls for cell in cells.values()) * (overhead.inside + overhead.around)
    rest = max(0.0, clocked - clocks - sum(parts.values()))
    found = [*sorted(parts.items(), key=lambda item: -item[1]), ("everything else", rest)]
    scale = plain / max(1.0, sum(used for _, used in found))
    return [(part, used * scale) for part, used in found]


def _corrected(cell: Cell, overhead: Overhead) -> float:
    return max(0.0, cell.processor - cell.calls * overhead.inside - cell.inner_calls * overhead.around)


def _thread_title(name: str) -> str:
    if name == threading.main_thread().name:
        return "event loop"
    return {"aion-writer": "writer thread"}.get(name, "engine thread" if name.startswith("aion") else name)


def main() -> None:
    """Profile, and print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("directory", type=Path)
    parser.add_argument("--scale", type=float, default=1.0)
    arguments = parser.parse_args()
    print(json.dumps(asyncio.run(measure_profile(Job(arguments.directory, arguments.scale)))), flush=True)


if __name__ == "__main__":
    main()
