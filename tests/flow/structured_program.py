"""Random programs of nested primitives, and the trace of what one did: the same on every replay and every Python.

A program is drawn from a seed, as a tree. Running it writes a line for each thing that happens: when, where in the
tree, what. The last line counts the steps of the loop, so that not one more or less goes unseen.
"""

from __future__ import annotations

import asyncio
import hashlib
import random
from dataclasses import dataclass

from aion._flow import guards
from tests.flow.toy_loop import ToyLoop

# The program uses asyncio's own names. Importing the package does this; here it must not depend on how that was done.
guards.install()

BRANCHES = (
    "group",
    "timeout",
    "wait_for",
    "gather",
    "gather_all",
    "wait",
    "as_completed",
    "async_for",
    "shield",
    "cancel",
)
LEAVES = "sleep sleep sleep fail stubborn semaphore condition".split()

# Seeds of which the golden file holds the whole trace, and up to which it holds a digest.
IN_FULL = (4, 6, 8, 12, 13, 19, 24, 27)
AS_DIGEST = 200


@dataclass(frozen=True)
class Node:
    """A piece of a program: what it does, how long that takes, and its parts."""

    kind: str
    delay: float
    parts: tuple[Node, ...] = ()


class Oops(Exception):
    """What a failing node raises."""


def draw(source: random.Random, depth: int) -> Node:
    """A random program, at most `depth` deep."""
    delay = source.choice((0, 0, 1, 1, 2, 3))
    if depth == 0:
        return Node(source.choice(LEAVES), delay)
    kind = source.choice(BRANCHES)
    count = 1 if kind in ("timeout", "wait_for", "shield", "cancel") else source.randint(2, 4)
    parts = (draw(source, depth - 1 if source.random() < 0.7 else 0) for _ in range(count))
    return Node(kind, delay, tuple(parts))


def trace_of(seed: int) -> list[str]:
    """What the program of this seed does, line by line."""
    loop = ToyLoop(guarded=False, seed=seed)
    trace = Trace(loop)
    program = draw(random.Random(seed), 4)
    loop.run(trace.whole(program))
    return [*trace.lines, f"{loop.steps} steps"]


