"""Looking into a running workflow: its events tell when something changed, a query tells what its state is now.

    python main.py [FILE.db]

A query writes nothing and stops nothing. It is answered while the workflow waits, and after it has ended.
"""

from __future__ import annotations

import asyncio
import sys
from dataclasses import dataclass, field

import aion


@dataclass
class Status:
    done: int = 0
    rows: int = 0
    log: list[str] = field(default_factory=list[str])


status = aion.Query("status", Status)
log_since = aion.Query("log_since", list[str], arg=int)


@aion.activity
async def load(month: str) -> int:
    return 100 + len(month)


@aion.workflow
async def load_year(months: list[str]) -> int:
    state = Status()
    status.answer(lambda: state)

    @log_since.answer
    def _(count: int) -> list[str]:
        return state.log[count:]

    for month in months:
        rows = await load(month)
        state.done += 1
        state.rows += rows
        state.log.append(f"{month}: {rows} rows")
        await asyncio.sleep(0.02)
    return state.rows


async def main(path: str) -> None:
    months = ["January", "February", "March", "April"]
    async with aion.Engine(f"sqlite:///{path}", register=[load_year, load]) as engine:
        run = await engine.start(load_year(months), id="load-2026", on_conflict="attach")
        shown = 0
        # First the events that are recorded already, then each as it commits; it ends with the run.
        async for _ in run.events():
            for line in await run.query(log_since, shown):
                print(line)
                shown += 1
        last = await run.query(status)
        print(f"{last.done} months, {last.rows} rows; the workflow says {await run.result()}")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1] if len(sys.argv) > 1 else "live_status.db"))
