"""Runs that are ended from outside: cancelled with clean-up, cancelled against their will, terminated."""

from __future__ import annotations

import asyncio

import aion
from aion.testing.crash import Effect, Expected, LoggedClient, Program, main, record_effect

never = aion.Signal("never", int)


@aion.activity
async def clean_up(what: str) -> Effect:
    """What a cancelled run still does."""
    return record_effect(what)


@aion.activity
async def endless() -> Effect:
    """Work under way when the end comes."""
    effect = record_effect()
    await asyncio.sleep(3600)
    return effect


@aion.activity(retry=aion.Retry(initial="1h"))
async def failing() -> Effect:
    """Leaves its run in a back-off."""
    record_effect()
    raise ConnectionError("later")


@aion.workflow
async def wait() -> int:
    """Waits for what never comes, and tidies up."""
    try:
        return await never.receive()
    finally:
        await clean_up("waiting")


@aion.workflow
async def work() -> list[Effect]:
    """Has steps, a back-off and a timer under way."""
    try:
        async with asyncio.timeout(3600):
            return await asyncio.gather(endless(), endless(), failing())
    except asyncio.CancelledError:
        await clean_up("working")
        raise


@aion.workflow
async def insist() -> str:
    """Takes note of the wish to cancel it, and ends well."""
    try:
        await asyncio.sleep(3600)
    except asyncio.CancelledError:
        return str((await clean_up("tidy")).value)
    return "slept"


CANCELLED = {"waiting": wait, "working": work, "insisting": insist}
TERMINATED = {"wait no more": wait, "work no more": work, "insist no more": insist}


async def drive(client: LoggedClient) -> None:
    """Start all, end all, each while the others are under way."""

    async def cancel(id: str, workflow: aion.Workflow[[], object]) -> None:
        await client.start(f"start {id}", lambda: workflow(), id=id)
        await client.cancel(f"cancel {id}", id)
        await client.result(id)

    async def terminate(id: str, workflow: aion.Workflow[[], object]) -> None:
        await client.start(f"start {id}", lambda: workflow(), id=id)
        await client.terminate(f"terminate {id}", id)
        await client.result(id)

    await asyncio.gather(
        *(cancel(id, workflow) for id, workflow in CANCELLED.items()),
        *(terminate(id, workflow) for id, workflow in TERMINATED.items()),
    )


def expected() -> Expected:
    """Who insists completes; who is terminated has no say."""
    return {
        "waiting": [["cancelled"]],
        "working": [["cancelled"]],
        "insisting": [["completed", "tidy"]],
        **{id: [["terminated"]] for id in TERMINATED},
    }


PROGRAM = Program([wait, work, insist, clean_up, endless, failing], drive, expected)

if __name__ == "__main__":
    main(PROGRAM)
