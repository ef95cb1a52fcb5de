"""Threads for synchronous activities: as many as there is work for, no more than allowed, and daemons."""

from __future__ import annotations

import threading
from typing import Any

from aion._runtime.runner import ThreadRunner
from aion._runtime.threads import ActivityThreads


def test_jobs_run_in_order_on_one_thread() -> None:
    """With room for one, each waits for the one before."""
    threads = ActivityThreads(1, ThreadRunner())
    order: list[int] = []
    done = threading.Event()
    for number in range(20):
        threads.submit(order.append, number)
    threads.submit(done.set)

    assert done.wait(10)
    assert order == list(range(20))
    threads.close()


def test_threads_are_made_as_they_are_needed() -> None:
    """One that is free is used again; busy ones are joined by others, up to the limit."""
    threads = ActivityThreads(3, ThreadRunner())
    used: set[int] = set()
    for _ in range(10):
        free = threading.Event()

        def job(free: threading.Event = free) -> None:
            used.add(threading.get_ident())
            free.set()

        threads.submit(job)
        assert free.wait(10)
        while threads._unfinished:
            pass
    release, begun = threading.Event(), threading.Semaphore(0)

    def hold() -> None:
        begun.release()
        release.wait(10)

    for _ in range(5):
        threads.submit(hold)
    for _ in range(3):
        assert begun.acquire(timeout=10)
    more = begun.acquire(timeout=0.02)
    release.set()
    threads.close()

    assert (len(used), threads._threads, more) == (1, 3, False)


def test_closing_lets_threads_end_and_lets_none_begin() -> None:
    """Free ones end at once, busy ones after their job."""
    threads = ActivityThreads(2, ThreadRunner())
    release, ended = threading.Event(), threading.Event()
    alive: list[Any] = []

    def hold() -> None:
        alive.append(threading.current_thread())
        release.wait(10)
        ended.set()

    threads.submit(hold)
    while not alive:
        pass
    threads.close()
    release.set()
    alive[0].join(10)

    assert ended.is_set()
    assert not alive[0].is_alive()
    assert alive[0].daemon
