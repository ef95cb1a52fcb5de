"""The examples do what they promise: when left alone, when started twice, and when killed at every step.

They are programs like those users write, so a crash that spoils one of them would spoil theirs.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from aion.stores.base import RunFilter
from aion.stores.sqlite import SqliteStore

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = sorted(path.parent.name for path in (ROOT / "examples").glob("*/main.py"))
SECONDS_MAX = 240

Shape = list[tuple[str, str, str, dict[str, int]]]


def test_every_example_has_its_expected_output() -> None:
    """An example without `expected.txt` would be run and not looked at."""
    folders = sorted(path.name for path in (ROOT / "examples").iterdir() if path.is_dir() and path.name[0] not in "._")

    assert [name for name in folders if not (ROOT / "examples" / name / "expected.txt").is_file()] == []
    assert folders == EXAMPLES


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_prints_what_it_promises_also_when_started_again(name: str, tmp_path: Path) -> None:
    """The second start finds everything done, does nothing again, and says the same."""
    program = ROOT / "examples" / name / "main.py"
    outputs, shapes = [], []
    for _ in range(2):
        finished = python(tmp_path, program, tmp_path / "example.db")
        outputs.append(finished.stdout)
        shapes.append(shape(tmp_path / "example.db"))

    assert outputs == [expected(name)] * 2
    assert shapes[0] == shapes[1]


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_survives_a_kill_at_every_step(name: str, tmp_path: Path) -> None:
    """Wherever it is killed, started again it prints what it would have printed, from the same runs and steps."""
    program = ROOT / "examples" / name / "main.py"
    finished = python(tmp_path, "-m", "tests.acceptance.example_driver", program, tmp_path)
    *killed, calm = [json.loads(line) for line in finished.stdout.splitlines()]
    calm_shape = shape(tmp_path / str(calm["position"]) / "example.db")
    wrong = [report for report in killed if spoilt(report, name, tmp_path, calm_shape)]

    assert [report["killed"] for report in (*killed, calm)] == [True] * len(killed) + [False]
    assert len(killed) > 10, "hardly any step was hit: does the driver still reach the failpoints?"
    assert (calm["output"], calm["errors"], calm["status"]) == (expected(name), "", 0)
    assert wrong == []


def spoilt(report: dict[str, Any], name: str, folder: Path, calm: Shape) -> bool:
    """Whether the second start after a kill differs from an undisturbed run; the report then says in what."""
    report["shape"] = shape(folder / str(report["position"]) / "example.db")
    found = (report["status"], report["output"], report["errors"], report["shape"])
    return found != (0, expected(name), "", calm)


def shape(file: Path) -> Shape:
    """The runs in a store, each with its end and how many steps it recorded, by the type of event."""
    store = SqliteStore.open(file, read_only=True)
    try:
        runs = []
        for record in store.list_runs(RunFilter(), 1_000):
            types = Counter(row.type for row in store.history(record.run))
            steps = {type: types[type] for type in ("ActivityScheduled", "ActivityCompleted", "SignalReceived")}
            runs.append((record.workflow_id, record.type, record.status, steps))
        return sorted(runs, key=lambda run: run[0])
    finally:
        store.close()


def expected(name: str) -> str:
    """What an example promises to print."""
    return (ROOT / "examples" / name / "expected.txt").read_text(encoding="utf-8")


def python(folder: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run Python in a folder, with the project on its path and every warning an error; its output, if it succeeded."""
    paths = [str(ROOT), str(ROOT / "src"), *filter(None, [os.environ.get("PYTHONPATH")])]
    finished = subprocess.run(
        [sys.executable, "-W", "error", *map(str, arguments)],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
        capture_output=True,
        text=True,
        timeout=SECONDS_MAX,
        check=False,
    )

    assert (finished.returncode, finished.stderr) == (0, "")
    return finished
