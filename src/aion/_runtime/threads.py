"""Threads for synchronous activities. They are daemons: one that never returns does not keep the process alive."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from typing import Any

from aion._runtime.runner import Runner

_Job = tuple[Callable[..., None], tuple[Any, ...]]


class ActivityThreads:
    """A pool that grows to `threads_max` as jobs come, and runs them in order. Jobs must not raise."""

    def __init__(self, threads_max: int, runner: Runner) -> None:
        self._runner = runner
        self._threads_max = threads_max
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._threads = 0
        self._unfinished = 0

    def submit(self, job: Callable[..., None], *args: Any) -> None:
        """Run a job in some thread, now or when one is free."""
        with self._lock:
            self._unfinished += 1
            if self._unfinished > self._threads and self._threads < self._threads_max:
                self._threads += 1
                name = f"aion-activity-{self._threads}"
                self._runner.start(name, self._work)
        self._jobs.put((job, args))

    def close(self) -> None:
        """Let threads end when they have no job. Those that are busy end later, if ever."""
        with self._lock:
            threads, self._threads_max = self._threads, 0
        for _ in range(threads):
            self._jobs.put(None)

    def _work(self) -> None:
        while True:
            entry = self._jobs.get()
            if entry is None:
                return
            job, args = entry
            try:
                job(*args)
            finally:
                with self._lock:
                    self._unfinished -= 1
            del entry, job, args
