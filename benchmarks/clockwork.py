"""A profiler made of clocks around functions, wrapped from outside, so that the engine knows nothing of it.

Each wrapped function is charged the processor time of its thread between its beginning and its end, less
that of wrapped functions within it. Time in which the thread waits (for the disk, for another thread, for
the interpreter's lock) is therefore not in it. What the clocks themselves cost is measured first and
subtracted. What no clock covers is the rest of its thread, whose total is known without any clock.
"""

from __future__ import annotations

import functools
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

_processor_ns = time.thread_time_ns
_wall_ns = time.perf_counter_ns


@dataclass(frozen=True, slots=True)
class Probe:
    """A function to wrap: `name` of `owner`, a class or module. Its time is shown as `part`.

    `select` reads a finer name from the arguments, for a function that does several things; None leaves
    the call to the part around it.
    """

    owner: Any
    name: str
    part: str
    select: Callable[[tuple[Any, ...]], str | None] | None = None


@dataclass(slots=True)
class Cell:
    """What one part has used in one thread, in nanoseconds, without the wrapped functions within it."""

    calls: int = 0
    processor: int = 0
    inner_calls: int = 0
    wall: int = 0


@dataclass(frozen=True, slots=True)
class Overhead:
    """What one clock adds, in nanoseconds: to the part that it measures, and to the part around that."""

    inside: float
    around: float


class Clockwork:
    """Cells by thread name and part. Reading is only meaningful while no wrapped function runs."""

    def __init__(self) -> None:
        self._local = threading.local()
        self._cells: dict[str, defaultdict[str, Cell]] = {}

    def reset(self) -> None:
        """Forget what was measured; the threads stay known."""
        for cells in self._cells.values():
            cells.clear()

    def cells(self) -> dict[str, dict[str, Cell]]:
        """What was measured, by thread name and part."""
        return {thread: dict(cells) for thread, cells in self._cells.items()}

    def wrap(self, function: Callable[..., Any], probe: Probe) -> Callable[..., Any]:
        """`function` with a clock around it."""
        local = self._local
        select = probe.select
        fixed = probe.part

        @functools.wraps(function)
        def timed(*args: Any, **kwargs: Any) -> Any:
            part = fixed
            if select is not None:
                found = select(args)
                if found is None:
                    return function(*args, **kwargs)
                part = found
            try:
                stack = local.stack
            except AttributeError:
                stack = self._enter_thread()
            inner = [0, 0, 0]
            stack.append(inner)
            wall = _wall_ns()
            begun = _processor_ns()
            try:
                return function(*args, **kwargs)
            finally:
                spent = _processor_ns() - begun
                waited = _wall_ns() - wall
                stack.pop()
                cell = local.cells[part]
                cell.calls += 1
                cell.processor += spent - inner[0]
                cell.inner_calls += inner[1]
                cell.wall += waited - inner[2]
                around = stack[-1]
                around[0] += spent
                around[1] += 1
                around[2] += waited

        return timed

    def _enter_thread(self) -> list[list[int]]:
        stack = [[0, 0, 0]]
        self._local.stack = stack
        name = threading.current_thread().name
        self._local.cells = self._cells.setdefault(name, defaultdict(Cell))
        return stack

    @contextmanager
    def attached(self, probes: Sequence[Probe]) -> Iterator[None]:
        """Wrap all probes until the block ends."""
        before = []
        for probe in probes:
            original = vars(probe.owner)[probe.name]
            before.append((probe, original))
            setattr(probe.owner, probe.name, self.wrap(original, probe))
        try:
            yield
        finally:
            for probe, original in reversed(before):
                setattr(probe.owner, probe.name, original)


def measure_overhead(calls: int = 20_000) -> Overhead:
    """Wrap a function that does nothing, within another one, and see what is charged to both."""
    clockwork = Clockwork()

    def nothing() -> None:
        pass

    clocked = clockwork.wrap(nothing, Probe(None, "", "inner"))

    def call_clocked() -> None:
        for _ in range(calls):
            clocked()

    def call_plain() -> None:
        for _ in range(calls):
            nothing()

    clockwork.wrap(call_clocked, Probe(None, "", "clocked"))()
    clockwork.wrap(call_plain, Probe(None, "", "plain"))()
    cells = clockwork.cells()[threading.current_thread().name]
    plain = cells["plain"].processor / calls
    inside = cells["inner"].processor / calls
    # The loop around the calls, and the bare call, are not the clock's.
    return Overhead(inside, max(0.0, cells["clocked"].processor / calls - plain))


def thread_processor_ns() -> dict[str, int]:
    """Processor time of every thread so far, by its name."""
    return {
        thread.name: time.clock_gettime_ns(time.pthread_getcpuclockid(thread.ident))
        for thread in threading.enumerate()
        if thread.ident is not None
    }
