"""One run of the suite: which child measures what, in which order, so that rivals are measured side by side.

A round measures everything once, the limits next to what is divided by them. Rounds are repeated, never
the single measurement, so that a machine that slows down slows all of them.
"""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from benchmarks.child import DoomedChild, Figures, MeasurementFailed, data_directory, measure_in_child
from benchmarks.peers.environment import PeerUnavailable, ensure_dbos

WORKLOADS = ("W1", "W1-latency", "W2", "W2x", "events", "W3", "W4", "W7", "profile")
SLEEPING_RUNS = (2_000, 100_000)
WARM_RUNS = 2_000
RAW_EVENTS = 100_000


@dataclass(frozen=True, slots=True)
class Plan:
    """What to run. `scale` below 1 is for a quick look and never for a report."""

    rounds: int = 5
    peer_rounds: int = 3
    scale: float = 1.0
    only: frozenset[str] = frozenset(WORKLOADS)
    peers: bool = True
    uvloop: bool = False


@dataclass(slots=True)
class Session:
    """The samples as they come in, and what went wrong."""

    plan: Plan
    samples: dict[str, list[Figures]] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)
    _begun: float = field(default_factory=time.monotonic)
    _filled: dict[int, Path] = field(default_factory=dict)

    def run(self) -> None:
        """Measure everything that the plan asks for."""
        with ExitStack() as stack:
            dbos = self._find_dbos()
            if "W4" in self.plan.only:
                for count in SLEEPING_RUNS:
                    self._fill(stack.enter_context(data_directory()), count)
            for number in range(1, self.plan.rounds + 1):
                for name, measure in self._round(number, dbos):
                    self._sample(name, measure, number)
            if "profile" in self.plan.only:
                self._sample("profile", partial(self._child, "profile", module="benchmarks.profile_turn"))

    def _round(self, number: int, dbos: Path | None) -> Iterator[tuple[str, Callable[[], Figures]]]:
        only = self.plan.only
        if only & {"W2", "W2x"}:
            yield "raw-single", partial(self._child, "raw-single")
        for workload in ("W2", "W2x", "W1", "W1-latency"):
            name = workload.lower()
            if workload in only or ("events" in only and workload in ("W1", "W2x")):
                yield name, partial(self._child, name)
            if "events" in only and workload in ("W1", "W2x"):
                yield f"raw-events-{name}", partial(self._raw_events, name)
            if workload in only and self.plan.uvloop:
                yield f"{name}@uvloop", partial(self._child, name, "--loop", "uvloop")
        if dbos is not None and number <= self.plan.peer_rounds:
            yield "dbos", partial(self._dbos, dbos)
            yield "dbos-8", partial(self._dbos, dbos, "--threads", "8")
        if "W7" in only:
            yield "w7", partial(self._child, "w7")
        if "W4" in only:
            yield "w4-memory", partial(self._child, "w4-memory", "--option", f"runs={WARM_RUNS}")
            for count in self._filled:
                yield f"w4-restart-{count}", partial(self._restart, count)
        if "W3" in only:
            yield "w3", partial(self._child, "w3")
            yield "w3-burst", partial(self._child, "w3", "--option", "burst=1")

    def _find_dbos(self) -> Path | None:
        if not self.plan.peers or not self.plan.only & {"W1", "W1-latency"}:
            return None
        try:
            return ensure_dbos()
        except PeerUnavailable as error:
            self.failures.append(str(error))
            return None

    def _child(self, name: str, *arguments: str, module: str = "benchmarks.workloads") -> Figures:
        what = [name] if module == "benchmarks.workloads" else []
        with data_directory() as directory:
            return measure_in_child(module, [*what, str(directory), "--scale", str(self.plan.scale), *arguments])

    def _raw_events(self, name: str) -> Figures:
        """Commits of the same size as those of the engine's last run of `name`.

        There are so many of them that the store's own checkpoints are part of the figure, as they are of
        the engine's: until the first one, the store is up to three times as fast.
        """
        shape = self.samples[name][-1]
        events = max(1, round(shape["events_per_run"]))
        runs = max(1, round(shape["events_per_commit"] / events))
        return self._child(
            "raw-events",
            *("--option", f"runs={runs}"),
            *("--option", f"events={events}"),
            *("--option", f"flushes={RAW_EVENTS // (runs * events)}"),
        )

    def _dbos(self, python: Path, *arguments: str) -> Figures:
        scale = 0.1 * self.plan.scale
        with data_directory() as directory:
            module = "benchmarks.peers.dbos_bench"
            return measure_in_child(module, [str(directory), "--scale", str(scale), *arguments], python)

    def _fill(self, directory: Path, count: int) -> None:
        """Make the file with `count` sleeping runs, whose engine dies by SIGKILL."""

        def fill() -> Figures:
            arguments = ["w4-fill", str(directory), "--option", f"runs={self._asleep(count)}"]
            return DoomedChild("benchmarks.workloads", arguments).read_figures_then_kill()

        if self._sample(f"w4-fill-{count}", fill):
            self._filled[count] = directory

    def _restart(self, count: int) -> Figures:
        """Open a copy of the file as the kill left it; the copy is killed too."""
        with data_directory() as directory:
            shutil.copytree(self._filled[count], directory, dirs_exist_ok=True)
            arguments = ["w4-restart", str(directory), "--option", f"runs={self._asleep(count)}"]
            child = DoomedChild("benchmarks.workloads", arguments)
            figures = child.read_figures_then_kill()
        return {
            "imported_s": figures["imported_at"] - child.started,
            "opened_s": figures["opened_at"] - child.started,
            "first_completed_s": figures["completed_at"] - child.started,
            "first_completed_after_import_s": figures["completed_at"] - figures["imported_at"],
            "sample_reached_ms": figures["sample_reached_ms"],
            "rss_bytes": figures["rss_bytes"],
        }

    def _asleep(self, count: int) -> int:
        return max(200, round(count * self.plan.scale))

    def _sample(self, name: str, measure: Callable[[], Figures], number: int = 0) -> bool:
        """Measure, keep and show; whether it worked. `number` is the round, 0 outside of them."""
        where = f"round {number}/{self.plan.rounds}" if number else "once"
        try:
            figures = measure()
        except (MeasurementFailed, KeyError, IndexError) as error:
            self.failures.append(f"{name}: {error}")
            self._say(f"{where} · {name}: FAILED: {error}")
            return False
        self.samples.setdefault(name, []).append({"round": number, **figures})
        shown = ", ".join(f"{key} {value:,.5g}" for key, value in figures.items() if isinstance(value, (int, float)))
        self._say(f"{where} · {name}: {shown}")
        return True

    def _say(self, text: str) -> None:
        minutes, seconds = divmod(round(time.monotonic() - self._begun), 60)
        print(f"{minutes:3}:{seconds:02} {text}", file=sys.stderr, flush=True)
