"""The programs that are killed, where each of them can be, and the common course of a crash test."""

from __future__ import annotations

import atexit
import functools
import importlib
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

from aion.testing.crash.checker import check
from aion.testing.crash.program import Program
from aion.testing.crash.rig import CrashRig

PROGRAMS = Path(__file__).parent / "programs"
NAMES = sorted(path.stem for path in PROGRAMS.glob("*.py") if path.stem != "sabotage")


def program(name: str) -> Program:
    """A program as the checker needs it: with its model."""
    found: Program = importlib.import_module(f"tests.acceptance.programs.{name}").PROGRAM
    return found


def rig_for(name: str, folder: Path, *, wrapper: Sequence[str | Path] = (), patience: float = 20.0) -> CrashRig:
    """A rig for a program, in a folder that it has for itself."""
    folder.mkdir(parents=True, exist_ok=True)
    return CrashRig([*wrapper, PROGRAMS / f"{name}.py"], folder, bytecode=bytecode(), patience=patience)


def problems_of(name: str, folder: Path, rig: CrashRig) -> list[str]:
    """What the checker finds."""
    return check(folder, program(name).expected(), rig.endings)


@functools.cache
def bytecode() -> Path:
    """Where the processes of this session keep what they compiled."""
    folder = tempfile.mkdtemp(prefix="aion-crash-bytecode-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return Path(folder)


@functools.cache
def reached(name: str) -> dict[str, int]:
    """How often a program reaches each failpoint when nobody kills it."""
    with tempfile.TemporaryDirectory(prefix="aion-crash-") as parent:
        folder = Path(parent) / name
        rig = rig_for(name, folder)
        rig.finish()

        assert problems_of(name, folder, rig) == []

        return rig.reached()
