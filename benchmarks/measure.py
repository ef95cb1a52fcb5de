"""How a figure is taken: the payload, the load generators and the reading of memory; standard library only.

The engine and its peers are driven by the same functions, so what the generator costs is the same for all.
"""

from __future__ import annotations

import asyncio
import ctypes
import gc
import json
import math
import statistics
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

PAYLOAD_BYTES = 200


def make_payload() -> dict[str, object]:
    """A JSON object of an order that is `PAYLOAD_BYTES` long when written without spaces."""
    payload: dict[str, object] = {
        "order": "A-10017",
        "customer": "ada@example.org",
        "amount": 9900,
        "currency": "EUR",
        "express": True,
        "note": "",
    }
    payload["note"] = "n" * (PAYLOAD_BYTES - len(json.dumps(payload, separators=(",", ":"))))
    return payload


def freeze_imports() -> None:
    """Take what was imported out of garbage collection, as a long-running service does once it has started.

    Otherwise each full collection walks all modules again, which costs every engine in Python alike.
    """
    gc.collect()
    gc.freeze()


async def run_in_flight(count: int, limit: int, run_one: Callable[[int], Awaitable[object]]) -> float:
    """Seconds that `count` calls of `run_one` take, with at most `limit` of them at any time."""
    numbers = iter(range(count))

    async def take_turns() -> None:
        for number in numbers:
            await run_one(number)

    begun = time.perf_counter()
    await asyncio.gather(*(take_turns() for _ in range(min(limit, count))))
    return time.perf_counter() - begun


async def run_one_at_a_time(count: int, run_one: Callable[[int], Awaitable[object]]) -> list[float]:
    """Milliseconds of each of `count` calls of `run_one`, made one after the other."""
    spans = []
    for number in range(count):
        begun = time.perf_counter()
        await run_one(number)
        spans.append((time.perf_counter() - begun) * 1e3)
    return spans


def percentile(values: Sequence[float], fraction: float) -> float:
    """The value below which `fraction` of `values` lie (nearest rank), NaN of nothing."""
    if not values:
        return math.nan
    ordered = sorted(values)
    return ordered[max(0, math.ceil(fraction * len(ordered)) - 1)]


def median(values: Sequence[float]) -> float:
    """The middle of `values`, NaN of nothing."""
    return statistics.median(values) if values else math.nan


def resident_bytes() -> int:
    """Memory of this process that is in RAM now, after everything free was given back to the system."""
    gc.collect()
    _trim_heap()
    return _status_kib("VmRSS") * 1024


def peak_resident_bytes() -> int:
    """The most memory this process had in RAM at once.

    Read from the process's own address space: the figure of `getrusage` starts at the peak of the parent.
    """
    return _status_kib("VmHWM") * 1024


def _status_kib(field: str) -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        name, _, value = line.partition(":")
        if name == field:
            return int(value.split()[0])
    return 0


def _trim_heap() -> None:
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # absent from C libraries other than glibc
        if trim is not None:
            trim(0)
