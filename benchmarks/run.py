"""The suite's door: `python -m benchmarks.run [--quick] [--only W1,W2] [--rounds 5] [--no-peers] [--no-uvloop]`.

Progress goes to stderr, the table of bars to stdout. A run of everything at full size also writes
`benchmarks/results/<date>-<commit>.json` and `docs/performance.md`; any other run writes its results
below `.bench/`, because figures of a part or of a quick look are not to be compared with anything.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path

from benchmarks.bars import all_bars
from benchmarks.child import ROOT, Figures
from benchmarks.machine import commit_name, describe_machine
from benchmarks.report import bar_rows, print_bars, write_page
from benchmarks.session import WORKLOADS, Plan, Session


def main() -> int:
    """Run the plan that the arguments describe; 1 if anything could not be measured, else 0."""
    options = _parse_arguments()
    plan = _make_plan(options)
    session = Session(plan)
    session.run()

    rows = bar_rows(session.samples, plan.only)
    print_bars(rows)
    for failure in session.failures:
        print(f"benchmarks: not measured: {failure}", file=sys.stderr)
    whole = plan == Plan(rounds=plan.rounds, uvloop=plan.uvloop) and plan.rounds >= 5 and not session.failures
    result = _make_result(session)
    path = _write_result(result, whole)
    print(f"\nresults: {path.relative_to(ROOT)}")
    if whole:
        page = ROOT / "docs" / "performance.md"
        write_page(page, session.samples, result)
        print(f"page: {page.relative_to(ROOT)}")
    return 1 if session.failures else 0


def _parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.run")
    parser.add_argument("--quick", action="store_true", help="one round of a twentieth of the work")
    parser.add_argument("--only", metavar="W1,W2,…", help=f"some of {', '.join(WORKLOADS)}")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--no-peers", action="store_true", help="leave DBOS out")
    parser.add_argument("--no-uvloop", action="store_true", help="leave out the extra figures on uvloop")
    return parser.parse_args()


def _make_plan(options: argparse.Namespace) -> Plan:
    only = frozenset(WORKLOADS)
    if options.only:
        by_name = {name.lower(): name for name in WORKLOADS}
        wanted = [name.strip() for name in options.only.split(",")]
        unknown = [name for name in wanted if name.lower() not in by_name]
        if unknown:
            raise SystemExit(f"--only: expected some of {', '.join(WORKLOADS)}, found {', '.join(unknown)}")
        only = frozenset(by_name[name.lower()] for name in wanted)
    rounds = 1 if options.quick else max(1, options.rounds)
    return Plan(
        rounds=rounds,
        peer_rounds=min(3, rounds),
        scale=0.05 if options.quick else 1.0,
        only=only,
        peers=not options.no_peers,
        uvloop=find_spec("uvloop") is not None and not options.no_uvloop,
    )


def _make_result(session: Session) -> Figures:
    plan = session.plan
    bars = [
        {
            "title": bar.title,
            "measured": None if math.isnan(value) else value,
            "at_least": bar.least,
            "aim": bar.aim,
            "lower_is_better": bar.lower_is_better,
            "verdict": bar.verdict(value),
        }
        for bar in all_bars()
        if bar.workload in plan.only
        for value in [bar.compute(session.samples)]
    ]
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "commit": commit_name(),
        "machine": describe_machine(),
        "rounds": plan.rounds,
        "peer_rounds": plan.peer_rounds,
        "scale": plan.scale,
        "bars": bars,
        "samples": session.samples,
        "failures": session.failures,
    }


def _write_result(result: Figures, whole: bool) -> Path:
    home = ROOT / "benchmarks" / "results" if whole else ROOT / ".bench" / "results"
    home.mkdir(parents=True, exist_ok=True)
    path = home / f"{result['date']}-{result['commit']}.json"
    path.write_text(json.dumps(result, indent=1) + "\n")
    return path


if __name__ == "__main__":
    sys.exit(main())
