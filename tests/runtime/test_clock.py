"""The clock of the machine."""

from __future__ import annotations

import queue
import threading
import time

from aion._runtime.clock import SystemClock


def test_it_tells_wall_time_in_microseconds_and_monotonic_time_in_seconds() -> None:
    """As the standard library does."""
    clock = SystemClock()
    before = time.time_ns() // 1000
    now = clock.now()
    monotonic = clock.monotonic()

    assert before <= now <= time.time_ns() // 1000
    assert monotonic <= clock.monotonic() <= time.monotonic()


def test_waiting_ends_with_a_request_or_with_the_timeout() -> None:
    """Without time, only what is there already is taken."""
    clock = SystemClock()
    inbox: queue.SimpleQueue[str] = queue.SimpleQueue()
    nothing = [clock.wait(inbox, 0.0, None, bool), clock.wait(inbox, 0.001, None, bool)]
    inbox.put("a")
    there = [clock.wait(inbox, 0.0, None, bool), clock.wait(inbox, 0.0, None, bool)]
    threading.Timer(0.01, inbox.put, ["b"]).start()

    assert nothing == [None, None]
    assert there == ["a", None]
    assert clock.wait(inbox, 10.0, None, bool) == "b"
