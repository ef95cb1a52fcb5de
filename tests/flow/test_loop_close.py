"""The end of a run in memory: its code is closed without a trace, and nothing is left to the collector."""

from __future__ import annotations

import asyncio
import gc
import logging
import weakref
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import anyio
import pytest

import aion
from aion._flow.definitions import WorkflowCall
from aion._flow.loop import keep_generators
from tests.flow.story import Story

LOG: list[str] = []
"""What clean-up code did; a test empties it first."""

never = aion.Signal("never")
variable: ContextVar[str] = ContextVar("variable", default="unset")


@aion.activity
async def clean(what: str) -> None:
    """Would be recorded, and must not be."""
    LOG.append(f"cleaned {what}")


@contextmanager
def silence() -> Iterator[None]:
    """Fail if the collector finds a coroutine, task or generator that nobody ended; warnings are errors anyhow."""
    LOG.clear()
    yield
    gc.collect()


def closed(story: Story) -> int:
    """Close a run; how many events its history had gained by that."""
    before = len(story.history)
    story.close()
    assert story.stepper.loop.commands == []
    return len(story.history) - before


def reports_of_closing(call: WorkflowCall[Any], stop: list[bool], caplog: pytest.LogCaptureFixture) -> list[str]:
    """What is reported when a run is closed whose code goes on until there is something in `stop`."""
    with silence():
        story = Story(call)
        with caplog.at_level(logging.ERROR, "aion.workflow"):
            story.close()
        stop.append(True)
        del story
    return [record.getMessage() for record in caplog.records]


async def wait_and_clean(what: str) -> None:
    """Wait for ever, and clean up with an activity, a sleep and a task."""
    try:
        await never.receive()
    finally:
        LOG.append(f"{what} ends")
        try:
            await clean(what)
        finally:
            try:
                await asyncio.sleep(1)
            finally:
                LOG.append(f"{what} has ended")


@aion.workflow
async def tidy() -> None:
    """Cleans up in its own task."""
    await wait_and_clean("main")


@aion.workflow
async def grouped() -> None:
    """Cleans up in three nested tasks of a task group, and in its own."""
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(wait_and_clean("one"))
            async with asyncio.TaskGroup() as inner:
                inner.create_task(wait_and_clean("two"))
                await wait_and_clean("three")
    finally:
        await clean("main")


@aion.workflow
async def gathered() -> None:
    """Waits for several in all the ways there are."""
    tasks = [asyncio.create_task(wait_and_clean(f"w{number}")) for number in range(3)]
    waiting = asyncio.create_task(asyncio.wait(tasks))
    async with asyncio.timeout(60):
        await asyncio.wait_for(asyncio.gather(asyncio.shield(tasks[0]), waiting), 30)


@aion.workflow
async def unstarted() -> None:
    """Leaves tasks that have not had their first step."""
    for number in range(3):
        asyncio.create_task(wait_and_clean(f"u{number}"))  # noqa: RUF006 - that nobody keeps it is the point
    await asyncio.sleep(0)
    await asyncio.gather(*(clean(str(number)) for number in range(3)))


async def counting() -> AsyncIterator[int]:
    """Yields for ever, and cleans up."""
    try:
        while True:
            yield 1
            await asyncio.sleep(1)
    finally:
        LOG.append("generator ends")
        await clean("generator")


@aion.workflow
async def generating() -> None:
    """Holds one generator in use, and has left another early."""
    async for _ in counting():
        break
    async for _ in counting():
        await never.receive()


async def waiting() -> AsyncIterator[int]:
    """Waits while it is asked for a value."""
    try:
        await wait_and_clean("inside")
        yield 1
    finally:
        await clean("generator")


@aion.workflow
async def inside_a_generator() -> None:
    """Waits inside a generator, two coroutines deep."""

    async def loop_over() -> None:
        try:
            async for _ in waiting():
                pass
        finally:
            await clean("main")

    await loop_over()


