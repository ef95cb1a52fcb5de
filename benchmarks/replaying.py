"""Replay: how fast a run of 10,000 events is rebuilt from its history (W7)."""

from __future__ import annotations

import asyncio
import time

import aion
import aion.testing
from benchmarks.child import Figures
from benchmarks.definitions import everything, proceed, steps_then_wait
from benchmarks.job import Job, warm_up
from benchmarks.measure import make_payload

EVENTS = 10_000


async def measure_w7(job: Job) -> Figures:
    """W7: events/s of a cold replay on one core, once by an engine that needs the run, once by `aion.testing.replay`.

    By the engine means: a newly opened one, in which nothing of the run is in memory, gets a signal for
    it. It reads the events, checks their digests, decodes and replays them, takes the signal and commits
    the end. The time is from the call of `signal` to the result, so it includes two commits.
    """
    steps = (job.count(EVENTS, least=1_000) - 1) // 3  # an activity is three events: scheduled, started, completed
    async with aion.Engine(job.url(), register=everything()) as engine:
        handle = await engine.start(steps_then_wait(make_payload(), steps), id="w7")
        while (await handle.describe()).history_length < 1 + 3 * steps:  # noqa: ASYNC110 - polled like any user could
            await asyncio.sleep(0.02)
        history = await handle.history()
    events = len(list(history))

    begun = time.perf_counter()
    aion.testing.replay(history, steps_then_wait)
    replayed = time.perf_counter() - begun

    async with aion.Engine(job.url(), register=everything()) as engine:
        await warm_up(engine, prefix="again")
        handle = engine.get("w7")
        begun = time.perf_counter()
        await handle.signal(proceed, True)
        done = await handle.result()
        loaded = time.perf_counter() - begun
    assert done == steps, f"expected {steps} steps, found {done}"
    return {"events": events, "engine_events_per_s": events / loaded, "replay_events_per_s": events / replayed}
