"""The work on the engine, and on the raw store for comparison; one measurement per process.

`python -m benchmarks.workloads NAME DIRECTORY [--scale 1.0] [--loop asyncio|uvloop] [--option key=value]`
prints one line of JSON. Every acknowledgement comes after fsync (SQLite WAL, `synchronous=FULL`, which the
engine reads back when it opens the file).
"""

from __future__ import annotations

import argparse
import asyncio
import json
from collections.abc import Callable, Coroutine
from pathlib import Path

import aion
from benchmarks import raw_store, replaying, sleepers
from benchmarks.child import Figures
from benchmarks.definitions import everything, many_steps, one_step
from benchmarks.job import Job, sqlite_store, warm_up
from benchmarks.measure import (
    freeze_imports,
    make_payload,
    peak_resident_bytes,
    percentile,
    run_in_flight,
    run_one_at_a_time,
)
from benchmarks.metering import CommitMeter, metered_commits


async def measure_w1(job: Job) -> Figures:
    """W1: 5,000 workflows of one step, up to 200 in flight; workflows/s from first start to last result."""
    count, payload = job.count(5_000), make_payload()
    with metered_commits(sqlite_store()) as meter:
        async with aion.Engine(job.url(), register=everything()) as engine:
            await warm_up(engine)
            meter.reset()

            async def run_one(number: int) -> None:
                handle = await engine.start(one_step(payload), id=f"w1-{number}")
                await handle.result()

            seconds = await run_in_flight(count, 200, run_one)
            return {"workflows_per_s": count / seconds, **_commit_figures(meter, seconds)}


async def measure_w1_latency(job: Job) -> Figures:
    """W1-latency: one workflow of one step at a time, 200 times; milliseconds from start to result."""
    payload = make_payload()
    async with aion.Engine(job.url(), register=everything()) as engine:
        await warm_up(engine)

        async def run_one(number: int) -> None:
            handle = await engine.start(one_step(payload), id=f"one-{number}")
            await handle.result()

        spans = await run_one_at_a_time(job.count(200, least=50), run_one)
        return {"p50_ms": percentile(spans, 0.5), "p99_ms": percentile(spans, 0.99)}


async def measure_w2(job: Job) -> Figures:
    """W2: one workflow of 1,000 steps, each after the other; steps/s."""
    return await _measure_steps(job, workflows=1, steps=job.count(1_000))


async def measure_w2x(job: Job) -> Figures:
    """W2x: 100 workflows of 100 steps; steps/s over all."""
    return await _measure_steps(job, workflows=100, steps=job.count(100, least=5))


async def _measure_steps(job: Job, workflows: int, steps: int) -> Figures:
    payload = make_payload()
    with metered_commits(sqlite_store()) as meter:
        async with aion.Engine(job.url(), register=everything()) as engine:
            await warm_up(engine)
            meter.reset()

            async def run_one(number: int) -> None:
                handle = await engine.start(many_steps(payload, steps), id=f"steps-{number}")
                done = await handle.result()
                assert done == steps, f"expected {steps} steps, found {done}"

            seconds = await run_in_flight(workflows, workflows, run_one)
            return {"steps_per_s": workflows * steps / seconds, **_commit_figures(meter, seconds)}


async def measure_raw_single(job: Job) -> Figures:
    """The store's limit for one thing at a time: commits/s of one row each."""
    return {"commits_per_s": raw_store.single_row_commits(job.path("raw.db"), 3_000)}


async def measure_raw_events(job: Job) -> Figures:
    """The store's limit for many things at once: events/s, in commits as large as the engine's were."""
    runs, events, flushes = (int(job.options[name]) for name in ("runs", "events", "flushes"))
    return {"events_per_s": raw_store.store_events(job.path("raw.db"), runs, events, flushes)}


def _commit_figures(meter: CommitMeter, seconds: float) -> Figures:
    return {
        "events_per_s": meter.events / seconds,
        "commits": meter.commits,
        "events_per_commit": meter.events_per_commit,
        "events_per_run": meter.events_per_run,
        "peak_rss_bytes": peak_resident_bytes(),
    }


Measurement = Callable[[Job], Coroutine[None, None, Figures]]


def measurements() -> dict[str, Measurement]:
    """Every measurement that a child can be asked for, by name."""
    return {
        "w1": measure_w1,
        "w1-latency": measure_w1_latency,
        "w2": measure_w2,
        "w2x": measure_w2x,
        "raw-single": measure_raw_single,
        "raw-events": measure_raw_events,
        "w3": sleepers.measure_w3,
        "w4-fill": sleepers.fill_w4,
        "w4-restart": sleepers.measure_w4_restart,
        "w4-memory": sleepers.measure_w4_memory,
        "w7": replaying.measure_w7,
    }


def main() -> None:
    """Measure one thing and print its figures."""
    known = measurements()
    parser = argparse.ArgumentParser()
    parser.add_argument("name", choices=sorted(known))
    parser.add_argument("directory", type=Path)
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--loop", choices=("asyncio", "uvloop"), default="asyncio")
    parser.add_argument("--option", action="append", default=[], metavar="KEY=VALUE")
    arguments = parser.parse_args()

    options = dict(option.split("=", 1) for option in arguments.option)
    job = Job(arguments.directory, arguments.scale, options)
    freeze_imports()
    with asyncio.Runner(loop_factory=_loop_factory(arguments.loop)) as runner:
        figures = runner.run(known[arguments.name](job))
    print(json.dumps(figures), flush=True)


def _loop_factory(loop: str) -> Callable[[], asyncio.AbstractEventLoop] | None:
    if loop == "asyncio":
        return None
    import uvloop

    return uvloop.new_event_loop


if __name__ == "__main__":
    main()
