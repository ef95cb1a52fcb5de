"""Activities: attempts that were handed out are run, on the engine's loop or in threads, and reported.

A report is only sent for an attempt that is still wanted; one that was taken back is cancelled and forgotten.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from msgspec import Raw

from aion._core.events import ErrorInfo
from aion._core.inputs import ActivityReported, AttemptLost
from aion._flow.activity_context import AttemptInfo, current_attempt
from aion._flow.definitions import Activity
from aion._flow.failure import info_of
from aion._runtime.failpoints import Failpoints
from aion._runtime.requests import Report
from aion._runtime.settings import Settings
from aion.errors import InvalidInput, Terminal


@dataclass(slots=True)
class ActivityTask:
    """One attempt to run. Made after the commit that recorded its hand-out."""

    run: int
    seq: int
    id: str
    attempt: int
    dispatch: int
    definition: Activity[..., Any]
    input: bytes
    named: bool
    timeout: int | None
    namespace: str
    workflow_id: str
    run_id: str


class Dispatcher:
    """Runs attempts. `launch` and `cancel` are called on the loop that opened the engine."""

    def __init__(
        self, report: Callable[[Report], None], settings: Settings, failpoints: Failpoints | None = None
    ) -> None:
        self._report = report
        self._settings = settings
        self._failpoints = failpoints
        self._tasks: dict[tuple[int, int], asyncio.Task[None]] = {}
        self._infos: dict[tuple[int, int], AttemptInfo] = {}
        self._waiting: deque[ActivityTask] = deque()
        self._threads: ThreadPoolExecutor | None = None
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
        if task.definition.settings.executor == "thread":
            self._launch_thread(task)
        elif len(self._tasks) >= self._settings.inline_activities_max:
            self._waiting.append(task)
        else:
            self._launch_inline(task)

    def cancel(self, run: int, seq: int) -> None:
        """Nobody waits for this attempt any more."""
        key = (run, seq)
        info = self._infos.pop(key, None)
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
        inline = list(self._tasks.values())
        if inline:
            await asyncio.wait(inline, timeout=grace)
        self._closing = True
        for task in list(self._tasks.values()):
            task.cancel()
        for info in list(self._infos.values()):
            info.cancel()
        if inline:
            # A task that ignores its cancellation is left behind; its report no longer has a reader.
            await asyncio.wait(inline, timeout=min(grace, 1.0))
        if self._threads is not None:
            threads = self._threads
            self._threads = None
            waiter = asyncio.get_running_loop().run_in_executor(None, lambda: threads.shutdown(wait=True))
            await asyncio.wait([waiter], timeout=grace)
            threads.shutdown(wait=False, cancel_futures=True)

    # ── inline ───────────────────────────────────────────────────────────────────────────────────

    def _launch_inline(self, task: ActivityTask) -> None:
        running = self._loop.create_task(self._run_inline(task, self._info(task)))
        self._tasks[task.run, task.seq] = running

    async def _run_inline(self, task: ActivityTask, info: AttemptInfo) -> None:
        # The task has a context of its own, which ends with it.
        current_attempt.set(info)
        definition = task.definition
        try:
            args, kwargs = definition.signature.decode_call(task.input, task.named)
            if task.timeout is None:
                value = await definition.fn(*args, **kwargs)
            else:
                async with asyncio.timeout(task.timeout / 1_000_000):
                    value = await definition.fn(*args, **kwargs)
            result = definition.signature.encode_result(value, self._settings.limits.payload_bytes_max)
            self._finish(task, Raw(result), None, "error")
        except asyncio.CancelledError as exc:
            self._cancelled(task, exc)
        except TimeoutError as exc:
            self._finish(task, None, exc, "timeout" if self._out_of_time(task) else "error")
        except Exception as exc:
            self._finish(task, None, exc, "error")
        except BaseException as exc:
            self._finish(task, None, exc, "error")
            raise
        finally:
            self._tasks.pop((task.run, task.seq), None)
            if self._waiting:
                self.launch(self._waiting.popleft())

    def _cancelled(self, task: ActivityTask, exc: asyncio.CancelledError) -> None:
        if self._closing or (task.run, task.seq) not in self._infos:
            return
        running = asyncio.current_task()
        if running is not None and running.cancelling():
            # Somebody else cancelled our task, which says nothing about the work: it is handed out again.
            del self._infos[task.run, task.seq]
            self._report(Report(task.run, task.seq, AttemptLost(task.id)))
        else:
            self._finish(task, None, exc, "error")

    def _out_of_time(self, task: ActivityTask) -> bool:
        info = self._infos.get((task.run, task.seq))
        return info is not None and info.out_of_time()

    # ── threads ──────────────────────────────────────────────────────────────────────────────────

    def _launch_thread(self, task: ActivityTask) -> None:
        if self._threads is None:
            self._threads = ThreadPoolExecutor(self._settings.activity_threads_max, thread_name_prefix="aion-activity")
        info = self._info(task)
        if task.timeout is not None:
            # A thread cannot be stopped: when its time is over the attempt is given up, and whatever it
            # still returns belongs to an attempt that is no longer current.
            self._loop.call_later(task.timeout / 1_000_000, self._give_up, task, info)
        self._threads.submit(self._run_in_thread, task, info)

    def _give_up(self, task: ActivityTask, info: AttemptInfo) -> None:
        if self._infos.get((task.run, task.seq)) is info:
            info.cancel()
            self._finish(task, None, TimeoutError(f"no result within {(task.timeout or 0) / 1_000_000:g} s"), "timeout")

    def _run_in_thread(self, task: ActivityTask, info: AttemptInfo) -> None:
        if info.cancelled:
            return
        context = contextvars.copy_context()
        context.run(current_attempt.set, info)
        definition = task.definition
        try:
            args, kwargs = definition.signature.decode_call(task.input, task.named)
            value = context.run(definition.fn, *args, **kwargs)
            result = definition.signature.encode_result(value, self._settings.limits.payload_bytes_max)
        except BaseException as exc:
            # The thread belongs to the pool: even SystemExit ends the attempt, not the thread.
            self._finish_from_thread(task, info, None, exc)
        else:
            self._finish_from_thread(task, info, Raw(result), None)

    def _finish_from_thread(
        self, task: ActivityTask, info: AttemptInfo, result: Raw | None, exc: BaseException | None
    ) -> None:
        if not info.cancelled and not self._closing:
            self._finish(task, result, exc, "error")

    # ── both ─────────────────────────────────────────────────────────────────────────────────────

    def _info(self, task: ActivityTask) -> AttemptInfo:
        info = AttemptInfo(
            task.definition.name,
            task.id,
            task.attempt,
            task.namespace,
            task.workflow_id,
            task.run_id,
            task.timeout,
            task.dispatch,
        )
        self._infos[task.run, task.seq] = info
        return info

    def _finish(self, task: ActivityTask, result: Raw | None, exc: BaseException | None, kind: str) -> None:
        if self._infos.pop((task.run, task.seq), None) is None:
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
            task.id, task.attempt, task.dispatch, result if result is not None else Raw(b"null"), error, kind, non_retryable
        )
        self._report(Report(task.run, task.seq, report))