@aion.workflow
async def in_anyio() -> None:
    """Waits in a task group of anyio."""
    async with anyio.create_task_group() as group:
        group.start_soon(wait_and_clean, "any")
        with anyio.fail_after(60):
            await wait_and_clean("main")


@aion.workflow
async def locked() -> None:
    """Holds a lock, a semaphore and a place in a queue, with others behind it."""
    lock, queue = asyncio.Lock(), asyncio.Queue[int](1)

    async def hold(name: str) -> None:
        async with lock:
            await queue.put(1)
            await wait_and_clean(name)

    await asyncio.gather(*(hold(str(number)) for number in range(4)))


ALL = (tidy, grouped, gathered, unstarted, generating, inside_a_generator, in_anyio, locked)


@pytest.mark.parametrize("workflow", ALL, ids=lambda workflow: workflow.name)
def test_closing_a_run_records_nothing_and_leaves_nothing_behind(workflow: aion.Workflow[[], None]) -> None:
    """Whatever the code waits for: no event, no activity, no warning of a coroutine that was not ended."""
    with silence():
        story = Story(workflow())
        gained = closed(story)
        loop = weakref.ref(story.stepper.loop)
        del story

    assert gained == 0
    assert [line for line in LOG if line.startswith("cleaned")] == []
    assert loop() is None


@pytest.mark.parametrize("workflow", ALL, ids=lambda workflow: workflow.name)
def test_a_closed_run_is_gone_without_the_collector_when_nothing_refers_to_it(
    workflow: aion.Workflow[[], None],
) -> None:
    """After one collection there is no task, loop or frame of it left, so that an evicted run costs no memory."""
    gc.collect()
    before = len([each for each in gc.get_objects() if isinstance(each, asyncio.Task | asyncio.AbstractEventLoop)])
    with silence():
        story = Story(workflow())
        story.close()
        del story
    after = len([each for each in gc.get_objects() if isinstance(each, asyncio.Task | asyncio.AbstractEventLoop)])

    assert after == before


def test_clean_up_code_runs_up_to_its_first_await_and_each_await_ends_it_again() -> None:
    """`finally` blocks run, so that locks are freed and files closed; what they wait for never comes."""
    with silence():
        Story(tidy()).close()

    assert LOG == ["main ends", "main has ended"]


def test_tasks_end_newest_first() -> None:
    """A task's children are gone before it is."""
    with silence():
        Story(grouped()).close()

    assert [line for line in LOG if line.endswith("ends")] == ["two ends", "one ends", "three ends"]


def test_clean_up_that_returns_instead_of_ending_is_the_end() -> None:
    """A coroutine that answers the closing with a value has ended, as one that raises something of its own has."""

    @aion.workflow
    async def returning() -> str:
        try:
            await never.receive()
        except BaseException:
            return "gone"
        return "no"

    @aion.workflow
    async def raising() -> str:
        try:
            await never.receive()
        finally:
            raise ValueError("from clean-up")

    with silence():
        Story(returning()).close()
        Story(raising()).close()


def test_code_that_never_ends_is_given_up_and_reported(caplog: pytest.LogCaptureFixture) -> None:
    """It awaits again each time; after a hundred tries it is left, and the log says which task it is."""
    stop: list[bool] = []

    @aion.workflow
    async def endless() -> None:
        while not stop:
            try:
                await never.receive()
            except BaseException:
                LOG.append("again")

    reported = reports_of_closing(endless(), stop, caplog)

    assert LOG.count("again") == 100 + 1
    assert reported == ["main does not end when it is closed: it was given up after 100 tries"]


