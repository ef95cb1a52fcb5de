"""What workflow code calls besides asyncio: time, randomness, waiting, and records."""

from __future__ import annotations

import asyncio
import datetime
import functools
import logging
import random as random_module
import uuid
from asyncio import _get_running_loop
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any, TypeVar

from msgspec import Raw

from aion._core import commands as cmd
from aion._core import events as ev
from aion._core.duration import Duration
from aion._core.entropy import uuid4_from
from aion._core.ids import check_name
from aion._flow.converter import codec_for
from aion._flow.current import current_loop
from aion._flow.failure import info_of
from aion._flow.location import caller
from aion._flow.loop import PREDICATE, Dropped, WorkflowLoop
from aion._flow.messages import seconds
from aion._flow.stepper import Stepper
from aion._flow.timeouts import timeout as workflow_timeout
from aion.errors import ApplicationError, QueryFailed

T = TypeVar("T")
_ANYTHING = codec_for(Any)
_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)


@dataclass(frozen=True, slots=True)
class RunInfo:
    """What `aion.info()` tells. Lengths are those of the history up to what the code is reacting to."""

    workflow_id: str
    run_id: str
    type: str
    version: str | None
    namespace: str
    attempt: int
    parent: str | None
    started: datetime.datetime
    history_length: int
    history_bytes: int
    is_replaying: bool


def now() -> datetime.datetime:
    """The time of what the code is reacting to, as an aware UTC datetime; the same on every replay."""
    return from_micros(current_loop("aion.now()").now)


async def sleep(duration: Duration) -> None:
    """`asyncio.sleep` that takes a `Duration` and outlives the process."""
    current_loop("aion.sleep()")
    await asyncio.sleep(seconds(duration))


def random() -> random_module.Random:
    """The run's own random generator: the same numbers on every replay, others in every run."""
    return current_loop("aion.random()").workflow_random()


def uuid4() -> uuid.UUID:
    """A random UUID from the run's own generator."""
    return uuid4_from(random())


def info() -> RunInfo:
    """Who this run is, and how long its history has become."""
    loop = current_loop("aion.info()")
    world: Stepper = loop.world
    started = world.started
    return RunInfo(
        started.workflow_id,
        started.run_id,
        started.workflow_type,
        started.version,
        started.namespace,
        started.attempt,
        started.parent,
        from_micros(loop.started),
        world.history_length,
        world.history_bytes,
        loop.expected is not None,
    )


async def wait_until(predicate: Callable[[], bool], timeout: Duration | None = None) -> None:
    """Wait until the predicate is true. It is looked at after every input and every step of a task.

    Raises:
        TimeoutError: it did not become true within `timeout`.
    """
    if timeout is not None:
        async with workflow_timeout(seconds(timeout)):
            await wait_until(predicate)
        return
    loop = current_loop("aion.wait_until()")
    before = loop.read_only
    loop.read_only = PREDICATE
    try:
        if predicate():
            return
    finally:
        loop.read_only = before
    waiter = loop.create_future()
    # The loop takes it off again, also when the waiter is cancelled.
    loop.predicates.append((predicate, waiter))
    await waiter


async def race(*awaitables: Awaitable[T]) -> tuple[int, T]:
    """Index and value of the first to finish; the others are cancelled. Its exception, if that is how it finished.

    Raises:
        ValueError: there is nothing to race.
    """
    if not awaitables:
        raise ValueError("aion.race() needs at least one awaitable")
    loop = current_loop("aion.race()")
    first: asyncio.Future[int] = loop.create_future()
    tasks = [asyncio.ensure_future(entry) for entry in awaitables]
    for index, task in enumerate(tasks):
        task.add_done_callback(functools.partial(_note_first, first, index))
    try:
        winner = await first
    finally:
        losers = [task for task in tasks if not task.done()]
        for loser in losers:
            loser.cancel()
    if losers:
        # A loser's clean-up is part of the race: it has ended before the code goes on. What it raises
        # while it is cancelled is dropped; it has lost.
        await asyncio.wait(losers)
        for loser in losers:
            loser.cancelled() or loser.exception()
    return winner, tasks[winner].result()


