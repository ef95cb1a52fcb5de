"""One workflow that uses everything of asyncio that workflows may use, and notes the order of every step."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import anyio

import aion

TRACE: list[str] = []
"""Where the workflow notes what it does; a test empties it first."""

ping = aion.Signal("ping", int)


@aion.activity
async def step(name: str) -> str:
    """Never runs here: the test answers."""
    return name


def note(*words: object) -> None:
    """Write down a step."""
    TRACE.append(" ".join(map(str, words)))


async def worker(name: str, delay: float = 0.0) -> str:
    """Sleep, call an activity, and note both."""
    note(name, "begins")
    await asyncio.sleep(delay)
    note(name, "slept")
    result = await step(name)
    note(name, "got", result)
    return name


async def failing(name: str, delay: float) -> None:
    """Fail after a while."""
    await asyncio.sleep(delay)
    note(name, "fails")
    raise ValueError(name)


@aion.workflow
async def everything() -> list[str]:
    """Every primitive, one after the other."""
    for part in PARTS:
        note("──", part.__name__)
        await part()
    return []


async def gathers() -> None:
    """`gather`, with and without errors, of coroutines, tasks and the same thing twice."""
    task = asyncio.create_task(worker("g0", 1))
    note(await asyncio.gather(worker("g1", 2), task, worker("g2"), task))
    note(await asyncio.gather(failing("g3", 1), worker("g4", 2), return_exceptions=True))
    try:
        await asyncio.gather(failing("g5", 1), worker("g6", 2))
    except ValueError as error:
        note("raised", error)
    await asyncio.sleep(5)


async def groups() -> None:
    """Task groups: nested, failing, and cancelled from outside."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(worker(f"t{number}", 3 - number)) for number in range(3)]
    note([task.result() for task in tasks])
    try:
        async with asyncio.TaskGroup() as outer:
            outer.create_task(worker("t3", 9))
            async with asyncio.TaskGroup() as inner:
                inner.create_task(failing("t4", 1))
                inner.create_task(stubborn("t5"))
    except* ValueError as errors:
        note("raised", errors.exceptions)


async def stubborn(name: str) -> None:
    """Clean up when cancelled, which takes a step and an activity."""
    try:
        await asyncio.sleep(100)
    except asyncio.CancelledError:
        note(name, "is cancelled")
        await step(name)
        note(name, "has cleaned up")
        raise


async def waits() -> None:
    """`wait` in its three modes, and `as_completed` both ways."""
    tasks = {asyncio.create_task(worker(f"w{number}", number % 3 + 1), name=f"w{number}") for number in range(6)}
    done, pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    note("first", [task.get_name() for task in done], [task.get_name() for task in pending])
    done, pending = await asyncio.wait(tasks, timeout=1)
    note("in time", [task.get_name() for task in done], [task.get_name() for task in pending])
    for task in pending:
        task.cancel()
    done, pending = await asyncio.wait(tasks)
    note("all", [(task.get_name(), task.cancelled()) for task in done], len(pending))
    for result in asyncio.as_completed([worker("a1", 2), worker("a2", 1), worker("a3", 2)]):
        note("came", await result)
    for result in asyncio.as_completed([worker("a4", 1), worker("a5", 9)], timeout=3):
        try:
            note("came", await result)
        except TimeoutError:
            note("late")
    await asyncio.sleep(20)


async def deadlines() -> None:
    """`timeout`, `timeout_at`, `wait_for` and `shield`."""
    try:
        async with asyncio.timeout(2):
            await worker("d1", 5)
    except TimeoutError:
        note("d1 is late")
    async with asyncio.timeout_at(asyncio.get_running_loop().time() + 3) as deadline:
        deadline.reschedule(asyncio.get_running_loop().time() + 9)
        await worker("d2", 5)
    try:
        await asyncio.wait_for(worker("d3", 5), 1)
    except TimeoutError:
        note("d3 is late")
    shielded = asyncio.ensure_future(worker("d4", 3))
    try:
        await asyncio.wait_for(asyncio.shield(shielded), 1)
    except TimeoutError:
        note("d4 goes on", await shielded)


