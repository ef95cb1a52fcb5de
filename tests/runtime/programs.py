"""A program of workflows and a user that drives them, for tests that break the store at every point of it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import aion
from aion._runtime.handle import WorkflowHandle
from aion.errors import AionError, StoreError, UnavailableError
from aion.testing import TestEngine

T = TypeVar("T")

item = aion.Signal("item", int)
done = aion.Signal("done")
count = aion.Query("count", int)


class Effects:
    """What activities did, by their idempotency keys, and how often in vain."""

    def __init__(self) -> None:
        self.done: dict[str, int] = {}

    def note(self) -> None:
        """An activity did its work."""
        key = aion.activity_info().idempotency_key
        self.done[key] = self.done.get(key, 0) + 1


EFFECTS = Effects()


@aion.activity
async def work(what: Any) -> Any:
    """Do it."""
    EFFECTS.note()
    return what


@aion.activity(retry=aion.Retry(3, initial="10s", jitter=0.0))
async def flaky(what: str) -> str:
    """Fail in the first attempt."""
    EFFECTS.note()
    if aion.activity_info().attempt == 1:
        raise ValueError(what)
    return f"{what} after all"


@aion.activity(executor="thread")
def threaded(what: str) -> str:
    """Do it in a thread."""
    EFFECTS.note()
    return what


@aion.workflow
async def everything(name: str) -> list[Any]:
    """Activities, a retry, timers, signals, records, in one fixed order."""
    got: list[Any] = [await work(name)]
    count.answer(lambda: len(got))
    await asyncio.sleep(60)
    got.append(await flaky(name))
    async with asyncio.timeout(3600):
        got.append(await item.receive())
    got.append(aion.side_effect(lambda: 42))
    if aion.patched("more"):
        got.append(await threaded(name))
    async for value in item:
        got.append(value)
        if value == 3:
            break
    await asyncio.sleep(1)
    await done.receive()
    return got


@aion.workflow
async def tidying() -> str:
    """Clean up when cancelled."""
    try:
        await done.receive()
    except asyncio.CancelledError:
        await work("clean")
        await asyncio.sleep(5)
        raise
    return "told"


@aion.workflow
async def failing() -> None:
    """Fail after an activity."""
    await work("in vain")
    raise aion.ApplicationError("no", "Refused", {"code": 51})


ALL = [work, flaky, threaded, everything, tidying, failing]

IDS = ("one", "two", "cancelled", "failed", "terminated")
OUTCOMES: dict[str, Any] = {
    "one": ["one", "one after all", 1, 42, "one", 2, 3],
    "two": ["two", "two after all", 1, 42, "two", 2, 3],
    "cancelled": "WorkflowCancelled: enough",
    "failed": "WorkflowFailed: Refused",
    "terminated": "WorkflowTerminated: at once",
}


async def insist(call: Callable[[], Awaitable[T]]) -> T:
    """Ask until there is an answer: what failed or was refused for a while may be asked again."""
    while True:
        try:
            return await call()
        except (StoreError, UnavailableError):
            await asyncio.sleep(0)


async def drive(engine: TestEngine) -> dict[str, Any]:
    """Start all workflows and send them what they wait for; each call has an id of its own, so it is safe to repeat."""

    async def start(call: Callable[[], Any], id: str) -> WorkflowHandle[Any]:
        return await insist(lambda: engine.start(call(), id=id, request_id="start"))

    one = await start(lambda: everything("one"), "one")
    cancelled = await start(tidying, "cancelled")
    failed = await start(failing, "failed")
    terminated = await start(lambda: everything("x"), "terminated")
    two = await start(lambda: everything("two"), "two")
    for value in (1, 2, 3):
        for handle in (one, two):
            await insist(lambda: handle.signal(item, value, request_id=f"item {value}"))  # noqa: B023 - awaited at once
    await insist(lambda: cancelled.cancel("enough", request_id="cancel"))
    await insist(lambda: terminated.terminate("at once", request_id="terminate"))
    for handle in (one, two):
        await insist(lambda: handle.signal(done, request_id="done"))  # noqa: B023 - awaited at once
    return {handle.id: await outcome(handle) for handle in (one, two, cancelled, failed, terminated)}


async def outcome(handle: WorkflowHandle[Any]) -> Any:
    """What came of a run, as plain data."""
    try:
        return await insist(handle.result)
    except aion.WorkflowFailed as error:
        return f"WorkflowFailed: {error.error.type}"
    except AionError as error:
        return f"{type(error).__name__}: {getattr(error, 'reason', '')}"
