"""Many steps at once: gather and task groups, on the loop and in threads."""

from __future__ import annotations

import asyncio

import aion
from aion.testing.crash import Effect, Expected, LoggedClient, Program, main, record_effect

WIDTH = 6
RUNS = ("left", "right")


@aion.activity
async def square(number: int) -> Effect:
    """Runs on the loop."""
    return record_effect(number * number)


@aion.activity
def cube(number: int) -> Effect:
    """Runs in a thread."""
    return record_effect(number**3)


@aion.workflow
async def spread(width: int) -> list[int]:
    """Squares by gather, cubes by a task group, one after the other."""
    squares = await asyncio.gather(*(square(number) for number in range(width)))
    async with asyncio.TaskGroup() as group:
        cubes = [group.create_task(cube(number)) for number in range(width)]
    return [effect.value for effect in squares] + [task.result().value for task in cubes]


async def drive(client: LoggedClient) -> None:
    """Start all, wait for all."""
    await asyncio.gather(*(client.start(f"start {id}", lambda: spread(WIDTH), id=id) for id in RUNS))
    await asyncio.gather(*(client.result(id) for id in RUNS))


def expected() -> Expected:
    """Squares, then cubes."""
    values = [number**2 for number in range(WIDTH)] + [number**3 for number in range(WIDTH)]
    return {id: [["completed", values]] for id in RUNS}


# Nothing is committed on the engine thread: while the writer thread commits, the next turns are taken.
PROGRAM = Program([spread, square, cube], drive, expected, {"turns_inline_max": 0})

if __name__ == "__main__":
    main(PROGRAM)
