"""Waiting for something that can only be asked whether it is ready: an activity that fails until it is.

    python main.py [FILE.db]

The engine does the asking again. Between two attempts there is only a timer in the store, so waiting costs nothing, and
a crash neither loses the count of attempts nor starts a second export.
"""

from __future__ import annotations

import asyncio
import sys

import aion

READY_AT_ATTEMPT = 4


class NotReady(Exception):
    """The export goes on; ask again later."""


@aion.activity
async def start_export(table: str) -> str:
    # The same key in every attempt of this one request: a service that is given it starts one export only.
    assert aion.activity_info().idempotency_key
    return f"export-of-{table}"


@aion.activity(timeout="5s", retry=aion.Retry(max_attempts=20, initial="20ms", factor=1.5, max_interval="100ms"))
async def wait_export(export: str) -> str:
    attempt = aion.activity_info().attempt
    if attempt < READY_AT_ATTEMPT:
        raise NotReady(f"{export} is not ready")
    return f"{export}.csv, ready at attempt {attempt}"


@aion.activity(retry=aion.Retry(max_attempts=20, non_retryable=(PermissionError,)))
async def fetch(file: str) -> int:
    raise PermissionError("no key for this file")


@aion.workflow
async def export_table(table: str) -> str:
    export = await start_export(table)
    file = await wait_export(export)
    try:
        await fetch(file)
    except aion.ActivityFailed as failure:
        # Whatever the activity raised, it is this one exception here; its fields say what it was.
        if not failure.is_a(OSError):
            raise
        return f"{file}; then, at attempt {failure.attempt}: {failure.type}, {failure.message}"
    return file


async def main(path: str) -> None:
    async with aion.Engine(f"sqlite:///{path}", register=[export_table, start_export, wait_export, fetch]) as engine:
        run = await engine.start(export_table("customers"), id="export-customers", on_conflict="attach")
        print(await run.result())


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1] if len(sys.argv) > 1 else "polling_with_retry.db"))
