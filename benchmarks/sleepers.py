"""Sleeping runs: how late they wake (W3), what they cost while asleep and how soon an engine is back (W4)."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import random
import time
import tracemalloc
from datetime import datetime

import aion
from benchmarks.child import Figures
from benchmarks.definitions import LONG_SECONDS, everything, one_step, sleeper
from benchmarks.job import Job, sqlite_store, warm_up
from benchmarks.measure import make_payload, peak_resident_bytes, percentile, resident_bytes, run_in_flight
from benchmarks.metering import CommitMeter, metered_commits

SLEEP_SECONDS = 5.0
BATCH = 1_000
SAMPLE = 100
KEPT = 100
TABLE_BYTES = 4_096
"""Larger allocations are tables of dicts, whose room depends on how many runs there were at the worst moment."""
EVICTION_SECONDS = 2.5
"""In this time the engine looks at least twice for runs to evict."""


async def measure_w3(job: Job) -> Figures:
    """W3: 5,000 workflows that sleep 5 s; milliseconds past due, by the history and by the caller's clock.

    With the option `burst=1` all are started in one batch, so that all are due within a moment; without
    it they are started one by one, 200 at a time, as W1 does.
    """
    count, payload = job.count(5_000, least=200), make_payload()
    handles: list[aion.WorkflowHandle[None]] = []
    finished: list[float] = []

    async def wait_finished(handle: aion.WorkflowHandle[None]) -> None:
        await handle.result()
        finished.append(time.time())

    async with aion.Engine(job.url(), register=everything()) as engine:
        await warm_up(engine)
        before = resident_bytes()
        if job.options.get("burst"):
            handles = await engine.start_many(
                [(sleeper(payload, SLEEP_SECONDS), {"id": f"w3-{number}"}) for number in range(count)]
            )
        else:

            async def start(number: int) -> None:
                handles.append(await engine.start(sleeper(payload, SLEEP_SECONDS), id=f"w3-{number}"))

            await run_in_flight(count, 200, start)
        waiters = [asyncio.create_task(wait_finished(handle)) for handle in handles]
        await asyncio.gather(*waiters)
        peak = peak_resident_bytes()
        late = [await _timer_lateness_ms(handle) for handle in handles]
        last_due = max(due for due, _ in late)
    return {
        "late_p50_ms": percentile([ms for _, ms in late], 0.5),
        "late_p99_ms": percentile([ms for _, ms in late], 0.99),
        "late_max_ms": max(ms for _, ms in late),
        "earliest_ms": min(ms for _, ms in late),
        "last_result_late_ms": (max(finished) - last_due) * 1e3,
        "peak_rss_bytes": peak,
        "peak_rss_bytes_per_run": (peak - before) / count,
    }


async def _timer_lateness_ms(handle: aion.WorkflowHandle[None]) -> tuple[float, float]:
    """When a run's timer was due (seconds since the epoch), and by how much it fired after that."""
    times = {event.type: event.time for event in await handle.history()}
    due = _seconds(times["TimerStarted"]) + SLEEP_SECONDS
    return due, (_seconds(times["TimerFired"]) - due) * 1e3


def _seconds(moment: datetime | int) -> float:
    return moment.timestamp() if isinstance(moment, datetime) else moment / 1e6


async def fill_w4(job: Job) -> Figures:
    """W4, first half: create the sleeping runs, and wait for SIGKILL."""
    count = int(job.options["runs"])
    with metered_commits(sqlite_store()) as meter:
        async with aion.Engine(job.url(), register=everything()) as engine:
            await warm_up(engine)
            begun = time.perf_counter()
            await _start_sleepers(engine, meter, "w4", count)
            figures = {"runs": count, "started_per_s": count / (time.perf_counter() - begun)}
            await _print_and_wait_for_kill(figures)
    return figures


