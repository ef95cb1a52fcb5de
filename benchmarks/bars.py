"""The bars: what `make bench` must reach at least, what it aims at, and how each is computed from samples."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from benchmarks.child import Figures
from benchmarks.measure import median

Samples = Mapping[str, Sequence[Figures]]
"""The figures of every round, by the name of the measurement."""

EVICTED_KIB_MAX = 0.02
"""What still counts as no memory: 20 bytes a run, less than the smallest object that could hold on to one."""


@dataclass(frozen=True, slots=True)
class Bar:
    """One line of the table. `workload` is the name by which `--only` selects it."""

    workload: str
    title: str
    least: float
    aim: float
    compute: Callable[[Samples], float]
    unit: str = ""
    lower_is_better: bool = False

    def verdict(self, value: float) -> str:
        """`aim met`, `pass`, `MISS` or `not measured`."""
        if math.isnan(value):
            return "not measured"
        sign = -1 if self.lower_is_better else 1
        if sign * value >= sign * self.aim:
            return "aim met"
        return "pass" if sign * value >= sign * self.least else "MISS"


def all_bars() -> list[Bar]:
    """Every bar, in the order of the report."""
    return [*_against_dbos(), *_against_raw_store(), *_absolute()]


def _against_dbos() -> list[Bar]:
    w1, p50 = ("w1", "workflows_per_s"), ("w1-latency", "p50_ms")
    return [
        Bar("W1", "W1 workflows/s ÷ DBOS", 40, 100, _ratio(w1, ("dbos", "w1_workflows_per_s")), "×"),
        Bar("W1", "W1 workflows/s ÷ DBOS, 8 threads", 40, 100, _ratio(w1, ("dbos-8", "w1_workflows_per_s")), "×"),
        Bar(
            "W1-latency",
            "W1 one at a time, p50 ÷ DBOS",
            1 / 3,
            1 / 5,
            _ratio(p50, ("dbos", "w1_latency_p50_ms")),
            "×",
            lower_is_better=True,
        ),
        Bar(
            "W1-latency",
            "W1 one at a time, p50 ÷ DBOS, 8 threads",
            1 / 3,
            1 / 5,
            _ratio(p50, ("dbos-8", "w1_latency_p50_ms")),
            "×",
            lower_is_better=True,
        ),
    ]


def _against_raw_store() -> list[Bar]:
    raw = ("raw-single", "commits_per_s")
    return [
        Bar("W2", "W2 steps/s ÷ raw single-row commits/s", 0.45, 0.65, _per_round(("w2", "steps_per_s"), raw), "×"),
        Bar("W2x", "W2x steps/s ÷ raw single-row commits/s", 4, 10, _per_round(("w2x", "steps_per_s"), raw), "×"),
        Bar(
            "events",
            "engine events/s ÷ raw store events/s, W2x",
            0.35,
            0.6,
            _per_round(("w2x", "events_per_s"), ("raw-events-w2x", "events_per_s")),
            "×",
        ),
        Bar(
            "events",
            "engine events/s ÷ raw store events/s, W1",
            0.35,
            0.6,
            _per_round(("w1", "events_per_s"), ("raw-events-w1", "events_per_s")),
            "×",
        ),
    ]


def _absolute() -> list[Bar]:
    def worst_earliness(samples: Samples) -> float:
        """Milliseconds by which the earliest timer of all rounds fired before it was due; 0 if none did."""
        earliest = _column(samples, ("w3", "earliest_ms")) + _column(samples, ("w3-burst", "earliest_ms"))
        return max(0.0, -min(earliest)) if earliest else math.nan

    def warm_kib(samples: Samples) -> float:
        return _middle(samples, ("w4-memory", "warm_bytes_per_run")) / 1024

    def evicted_kib(samples: Samples) -> float:
        """Of two ways to look at it, the worse: what is left in the heap, and what 98,000 more sleepers add."""
        heap = _middle(samples, ("w4-memory", "evicted_bytes_per_run"))
        few, many = (_middle(samples, (f"w4-restart-{count}", "rss_bytes")) for count in (2_000, 100_000))
        kib = max(heap, (many - few) / 98_000) / 1024
        return 0.0 if kib < EVICTED_KIB_MAX else kib

    def lower(workload: str, title: str, least: float, aim: float, of: Callable[[Samples], float], unit: str) -> Bar:
        return Bar(workload, title, least, aim, of, unit, lower_is_better=True)

    restart = ("w4-restart-100000", "first_completed_s")
    return [
        lower("W3", "W3 lateness p99", 250, 50, lambda samples: _middle(samples, ("w3", "late_p99_ms")), " ms"),
        lower("W3", "W3 earliest, before due", 0, 0, worst_earliness, " ms"),
        lower("W4", "W4 100,000 asleep: first new workflow", 2, 0.5, lambda samples: _middle(samples, restart), " s"),
        lower("W4", "suspended run, warm", 12, 6, warm_kib, " KiB"),
        lower("W4", "suspended run, evicted", 0, 0, evicted_kib, " KiB"),
        Bar(
            "W7", "W7 replay events/s", 20_000, 60_000, lambda samples: _middle(samples, ("w7", "engine_events_per_s"))
        ),
    ]


Source = tuple[str, str]
"""A measurement and one of its figures."""


def _ratio(ours: Source, theirs: Source) -> Callable[[Samples], float]:
    """The quotient of the medians: for rounds that are not pairs, since the peer has fewer of them."""
    return lambda samples: _middle(samples, ours) / _middle(samples, theirs)


def _per_round(ours: Source, theirs: Source) -> Callable[[Samples], float]:
    """The median of the quotients of each round, so that what slows a whole round down cancels out."""

    def compute(samples: Samples) -> float:
        limits = {figures["round"]: float(figures[theirs[1]]) for figures in samples.get(theirs[0], ())}
        mine = {figures["round"]: float(figures[ours[1]]) for figures in samples.get(ours[0], ())}
        return median([mine[number] / limits[number] for number in mine.keys() & limits.keys()])

    return compute


def _middle(samples: Samples, source: Source) -> float:
    return median(_column(samples, source))


def _column(samples: Samples, source: Source) -> list[float]:
    name, figure = source
    return [float(figures[figure]) for figures in samples.get(name, ())]
