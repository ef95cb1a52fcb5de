"""Reports of attempts: only that of the present one counts, whenever the others come."""

from __future__ import annotations

import asyncio

from msgspec import Raw

import aion
from aion import testing
from aion._core.inputs import ActivityReported
from aion._runtime.requests import Report
from tests.runtime.worlds import LastingStore, eventually, run, scheduler_of


def test_a_late_report_of_a_former_attempt_does_not_stand_in_for_the_present_one() -> None:
    """It leaves a counter, and the present attempt's own report is the outcome."""
    going = asyncio.Event()

    @aion.activity(retry=aion.Retry(max_attempts=2, initial=0))
    async def second_time() -> int:
        attempt = aion.activity_info().attempt
        if attempt == 1:
            raise ConnectionError
        await going.wait()
        return attempt

    @aion.workflow
    async def once() -> int:
        return await second_time()

    async def main() -> None:
        store = LastingStore()
        async with testing.engine(register=[once], store=store) as engine:
            handle = await engine.start(once())
            scheduler = scheduler_of(engine)
            await eventually(lambda: (2, 1) in scheduler.residency.attempts.values())
            ((number, seq),) = scheduler.residency.attempts
            engine._shards[0].submit(Report(0, number, seq, ActivityReported("1", 1, 1, Raw(b"77"))))
            await eventually(lambda: scheduler.stale_reports == 1)
            going.set()

            assert await handle.result() == 2

    run(main)
