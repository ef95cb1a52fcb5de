"""Tables: the bars with their verdicts, the figures behind them, and the page made from both."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from benchmarks.bars import Bar, Samples, all_bars
from benchmarks.child import Figures
from benchmarks.measure import median

TEMPLATE = Path(__file__).with_name("performance.template.md")

Row = tuple[str, str, str, float, str]
"""Title, measurement, figure, factor to the unit shown, unit."""


def bar_rows(samples: Samples, only: frozenset[str]) -> list[list[str]]:
    """Title, measured, at least, aim, verdict of each bar of the workloads in `only`."""
    rows = []
    for bar in all_bars():
        if bar.workload in only:
            value = bar.compute(samples)
            rows.append(
                [bar.title, _show(value, bar.unit), _limit(bar, bar.least), _limit(bar, bar.aim), bar.verdict(value)]
            )
    return rows


def print_bars(rows: Sequence[Sequence[str]]) -> None:
    """The table of bars for people, on stdout."""
    heads = ["", "measured", "at least", "aim", ""]
    table = [heads, *rows]
    widths = [max(len(row[column]) for row in table) for column in range(len(heads))]
    for row in table:
        cells = [
            row[0].ljust(widths[0]),
            *(cell.rjust(width) for cell, width in zip(row[1:4], widths[1:4], strict=True)),
        ]
        print("  ".join([*cells, row[4]]).rstrip())


def write_page(page: Path, samples: Samples, result: Figures) -> None:
    """Fill the template with the tables of one whole run."""
    everything = frozenset(bar.workload for bar in all_bars())
    machine = result["machine"]
    peer = next(iter(samples.get("dbos", ())), {}).get("versions", {})
    values = {
        "bars": _markdown(["", "measured", "at least", "aim", "verdict"], bar_rows(samples, everything)),
        "figures": _markdown(["", "median", "lowest – highest", "rounds"], _figure_rows(samples, _figures())),
        "peer": _markdown(["", "median", "lowest – highest", "rounds"], _figure_rows(samples, _peer_figures())),
        "profile": _profile(samples),
        "date": str(result["date"]),
        "commit": str(result["commit"]),
        "rounds": str(result["rounds"]),
        "peer_rounds": str(result["peer_rounds"]),
        "machine": ", ".join(
            [f"{machine['cores']} cores ({machine['processor']})", machine["system"], machine["filesystem"]]
        ),
        "python": machine["python"],
        "apsw": str(machine["versions"]["apsw"]),
        "dbos": str(peer.get("dbos", "not measured")),
        "dbos_sqlite": str(peer.get("sqlite", "not measured")),
    }
    text = TEMPLATE.read_text()
    for name, value in values.items():
        text = text.replace("{{" + name + "}}", value)
    page.write_text(text)


def _figures() -> list[Row]:
    rows: list[Row] = [("raw store, one row a commit", "raw-single", "commits_per_s", 1, "/s")]
    for suffix, loop in (("", ""), ("@uvloop", ", uvloop")):
        rows += [
            (f"W1 workflows{loop}", f"w1{suffix}", "workflows_per_s", 1, "/s"),
            (f"W1 one at a time, p50{loop}", f"w1-latency{suffix}", "p50_ms", 1, " ms"),
            (f"W1 one at a time, p99{loop}", f"w1-latency{suffix}", "p99_ms", 1, " ms"),
            (f"W2 steps{loop}", f"w2{suffix}", "steps_per_s", 1, "/s"),
            (f"W2x steps{loop}", f"w2x{suffix}", "steps_per_s", 1, "/s"),
        ]
    for name in ("w1", "w2x"):
        rows += [
            (f"events of {name.upper().replace('X', 'x')}", name, "events_per_s", 1, "/s"),
            ("— raw store, commits of that size", f"raw-events-{name}", "events_per_s", 1, "/s"),
            ("— events in a commit", name, "events_per_commit", 1, ""),
            ("— events of one run in a commit", name, "events_per_run", 1, ""),
        ]
    for name, how in (("w3", "started 200 at a time"), ("w3-burst", "all due at one moment")):
        rows += [
            (f"W3 lateness p50, {how}", name, "late_p50_ms", 1, " ms"),
            ("— p99", name, "late_p99_ms", 1, " ms"),
            ("— highest", name, "late_max_ms", 1, " ms"),
            ("— last result at its caller", name, "last_result_late_ms", 1, " ms"),
            ("— peak memory of the process", name, "peak_rss_bytes", 2**-20, " MiB"),
        ]
    for count in (2_000, 100_000):
        rows += [
            (
                f"W4 {count:,} asleep: process start to first result",
                f"w4-restart-{count}",
                "first_completed_s",
                1,
                " s",
            ),
            ("— of that, interpreter and imports", f"w4-restart-{count}", "imported_s", 1, " s"),
            ("— memory of the process then", f"w4-restart-{count}", "rss_bytes", 2**-20, " MiB"),
            ("— 100 sleeping runs woken and ended", f"w4-restart-{count}", "sample_reached_ms", 1, " ms"),
            ("— started by `start_many`", f"w4-fill-{count}", "started_per_s", 1, "/s"),
        ]
    rows += [
        ("suspended run kept warm, memory in RAM", "w4-memory", "warm_bytes_per_run", 2**-10, " KiB"),
        ("suspended run evicted, heap", "w4-memory", "evicted_bytes_per_run", 1, " bytes"),
        ("W7 cold replay by the engine, events", "w7", "engine_events_per_s", 1, "/s"),
        ("W7 `aion.testing.replay`, events", "w7", "replay_events_per_s", 1, "/s"),
    ]
    return rows


def _peer_figures() -> list[Row]:
    rows: list[Row] = []
    for name, how in (("dbos", "as it comes"), ("dbos-8", "8 threads")):
        rows += [
            (f"W1 workflows, {how}", name, "w1_workflows_per_s", 1, "/s"),
            ("— one at a time, p50", name, "w1_latency_p50_ms", 1, " ms"),
            ("— one at a time, p99", name, "w1_latency_p99_ms", 1, " ms"),
            ("— W2 steps", name, "w2_steps_per_s", 1, "/s"),
            ("— W2x steps", name, "w2x_steps_per_s", 1, "/s"),
        ]
    return rows


def _figure_rows(samples: Samples, rows: Sequence[Row]) -> list[list[str]]:
    table = []
    for title, name, figure, factor, unit in rows:
        values = [float(figures[figure]) * factor for figures in samples.get(name, ())]
        if values:
            spread = f"{_show(min(values), unit)} – {_show(max(values), unit)}"
            table.append([title, _show(median(values), unit), spread, str(len(values))])
    return table


def _profile(samples: Samples) -> str:
    found = list(samples.get("profile", ()))
    if not found:
        return "Not measured in this run."
    rows = [[row["part"], row["where"], f"{row['us']:.1f}", f"{row['share']:.0%}"] for row in found[-1]["rows"]]
    shape = found[-1]
    summary = (
        f"One step took {shape['wall_us_per_step']:.1f} µs from end to end, in which all threads together used "
        f"{shape['processor_us_per_step']:.1f} µs of the processor; its share of waiting for the disk was "
        f"{shape['disk_wait_us_per_step']:.1f} µs, during which other threads worked."
    )
    return f"{summary}\n\n" + _markdown(["part", "where", "µs per step", "share"], rows)


def _markdown(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _limit(bar: Bar, value: float) -> str:
    return f"{'≤' if bar.lower_is_better else '≥'} {round(value, 2):,g}{bar.unit}"


def _show(value: float, unit: str) -> str:
    if math.isnan(value):
        return "–"
    if value == 0:
        return f"0{unit}"
    digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2
    return f"{value:,.{digits}f}{unit}"
