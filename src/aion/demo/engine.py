"""The process that is killed: an engine on the store, with the demo's one run.

`python -m aion.demo.engine STORE ID JOB` starts the run, or goes on with it. It takes one order on stdin, `approve`,
and ends when stdin does, so that no engine outlives its driver.
"""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import msgspec

from aion._compose import Engine
from aion._runtime.handle import WorkflowHandle
from aion.demo import workflow
from aion.demo.workflow import Approval, Job, approval, index_library
from aion.errors import AionError

APPROVE = b"approve\n"
APPROVED_BY = "the driver"


async def serve(store: str, id: str, job: Job) -> None:
    """Carry the run to its end, unless the driver goes away before."""
    async with Engine(store, register=[workflow]) as engine:
        handle = await engine.start(index_library(job), id=id, on_conflict="attach")
        result = asyncio.ensure_future(handle.result())
        orders = asyncio.ensure_future(follow_orders(handle))
        await asyncio.wait((result, orders), return_when=asyncio.FIRST_COMPLETED)
        orders.cancel()
        if result.done():
            result.result()


async def follow_orders(handle: WorkflowHandle[Any]) -> None:
    """Do what the driver says, until it says no more."""
    orders = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(orders), sys.stdin)
    while order := await orders.readline():
        if order == APPROVE:
            # With a request id it is recorded once, however often the driver repeats itself.
            await handle.signal(approval, Approval(APPROVED_BY), request_id="approval")


def main() -> None:
    """Serve; what goes wrong is one line on stderr, which the driver passes on."""
    store, id, job = sys.argv[1:]
    try:
        asyncio.run(serve(store, id, msgspec.json.decode(job, type=Job)))
    except AionError as exc:
        sys.exit(f"{exc.code}: {exc}")


if __name__ == "__main__":
    main()
