"""The same work on DBOS, on a SQLite file in WAL mode with every commit synced; run by DBOS's own environment.

`python -m benchmarks.peers.dbos_bench DIRECTORY [--scale 0.1] [--threads N]` prints one line of JSON.

Settings. DBOS opens its SQLite system database through SQLAlchemy and sets neither the journal mode nor
`synchronous`, so it would run on a rollback journal. A listener on every new connection sets
`journal_mode=WAL` and `synchronous=FULL` before DBOS uses it, and both are read back through DBOS's own
engine before anything is measured. All else is as DBOS comes, except where `--threads` is given: it is
DBOS's `max_executor_threads`, the number of threads that its async API does its database calls on. As it
comes there are so many that they compete for SQLite's one write lock. On two cores values from 2 to 8
were alike for throughput, and 8 was no slower one at a time, so the report shows DBOS as it comes and with 8.

The code is DBOS's async API: `start_workflow_async`, `get_result`, async steps. Steps return the 200-byte
payload. The load is made by the same functions that drive our engine (`benchmarks.measure`).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sqlite3
import sys
from importlib.metadata import version
from pathlib import Path

import sqlalchemy
from dbos import DBOS, DBOSConfig
from dbos._dbos import _get_dbos_instance  # pyright: ignore[reportPrivateUsage]
from sqlalchemy import event

from benchmarks.measure import (
    freeze_imports,
    make_payload,
    peak_resident_bytes,
    percentile,
    run_in_flight,
    run_one_at_a_time,
)

Payload = dict[str, object]


@DBOS.step()
async def echo(value: Payload) -> Payload:
    """The trivial step."""
    return value


@DBOS.workflow()
async def one_step(value: Payload) -> Payload:
    """W1: one step."""
    return await echo(value)


@DBOS.workflow()
async def many_steps(value: Payload, count: int) -> int:
    """W2: `count` steps, each after the other."""
    for _ in range(count):
        value = await echo(value)
    return count


def main() -> None:
    """Open DBOS on a new file, do the work, print the figures."""
    parser = argparse.ArgumentParser()
    parser.add_argument("directory", type=Path)
    parser.add_argument("--scale", type=float, default=0.1)
    parser.add_argument("--threads", type=int)
    options = parser.parse_args()

    event.listen(sqlalchemy.Engine, "connect", _sync_every_commit)
    config: DBOSConfig = {
        "name": "benchmark",
        "system_database_url": f"sqlite:///{options.directory / 'dbos.sqlite'}",
        "log_level": "ERROR",
        "enable_otlp": False,
    }
    if options.threads:
        config["max_executor_threads"] = options.threads
    DBOS(config=config)
    DBOS.launch()
    freeze_imports()
    try:
        figures = asyncio.run(measure_all(options.scale))
    finally:
        DBOS.destroy()
    print(json.dumps(figures))


async def measure_all(scale: float) -> dict[str, object]:
    """W1, W1-latency, W2 and W2x, with `scale` of the engine's number of workflows and steps."""
    settings = _read_settings()
    if settings != {"journal_mode": "wal", "synchronous": 2}:
        raise SystemExit(f"expected DBOS's database to be in WAL mode with synchronous=FULL (2), found {settings}")
    payload = make_payload()

    async def run_one_step(_: int) -> None:
        await (await DBOS.start_workflow_async(one_step, payload)).get_result()

    async def run_many_steps(count: int) -> None:
        await (await DBOS.start_workflow_async(many_steps, payload, count)).get_result()

    await run_in_flight(10, 10, run_one_step)  # the first ones pay for threads and connections
    workflows = max(20, round(5_000 * scale))
    w1 = workflows / await run_in_flight(workflows, 200, run_one_step)
    # One at a time is cheap, and a percentile of a tenth of it would say nothing: all 200 are run.
    latency = await run_one_at_a_time(200, run_one_step)
    steps = max(20, round(1_000 * scale))
    w2 = steps / await run_in_flight(1, 1, lambda _: run_many_steps(steps))
    # A tenth of 100 x 100 steps is taken as 10 x 100: DBOS is faster on these than on 100 x 10.
    wide = max(2, round(100 * scale))
    w2x = wide * 100 / await run_in_flight(wide, wide, lambda _: run_many_steps(100))
    return {
        "w1_workflows_per_s": w1,
        "w1_latency_p50_ms": percentile(latency, 0.5),
        "w1_latency_p99_ms": percentile(latency, 0.99),
        "w2_steps_per_s": w2,
        "w2x_steps_per_s": w2x,
        "peak_rss_bytes": peak_resident_bytes(),
        "versions": {
            "dbos": version("dbos"),
            "sqlalchemy": sqlalchemy.__version__,
            "sqlite": sqlite3.sqlite_version,
            "python": sys.version.split()[0],
        },
        "settings": settings,
    }


def _sync_every_commit(connection: sqlite3.Connection, _: object) -> None:
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")


def _read_settings() -> dict[str, object]:
    engine = _get_dbos_instance()._sys_db.engine
    with engine.connect() as connection:
        return {name: connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in ("journal_mode", "synchronous")}


if __name__ == "__main__":
    main()