async def measure_w4_restart(job: Job) -> Figures:
    """W4, second half: open the file after the kill, and tell when the first new workflow has completed.

    Times are readings of the system's monotonic clock, for the parent knows when it started this process.
    """
    begun = time.clock_gettime(time.CLOCK_MONOTONIC)
    async with aion.Engine(job.url(), register=everything()) as engine:
        opened = time.clock_gettime(time.CLOCK_MONOTONIC)
        await engine.execute(one_step(make_payload()), id=f"new-{os.getpid()}")
        completed = time.clock_gettime(time.CLOCK_MONOTONIC)
        resident = resident_bytes()
        woken = await _wake_sample(engine, int(job.options["runs"]))
        figures = {
            "imported_at": begun,
            "opened_at": opened,
            "completed_at": completed,
            "rss_bytes": resident,
            "sample_reached_ms": woken,
        }
        await _print_and_wait_for_kill(figures)
    return figures


async def measure_w4_memory(job: Job) -> Figures:
    """W4: memory of a suspended run, kept warm and evicted.

    Warm is the growth of the process's memory in RAM. Evicted is the growth of Python's heap, tables aside,
    in an engine that keeps at most 100 runs: as many are there before as after, so what remains belongs to
    runs that are not.
    """
    count = int(job.options["runs"])
    with metered_commits(sqlite_store()) as meter:
        async with aion.Engine(job.url("warm.db"), register=everything()) as engine:
            await warm_up(engine)
            await _start_sleepers(engine, meter, "first", 200)
            before = resident_bytes()
            await _start_sleepers(engine, meter, "warm", count)
            warm = (resident_bytes() - before) / count
        async with aion.Engine(job.url("evicted.db"), register=everything(), resident_runs_max=KEPT) as engine:
            tracemalloc.start()
            await _start_sleepers(engine, meter, "before", 4 * count)
            before = await _heap_after_eviction()
            await _start_sleepers(engine, meter, "evicted", 4 * count)
            evicted = (await _heap_after_eviction() - before) / (4 * count)
            tracemalloc.stop()
    return {"runs": count, "warm_bytes_per_run": warm, "evicted_bytes_per_run": max(0.0, evicted)}


async def _heap_after_eviction() -> int:
    await asyncio.sleep(EVICTION_SECONDS)
    gc.collect()
    return sum(trace.size for trace in tracemalloc.take_snapshot().traces if trace.size < TABLE_BYTES)


async def _start_sleepers(engine: aion.Engine, meter: CommitMeter, prefix: str, count: int) -> None:
    """Start `count` runs in batches, and return when the sleep of each is durable."""
    meter.reset()
    payload = make_payload()
    for first in range(0, count, BATCH):
        await engine.start_many(
            [
                (sleeper(payload, LONG_SECONDS), {"id": f"{prefix}-{number}"})
                for number in range(first, min(first + BATCH, count))
            ]
        )
    while meter.events < 2 * count:  # noqa: ASYNC110 - the start and the armed timer of each
        await asyncio.sleep(0.01)


async def _wake_sample(engine: aion.Engine, count: int) -> float:
    """Milliseconds until 100 sleeping runs, picked at random, were cancelled and had cleaned up."""
    numbers = random.Random(7).sample(range(count), min(SAMPLE, count))
    begun = time.perf_counter()

    async def wake(number: int) -> None:
        handle = engine.get(f"w4-{number}")
        await handle.cancel("picked for the sample")
        try:
            await handle.result()
        except aion.WorkflowCancelled:
            return
        raise AssertionError(f"expected run w4-{number} to end cancelled, but it completed")

    await asyncio.gather(*(wake(number) for number in numbers))
    return (time.perf_counter() - begun) * 1e3


async def _print_and_wait_for_kill(figures: Figures) -> None:
    print(json.dumps(figures), flush=True)
    parent = os.getppid()
    while os.getppid() == parent:  # noqa: ASYNC110 - a process has no event for this
        await asyncio.sleep(0.2)
    os._exit(1)  # the parent went away without killing us