async def queues() -> None:
    """Producers and consumers over a bounded queue, a priority queue and `join`."""
    queue: asyncio.Queue[int] = asyncio.Queue(2)

    async def produce(name: str) -> None:
        for number in range(3):
            await queue.put(number)
            note(name, "put", number)

    async def consume(name: str) -> None:
        while True:
            item = await queue.get()
            note(name, "got", item)
            await asyncio.sleep(item)
            queue.task_done()

    consumers = [asyncio.create_task(consume(f"c{number}")) for number in range(2)]
    await asyncio.gather(produce("p0"), produce("p1"))
    await queue.join()
    for task in consumers:
        task.cancel()
    await asyncio.gather(*consumers, return_exceptions=True)
    ordered: asyncio.PriorityQueue[tuple[int, str]] = asyncio.PriorityQueue()
    for item in ((2, "b"), (1, "a"), (3, "c")):
        ordered.put_nowait(item)
    note([await ordered.get() for _ in range(3)])


async def locks() -> None:
    """Lock, Semaphore, Condition, Event and Barrier, each with several that wait."""
    lock, semaphore, condition = asyncio.Lock(), asyncio.Semaphore(2), asyncio.Condition()
    event, barrier = asyncio.Event(), asyncio.Barrier(3)

    async def member(name: str, delay: float) -> None:
        async with lock:
            note(name, "has the lock")
            await asyncio.sleep(delay)
        async with semaphore:
            note(name, "has a place")
            await asyncio.sleep(delay)
        async with condition:
            await condition.wait_for(lambda: event.is_set())
            note(name, "was notified")
        note(name, "is number", await barrier.wait())

    async with asyncio.TaskGroup() as group:
        for number in range(3):
            group.create_task(member(f"l{number}", number))
        await asyncio.sleep(8)
        event.set()
        async with condition:
            condition.notify_all()


async def generators() -> None:
    """Async generators: run to the end, left early, and closed by hand; their clean-up is in order too."""

    async def count(name: str) -> AsyncIterator[int]:
        try:
            for number in range(3):
                await asyncio.sleep(1)
                yield number
        finally:
            note(name, "is closed")

    async for number in count("n1"):
        note("n1", number)
    early = count("n2")
    async for number in early:
        note("n2", number)
        break
    await early.aclose()  # type: ignore[attr-defined]
    async for number in count("n3"):
        note("n3", number)
        break
    note([number async for number in count("n4") if number])


async def anyio_groups() -> None:
    """Task groups, scopes, events and limiters of anyio."""
    gate = anyio.Event()
    limiter = anyio.Semaphore(1)

    async def member(name: str) -> None:
        try:
            await gate.wait()
            async with limiter:
                note(name, await step(name))
                await anyio.sleep(1)
        except BaseException:
            note(name, "is cancelled")
            raise

    async with anyio.create_task_group() as group:
        for number in range(3):
            group.start_soon(member, f"y{number}")
        await anyio.sleep(1)
        gate.set()
    async with anyio.create_task_group() as group:
        for number in range(3, 6):
            group.start_soon(member, f"y{number}")
        gate = anyio.Event()
        await anyio.sleep(1)
        group.cancel_scope.cancel()
    with anyio.move_on_after(2) as scope:
        await anyio.sleep(5)
    note("moved on", scope.cancelled_caught)
    try:
        with anyio.fail_after(1):
            await anyio.sleep(5)
    except TimeoutError:
        note("failed in time")


async def ours() -> None:
    """`race`, `wait_until`, signals, patches and side effects."""
    note("race", await aion.race(worker("r1", 2), worker("r2", 1), stubborn("r3")))
    values: list[int] = []

    async def listen() -> None:
        async for value in ping:
            note("heard", value)
            values.append(value)

    listener = asyncio.create_task(listen())
    await aion.wait_until(lambda: len(values) == 2)
    listener.cancel()
    try:
        await aion.wait_until(lambda: len(values) == 3, timeout=3)
    except TimeoutError:
        note("no third")
    note("patched", aion.patched("one"), aion.patched("one"))
    note("side effect", aion.side_effect(lambda: 41 + 1))


PARTS = (gathers, groups, waits, deadlines, queues, locks, generators, anyio_groups, ours)