class Trace:
    """Runs a program and writes down what it does."""

    def __init__(self, loop: ToyLoop) -> None:
        self.loop = loop
        self.lines: list[str] = []
        self.semaphore = asyncio.Semaphore(2)
        self.condition = asyncio.Condition()

    def note(self, path: str, what: str) -> None:
        """Write a line."""
        self.lines.append(f"{self.loop.time():g} {path} {what}")

    async def whole(self, program: Node) -> None:
        """Run the program and what it left behind, until nothing moves."""
        try:
            self.note("0", f"gives {await self.run(program, '0')}")
        except BaseException as error:
            self.note("0", told(error))
        await asyncio.sleep(30)
        task = asyncio.current_task()
        assert task is not None
        self.note("0", f"ends, cancelled {task.cancelling()} times")

    async def run(self, node: Node, path: str) -> str:
        """Do what a node says."""
        self.note(path, node.kind)
        try:
            result = await getattr(self, f"do_{node.kind}")(node, path)
        except BaseException as error:
            self.note(path, told(error))
            raise
        self.note(path, "done")
        return f"{node.kind}({result or ''})"

    def parts(self, node: Node, path: str) -> list[asyncio.Task[str]]:
        """A task for each part."""
        return [
            asyncio.create_task(self.run(part, f"{path}.{number}"), name=f"{path}.{number}")
            for number, part in enumerate(node.parts)
        ]

    async def do_sleep(self, node: Node, path: str) -> None:
        """Pass time."""
        await asyncio.sleep(node.delay)

    async def do_fail(self, node: Node, path: str) -> None:
        """Raise, after a while."""
        await asyncio.sleep(node.delay)
        raise Oops(path)

    async def do_stubborn(self, node: Node, path: str) -> None:
        """Take a while to be cancelled, and fail then."""
        try:
            await asyncio.sleep(node.delay + 1)
        except asyncio.CancelledError:
            await asyncio.sleep(node.delay)
            raise Oops(f"{path} late") from None

    async def do_semaphore(self, node: Node, path: str) -> None:
        """Hold one of two places."""
        async with self.semaphore:
            self.note(path, "has a place")
            await asyncio.sleep(node.delay)

    async def do_condition(self, node: Node, path: str) -> None:
        """Wait to be notified by the next who comes, but not for long."""
        async with self.condition, asyncio.timeout(node.delay):
            self.condition.notify(1)
            await self.condition.wait()
            self.note(path, "was notified")

    async def do_group(self, node: Node, path: str) -> str:
        """Run the parts in a group, whose own block may fail."""
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self.run(part, f"{path}.{n}")) for n, part in enumerate(node.parts)]
            await asyncio.sleep(node.delay)
            if node.delay == 2:
                raise Oops(path)
        return " ".join(task.result() for task in tasks)

    async def do_timeout(self, node: Node, path: str) -> str:
        """Run the part under a deadline that is moved once."""
        async with asyncio.timeout(node.delay) as deadline:
            deadline.reschedule(self.loop.time() + node.delay / 2 + 1)
            return await self.run(node.parts[0], f"{path}.0")

    async def do_wait_for(self, node: Node, path: str) -> str:
        """Wait for the part, and no longer than so."""
        return await asyncio.wait_for(self.run(node.parts[0], f"{path}.0"), node.delay)

    async def do_gather(self, node: Node, path: str) -> str:
        """Gather the parts up to the first error."""
        return " ".join(await asyncio.gather(*(self.run(part, f"{path}.{n}") for n, part in enumerate(node.parts))))

    async def do_gather_all(self, node: Node, path: str) -> str:
        """Gather the parts, errors too."""
        results = await asyncio.gather(*self.parts(node, path), return_exceptions=True)
        return " ".join(told(result) if isinstance(result, BaseException) else result for result in results)

    async def do_wait(self, node: Node, path: str) -> str:
        """Wait for some of the parts, passed as a set, and cancel the others in the order in which they come out."""
        until = (asyncio.FIRST_COMPLETED, asyncio.FIRST_EXCEPTION, asyncio.ALL_COMPLETED)[len(node.parts) - 2]
        done, pending = await asyncio.wait(set(self.parts(node, path)), timeout=node.delay or None, return_when=until)
        for task in pending:
            task.cancel()
        return " ".join(task.get_name() for task in (*done, *pending, *(done | pending)))

    async def do_as_completed(self, node: Node, path: str) -> None:
        """Take the results as they come."""
        for result in asyncio.as_completed(self.parts(node, path), timeout=node.delay * 2 or None):
            try:
                self.note(path, f"got {await result}")
            except Oops as error:
                self.note(path, f"got {told(error)}")

    async def do_async_for(self, node: Node, path: str) -> None:
        """Take the finished tasks as they come. Python has this from 3.13 on, workflows have it everywhere."""
        async for task in asyncio.as_completed(self.parts(node, path)):  # type: ignore[attr-defined, unused-ignore]
            self.note(path, f"{task.get_name()} {'failed' if task.exception() else 'came'}")

    async def do_shield(self, node: Node, path: str) -> str:
        """Shield the part from a deadline."""
        async with asyncio.timeout(node.delay):
            return await asyncio.shield(self.run(node.parts[0], f"{path}.0"))

    async def do_cancel(self, node: Node, path: str) -> str:
        """Cancel the part after a while."""
        (task,) = self.parts(node, path)
        await asyncio.sleep(node.delay)
        task.cancel("enough")
        return await task


def told(error: BaseException) -> str:
    """An error as one word, a group with what is in it."""
    if isinstance(error, BaseExceptionGroup):
        return f"{type(error).__name__}[{', '.join(map(told, error.exceptions))}]"
    return type(error).__name__ + "".join(f":{argument}" for argument in error.args)


def golden() -> str:
    """The traces of some programs in full, and of many as a digest; `golden_order.txt` holds it for good."""
    parts = [f"program {seed}\n" + "".join(f"{line}\n" for line in trace_of(seed)) for seed in IN_FULL]
    digests = (f"{seed} {hashlib.sha256(repr(trace_of(seed)).encode()).hexdigest()[:16]}" for seed in range(AS_DIGEST))
    return "\n".join([*parts, "digests", *digests]) + "\n"