def test_a_generator_that_never_ends_is_given_up_and_reported(caplog: pytest.LogCaptureFixture) -> None:
    """One yields again each time, the other only waits at its end and does end."""
    stop: list[bool] = []

    async def yielding() -> AsyncIterator[int]:
        while True:
            try:
                yield 1
            except BaseException:
                LOG.append("again")
                if stop:
                    raise

    async def awaiting() -> AsyncIterator[int]:
        try:
            yield 1
        finally:
            for _ in range(3):
                try:
                    await asyncio.sleep(1)
                except BaseException:
                    LOG.append("awaited again")

    @aion.workflow
    async def endless() -> None:
        for generator in (yielding(), awaiting()):
            async for _ in generator:
                break
        await never.receive()

    reported = reports_of_closing(endless(), stop, caplog)

    assert [report.partition(" at ")[0] for report in reported] == [
        "<async_generator object test_a_generator_that_never_ends_is_given_up_and_reported.<locals>.yielding",
    ]


def test_the_hook_holds_generators_of_workflows_only() -> None:
    """One that another loop began is that loop's matter."""

    async def counted() -> AsyncIterator[int]:
        yield 1

    async def main() -> int:
        generator = counted()
        keep_generators(generator)
        return len([value async for value in generator])

    assert asyncio.run(main()) == 1


def test_clean_up_sees_the_context_of_the_run() -> None:
    """Context variables that the code set are still set."""

    @aion.workflow
    async def setting() -> None:
        variable.set("in the run")
        try:
            await never.receive()
        finally:
            LOG.append(variable.get())

    with silence():
        Story(setting()).close()

    assert (LOG, variable.get()) == (["in the run"], "unset")


def test_clean_up_may_touch_everything_without_harm() -> None:
    """Timers, tasks, futures, locks, signals, predicates: all work or do nothing, none is recorded."""

    @aion.workflow
    async def busy() -> None:
        lock = asyncio.Lock()
        await lock.acquire()
        deadline = asyncio.timeout(60)
        try:
            async with deadline:
                await never.receive()
        finally:
            loop = asyncio.get_running_loop()
            loop.call_soon(LOG.append, "never called")
            loop.call_later(5, LOG.append, "never called").cancel()
            task = loop.create_task(clean("task"))
            task.cancel()
            lock.release()
            aion.logger.info("not written")
            LOG.append(str(aion.now() >= aion.info().started))
            await task

    with silence():
        story = Story(busy())
        gained = closed(story)
        del story

    assert (gained, LOG) == (0, ["True"])


def test_a_finished_run_can_be_closed_and_closing_twice_does_nothing() -> None:
    """Tasks that were left over when the function returned are dropped without a record."""

    @aion.workflow
    async def leaving() -> str:
        asyncio.create_task(wait_and_clean("left over"))  # noqa: RUF006 - that nobody keeps it is the point
        await asyncio.sleep(0)
        return "done"

    with silence():
        story = Story(leaving())
        result = story.result
        gained = closed(story)
        story.close()
        del story

    assert (result, gained, LOG) == ("done", 0, ["left over ends", "left over has ended"])


def test_generators_that_are_left_are_held_until_the_end() -> None:
    """Leaving one early neither runs its clean-up at a moment of the collector's choice, nor piles up ended ones."""

    async def short() -> AsyncIterator[int]:
        yield 1

    @aion.workflow
    async def many() -> None:
        for _ in range(300):
            async for _ in short():
                pass
        for _ in range(3):
            async for _ in counting():
                break
        gc.collect()
        LOG.append("left")
        await never.receive()

    with silence():
        story = Story(many())
        held = len(story.stepper.loop._generators)
        story.close()
        del story

    assert held < 150
    assert ["left", *["generator ends"] * 3] == LOG


@aion.workflow
async def logging_and_looking() -> None:
    """Says something and runs a function aside when it ends."""
    try:
        await never.receive()
    finally:
        aion.logger.warning("ends")
        aion.side_effect(lambda: LOG.append("ran aside"))
        LOG.append("went on")


def test_code_that_is_closed_says_nothing_and_runs_nothing_aside(caplog: pytest.LogCaptureFixture) -> None:
    """Its log lines come when it really ends; a function whose value nobody would record is not called."""
    with silence():
        story = Story(logging_and_looking())
        gained = closed(story)

    assert (gained, LOG, caplog.records) == (0, [], [])
