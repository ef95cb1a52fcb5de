"""Steps that fail: tried again after a back-off, given up, never tried again, or handed out once at most."""

from __future__ import annotations

import asyncio

import aion
from aion.testing.crash import Effect, Expected, LoggedClient, OneOf, Program, main, record_effect

SOON = aion.Retry(max_attempts=5, initial="10ms", factor=1.5, jitter=0.5)
TWICE = aion.Retry(max_attempts=2, initial="10ms")
ONCE = aion.Retry(max_attempts=1)


@aion.activity(retry=SOON)
async def flaky(number: int) -> Effect:
    """Succeeds in its third attempt. Each attempt has its effect, whether it then fails or not."""
    effect = record_effect(number)
    if aion.activity_info().attempt < 3:
        raise ConnectionError("not yet")
    return effect


@aion.activity(retry=TWICE)
def hopeless() -> Effect:
    """Fails in all its attempts, in a thread."""
    record_effect()
    raise ConnectionError("never")


@aion.activity(retry=SOON)
async def refused() -> Effect:
    """Fails for good in its first attempt."""
    record_effect()
    raise aion.Terminal("no such account")


@aion.activity(retry=ONCE)
async def once() -> Effect:
    """Has no second chance, not even when its process dies."""
    return record_effect("done")


@aion.workflow
async def endure() -> list[str | int]:
    """Lives through all failures and says what it saw."""
    seen: list[str | int] = [effect.value for effect in await asyncio.gather(flaky(1), flaky(2))]
    for step in (hopeless, refused):
        try:
            await step()
        except aion.ActivityFailed as error:
            seen += [error.type, error.attempt]
    return seen


@aion.workflow
async def risk() -> str:
    """Says whether the only hand-out came back."""
    try:
        return str((await once()).value)
    except aion.ActivityFailed as error:
        return error.kind


@aion.workflow
async def break_down() -> None:
    """Fails with what its step raised."""
    await hopeless()


async def drive(client: LoggedClient) -> None:
    """Start all, wait for all."""
    await client.start("start enduring", lambda: endure(), id="enduring")
    await client.start("start risky", lambda: risk(), id="risky")
    await client.start("start failing", lambda: break_down(), id="failing")
    await asyncio.gather(*(client.result(id) for id in ("enduring", "risky", "failing")))


def expected() -> Expected:
    """Attempts are counted by failures, not by crashes."""
    return {
        "enduring": [["completed", [1, 2, "ConnectionError", 2, "Terminal", 1]]],
        "risky": [OneOf((["completed", "done"], ["completed", "lost"]))],
        "failing": [["failed", "ActivityFailed"]],
    }


PROGRAM = Program([endure, risk, break_down, flaky, hopeless, refused, once], drive, expected)

if __name__ == "__main__":
    main(PROGRAM)