def _note_first(first: asyncio.Future[int], index: int, _: asyncio.Future[Any]) -> None:
    if not first.done():
        first.set_result(index)


def side_effect(fn: Callable[[], T]) -> T:
    """Run a short, non-blocking function once and record its value; replay gives the recorded value.

    Raises:
        ApplicationError: the function raised, or its value cannot be recorded; its `type` says what it was. That
            is recorded too, so that replay raises the same.
    """
    loop = current_loop("aion.side_effect()")
    if loop.closing:
        # The run leaves memory: its clean-up code may do nothing that nobody would record.
        raise Dropped
    world: Stepper = loop.world
    id = loop.next_id()
    at = caller(2)
    if loop.expected is None:
        value, error = _run_aside(loop, fn, world.limits.payload_bytes_max)
        loop.issue(cmd.RecordSideEffect(id, value, at, error))
    else:
        recorded = loop.issue(cmd.RecordSideEffect(id, ev.NO_VALUE, at))
        assert isinstance(recorded, ev.SideEffectRecorded), f"{recorded!r} is no record of a side effect"
        value, error = recorded.value, recorded.error
    if error is not None:
        raise ApplicationError(error.message, error.type)
    result: T = _ANYTHING.decode(bytes(value))
    return result


def _run_aside(loop: WorkflowLoop, fn: Callable[[], Any], limit: int) -> tuple[Raw, ev.ErrorInfo | None]:
    """The encoded value of a function that may compute but not ask for anything, or what is recorded of its error."""
    before = loop.read_only
    loop.read_only = "a side_effect function"
    try:
        return Raw(_ANYTHING.encode(fn(), limit)), None
    except Exception as exc:  # noqa: BLE001 - the function is the user's
        return ev.NO_VALUE, info_of(exc)
    finally:
        loop.read_only = before


def patched(change_id: str) -> bool:
    """True where the new code applies: in runs that first reach here under it. One answer per run and id.

    Raises:
        QueryFailed: the first to ask is code that may only look, where the answer has no place in history.
    """
    loop = current_loop("aion.patched()")
    world: Stepper = loop.world
    answer = world.patches.get(change_id)
    if answer is None:
        check_name(change_id, "change id")
        if loop.read_only:
            raise QueryFailed(f"{loop.read_only} may not record anything: call aion.patched() in the workflow itself")
        if loop.expected is None:
            answer = True
        else:
            recorded = loop.next_recorded()
            answer = isinstance(recorded, ev.PatchMarked) and recorded.change == change_id
        if answer:
            loop.issue(cmd.MarkPatch(change_id, caller(2)))
        world.patches[change_id] = answer
    return answer


class WorkflowLogger(logging.LoggerAdapter[logging.Logger]):
    """An ordinary logger that is silent while replaying and carries the run's ids as fields."""

    def isEnabledFor(self, level: int) -> bool:
        loop = _get_running_loop()
        if type(loop) is WorkflowLoop and (loop.expected is not None or loop.closing):
            return False
        return super().isEnabledFor(level)

    def process(self, msg: Any, kwargs: MutableMapping[str, Any]) -> tuple[Any, MutableMapping[str, Any]]:
        loop = _get_running_loop()
        if type(loop) is WorkflowLoop and loop.world is not None:
            started = loop.world.started
            extra: Mapping[str, Any] = {
                "workflow_id": started.workflow_id,
                "run_id": started.run_id,
                "workflow_type": started.workflow_type,
                **(kwargs.get("extra") or {}),
            }
            kwargs["extra"] = extra
        return msg, kwargs


logger = WorkflowLogger(logging.getLogger("aion.workflow"), {})


def from_micros(micros: int) -> datetime.datetime:
    """Microseconds since the epoch as an aware UTC datetime."""
    return _EPOCH + datetime.timedelta(microseconds=micros)
