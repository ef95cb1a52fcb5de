"""Activities: attempts that were handed out are run, on the engine's loop or in threads, and reported.

A report is only sent for an attempt that is still wanted; one that was taken back is cancelled and forgotten.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
from collections import deque
from collections.abc import Callable
from typing import Any

import msgspec
from msgspec import Raw

from aion._core.events import ErrorInfo
from aion._core.inputs import ActivityReported, AttemptLost
from aion._flow.activity_context import AttemptInfo, current_attempt
from aion._flow.api import from_micros
from aion._flow.definitions import Activity
from aion._flow.failure import info_of
from aion._runtime.clock import Clock
from aion._runtime.failpoints import Failpoints
from aion._runtime.requests import Report
from aion._runtime.runner import Runner
from aion._runtime.settings import Settings
from aion._runtime.threads import ActivityThreads
from aion.errors import InvalidInput, Terminal

AttemptKey = tuple[int, int, int]
"""Shard, run, and the seq of the request."""


class ActivityTask(msgspec.Struct, gc=False):
    """One attempt to run. Made after the commit that recorded its hand-out."""

    shard: int
    run: int
    seq: int
    id: str
    attempt: int
    dispatch: int
    definition: Activity[..., Any]
    executor: str
    input: bytes
    named: bool
    timeout: int | None
    namespace: str
    workflow_id: str
    run_id: str

    @property
    def key(self) -> AttemptKey:
        return (self.shard, self.run, self.seq)


class Dispatcher:
    """Runs attempts. `launch` and `cancel` are called on the loop that opened the engine."""

    def __init__(
        self,
        report: Callable[[Report], None],
        settings: Settings,
        clock: Clock,
        runner: Runner,
        failpoints: Failpoints | None = None,
    ) -> None:
        self._report = report
        self._settings = settings
        self._clock = clock
        self._runner = runner
        self._failpoints = failpoints
        self._tasks: dict[AttemptKey, asyncio.Task[None]] = {}
        self._infos: dict[AttemptKey, AttemptInfo] = {}
        self._waiting: deque[ActivityTask] = deque()
        self._threads: ActivityThreads | None = None
        self._drained: asyncio.Future[None] | None = None
        self._closing = False
        self._loop: asyncio.AbstractEventLoop

    def open(self, loop: asyncio.AbstractEventLoop) -> None:
        """Run attempts on this loop."""
        self._loop = loop

    def launch(self, task: ActivityTask) -> None:
        """Begin an attempt, or queue it when enough run already."""
        if self._closing:
            return
        if self._failpoints is not None:
            self._failpoints.reach("activity.before_start")
        if task.executor == "thread":
            self._launch_thread(task)
        elif len(self._tasks) >= self._settings.inline_activities_max:
            self._waiting.append(task)
        else:
            self._launch_inline(task)

    def cancel(self, key: AttemptKey) -> None:
        """Nobody waits for this attempt any more."""
        info = self._forget(key)
        if info is not None:
            info.cancel()
        running = self._tasks.pop(key, None)
        if running is not None:
            running.cancel()

    @property
    def running(self) -> int:
        """Attempts under way, in threads and on the loop."""
        return len(self._infos)

    async def close(self, grace: float) -> None:
        """Let attempts finish for `grace` seconds; what still runs is given up and handed out again later."""
        self._waiting.clear()
        if self._infos:
            self._drained = self._loop.create_future()
            await asyncio.wait([self._drained], timeout=grace)
        self._closing = True
        inline = list(self._tasks.values())
        for task in inline:
            task.cancel()
        for info in list(self._infos.values()):
            info.cancel()
        if inline:
            # A task that ignores its cancellation is left behind; its report no longer has a reader.
            await asyncio.wait(inline, timeout=min(grace, 1.0))
        if self._threads is not None:
            self._threads.close()

    # ── inline ───────────────────────────────────────────────────────────────────────────────────

    def _launch_inline(self, task: ActivityTask) -> None:
        running = self._loop.create_task(self._run_inline(task, self._info(task)))
        self._tasks[task.key] = running

    async def _run_inline(self, task: ActivityTask, info: AttemptInfo) -> None:
        # The task has a context of its own, which ends with it.
        current_attempt.set(info)
        definition = task.definition
        deadline: asyncio.Timeout | None = None
        try:
            args, kwargs = definition.signature.decode_call(task.input, task.named)
            value = definition.fn(*args, **kwargs)
            if definition.is_async:
                if task.timeout is None:
                    value = await value
                else:
                    deadline = asyncio.timeout(task.timeout / 1_000_000)
                    async with deadline:
                        value = await value
            result = definition.signature.encode_result(value, self._settings.limits.payload_bytes_max)
            self._finish(task, Raw(result), None, "error")
        except asyncio.CancelledError as exc:
            self._cancelled(task, exc)
        except TimeoutError as exc:
            if deadline is not None and deadline.expired():
                self._finish(task, None, _no_result(task), "timeout")
            else:
                self._finish(task, None, exc, "error")
        except Exception as exc:  # noqa: BLE001 - code of users ends here
            self._finish(task, None, exc, "error")
        except BaseException as exc:
            self._finish(task, None, exc, "error")
            raise
        finally:
            self._tasks.pop(task.key, None)
            if self._waiting:
                self.launch(self._waiting.popleft())

    def _cancelled(self, task: ActivityTask, exc: asyncio.CancelledError) -> None:
        if self._closing or task.key not in self._infos:
            return
        running = asyncio.current_task()
        if running is not None and running.cancelling():
            # Somebody else cancelled our task, which says nothing about the work: it is handed out again.
            self._forget(task.key)
            self._report(Report(task.shard, task.run, task.seq, AttemptLost(task.id)))
        else:
            self._finish(task, None, exc, "error")

    # ── threads ──────────────────────────────────────────────────────────────────────────────────

    def _launch_thread(self, task: ActivityTask) -> None:
        if self._threads is None:
            self._threads = ActivityThreads(self._settings.activity_threads_max, self._runner)
        self._threads.submit(self._run_in_thread, task, self._info(task))

    def _watch_time(self, task: ActivityTask, info: AttemptInfo) -> None:
        """A thread began an attempt that has a timeout.

        It cannot be stopped: when its time is over the attempt is given up, and whatever it still returns
        belongs to an attempt that is no longer current.
        """
        assert task.timeout is not None
        self._loop.call_later(task.timeout / 1_000_000, self._give_up, task, info)

    def _give_up(self, task: ActivityTask, info: AttemptInfo) -> None:
        if self._infos.get(task.key) is info:
            info.cancel()
            self._finish(task, None, _no_result(task), "timeout")

    def _run_in_thread(self, task: ActivityTask, info: AttemptInfo) -> None:
        if info.cancelled:
            return
        if task.timeout is not None:
            self._to_loop(self._watch_time, task, info)
        context = contextvars.copy_context()
        context.run(current_attempt.set, info)
        definition = task.definition
        try:
            args, kwargs = definition.signature.decode_call(task.input, task.named)
            value = context.run(definition.fn, *args, **kwargs)
            result = definition.signature.encode_result(value, self._settings.limits.payload_bytes_max)
        except BaseException as exc:  # noqa: BLE001 - code of users ends here
            # The thread belongs to the pool: even SystemExit ends the attempt, not the thread.
            self._finish_from_thread(task, info, None, exc)
        else:
            self._finish_from_thread(task, info, Raw(result), None)

    def _finish_from_thread(
        self, task: ActivityTask, info: AttemptInfo, result: Raw | None, exc: BaseException | None
    ) -> None:
        if not info.cancelled:
            self._finish(task, result, exc, "error")

    def _to_loop(self, callback: Callable[..., None], *args: Any) -> None:
        # The loop may be closed by now; then nobody waits for this attempt either.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(callback, *args)

    # ── both ─────────────────────────────────────────────────────────────────────────────────────

    def _info(self, task: ActivityTask) -> AttemptInfo:
        deadline = None if task.timeout is None else from_micros(self._clock.now() + task.timeout)
        info = AttemptInfo(
            task.definition.name,
            task.id,
            task.attempt,
            task.namespace,
            task.workflow_id,
            task.run_id,
            deadline,
            task.dispatch,
        )
        self._infos[task.key] = info
        return info

    def _forget(self, key: AttemptKey) -> AttemptInfo | None:
        info = self._infos.pop(key, None)
        self._note_drained()
        return info

    def _note_drained(self) -> None:
        if self._drained is not None and not self._infos:
            self._to_loop(_resolve, self._drained)

    def _finish(self, task: ActivityTask, result: Raw | None, exc: BaseException | None, kind: str) -> None:
        if self._closing:
            # It outlived the grace, and is handed out again by the next engine.
            self._forget(task.key)
            return
        if self._infos.pop(task.key, None) is None:
            return
        if self._failpoints is not None:
            self._failpoints.reach("activity.before_report")
        error: ErrorInfo | None = None
        non_retryable = False
        if exc is not None:
            error = info_of(exc)
            # What cannot be encoded or decoded once will not be the next time either.
            non_retryable = isinstance(exc, Terminal | InvalidInput)
        report = ActivityReported(
            task.id,
            task.attempt,
            task.dispatch,
            result if result is not None else Raw(b"null"),
            error,
            kind,
            non_retryable,
        )
        self._report(Report(task.shard, task.run, task.seq, report))
        # Only now: an engine that closes waits for reports, not for the end of functions.
        self._note_drained()


def _resolve(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


def _no_result(task: ActivityTask) -> TimeoutError:
    return TimeoutError(f"no result within {(task.timeout or 0) / 1_000_000:g} s")
