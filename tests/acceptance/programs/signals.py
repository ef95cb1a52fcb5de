"""Signals whose acknowledgements are awaited one by one: none lost, none doubled, all in order."""

from __future__ import annotations

import asyncio

import aion
from aion.testing.crash import Effect, Expected, LoggedClient, Program, main, record_effect

COUNT = 5
item = aion.Signal("item", int)


@aion.activity
async def store(number: int) -> Effect:
    """A step for each signal, so that signals arrive in the middle of turns."""
    return record_effect(number)


@aion.workflow
async def collect(count: int) -> list[int]:
    """Takes signals as they come."""
    kept: list[int] = []
    async for number in item:
        kept.append((await store(number)).value)
        if len(kept) == count:
            break
    return kept


@aion.workflow
async def heap(count: int) -> list[int]:
    """Lets signals pile up, and looks at the pile."""
    pile: list[int] = []
    item.on(pile.append)
    await aion.wait_until(lambda: len(pile) >= count)
    return pile


async def drive(client: LoggedClient) -> None:
    """Send to both at once, to each in order."""
    await client.start("start collecting", lambda: collect(COUNT), id="collecting")
    await client.start("start heaping", lambda: heap(COUNT), id="heaping")

    async def send(id: str) -> None:
        for number in range(COUNT):
            await client.signal(f"send {number} to {id}", id, item, number)

    await asyncio.gather(send("collecting"), send("heaping"))
    await asyncio.gather(client.result("collecting"), client.result("heaping"))


def expected() -> Expected:
    """Each number once, in order."""
    return {id: [["completed", list(range(COUNT))]] for id in ("collecting", "heaping")}


# Nothing is committed on the engine thread: while the writer thread commits, the next turns are taken.
PROGRAM = Program([collect, heap, store], drive, expected, {"turns_inline_max": 0})

if __name__ == "__main__":
    main(PROGRAM)
