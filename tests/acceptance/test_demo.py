"""The demo, on a small folder: real processes, two real kills, and a proof that can fail."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from aion._compose import open_store
from aion._runtime.reader import RunReader

FILES = 24


@pytest.fixture
def library(tmp_path: Path) -> Path:
    """A folder of small Python files, one of them broken."""
    folder = tmp_path / "library"
    folder.mkdir()
    for number in range(FILES - 1):
        (folder / f"module_{number}.py").write_text(f"class Shelf:\n    def put_{number}(self): ...\n" * (number + 1))
    (folder / "broken.py").write_text("def (")
    return folder


def demo(scratch: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """`aion demo`, without a terminal and without stdin."""
    return subprocess.run(
        [sys.executable, "-m", "aion", "demo", "--pause", "200ms", *options],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env=os.environ | {"TMPDIR": str(scratch), "PYTHONPATH": os.pathsep.join(sys.path)},
    )


def test_the_demo_survives_two_kills_and_proves_it(tmp_path: Path, library: Path) -> None:
    """The engine is killed twice in the middle of its work; every claim holds, and no file is left behind."""
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    result = demo(scratch, "--folder", str(library), "--json")
    outcome: dict[str, Any] = json.loads(result.stdout)

    assert [claim for claim in outcome["proof"] if not claim["holds"]] == []
    assert (result.returncode, outcome["ok"], outcome["files"], result.stderr) == (0, True, FILES, "")
    assert [moment["what"] for moment in outcome["timeline"] if moment["what"] in ("kill", "recovery")] == [
        "kill",
        "recovery",
    ] * 2
    assert outcome["attempts_handed_out_again"] == outcome["attempts_lost"] >= 2
    assert (outcome["result"]["approved_by"], outcome["result"]["summary"]["unparsable"]) == ("the driver", 1)
    assert list(scratch.iterdir()) == []


def test_the_demo_keeps_the_store_that_it_is_given(tmp_path: Path, library: Path) -> None:
    """With --store the run can be looked at afterwards, with the commands that the demo prints."""
    store = f"sqlite:///{tmp_path / 'kept.db'}"
    result = demo(tmp_path, "--folder", str(library), "--store", store, "--seed", "7")
    commands = [line.split() for line in result.stdout.splitlines() if line.startswith("  aion ")]
    looks = [
        subprocess.run(
            [sys.executable, "-m", *command],
            capture_output=True,
            text=True,
            check=False,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        )
        for command in commands
    ]

    assert result.returncode == 0, result.stdout + result.stderr
    assert ("--seed 7" in result.stdout, "all 9 claims hold" in result.stdout) == (True, True)
    assert [command[1] for command in commands] == ["list", "history"]
    assert [look.returncode for look in looks] == [0, 0]
    assert ("index_library" in looks[0].stdout, "WorkflowCompleted" in looks[1].stdout) == (True, True)


def test_a_demo_that_was_killed_itself_goes_on_when_it_is_started_again(tmp_path: Path, library: Path) -> None:
    """Started again on the same store it finishes the run it began: nothing recorded is done twice, all claims hold."""
    file = tmp_path / "kept.db"
    command = [sys.executable, "-m", "aion", "demo", "--folder", str(library), "--store", f"sqlite:///{file}"]
    environment = os.environ | {"TMPDIR": str(tmp_path), "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment
    ) as first:
        assert first.stdout is not None
        for line in first.stdout:
            if "recovered" in line:
                first.kill()
    second = demo(tmp_path, "--folder", str(library), "--store", f"sqlite:///{file}", "--json")
    outcome = json.loads(second.stdout)

    assert second.returncode == 0, second.stdout + second.stderr
    assert [claim for claim in outcome["proof"] if not claim["holds"]] == []
    with RunReader(open_store(f"sqlite:///{file}", read_only=True)) as reader:
        assert [(run.id, run.status) for run in reader.list()] == [(outcome["id"], "completed")]


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="needs a file that reads differently in each process")
def test_the_demo_fails_when_a_proof_does(tmp_path: Path, library: Path) -> None:
    """A file that the driver finds changed makes the demo exit with 1 and say which claim does not hold."""
    (library / "changing.py").symlink_to("/proc/self/maps")
    result = demo(tmp_path, "--folder", str(library))

    assert (result.returncode, result.stderr) == (1, "")
    assert "FAIL  the result equals a direct computation" in result.stdout
    assert "claims do NOT hold" in result.stdout


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (["--folder", "nowhere"], 3, "there is no folder 'nowhere'"),
        (["--folder", "."], 2, "holds no Python files"),
        (["--folder", "library", "--store", "memory:"], 2, "does not survive a kill"),
        (["--folder", "library", "--store", "sqlite:////no/such/folder/x.db"], 4, "does not exist"),
        (["--folder", "library", "--pause", "soon"], 2, "soon"),
        (["--seed", "-1"], 2, "--seed"),
    ],
)
def test_a_demo_that_cannot_be_is_refused(
    tmp_path: Path, library: Path, monkeypatch: pytest.MonkeyPatch, options: list[str], code: int, message: str
) -> None:
    """What cannot work is told before any process starts."""
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty" if "." in options else tmp_path)
    result = demo(tmp_path, *options)

    assert (result.returncode, result.stdout) == (code, "")
    assert message in result.stderr
