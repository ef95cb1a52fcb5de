"""Runs one example over and over, killed at its first durable write, then at its second, until a run is not hit.

    python -m tests.acceptance.example_driver MAIN.py FOLDER

Each run is a process of its own, forked from this one before it has any thread: that spares it the imports. It works in
a folder of its own, is killed (SIGKILL, from inside: in the middle of a transaction, just after its commit, or when an
activity has done its work and nobody knows yet), and then the program is started again on the same file, unharmed. One
JSON line a position goes to stdout.
"""

from __future__ import annotations

import functools
import itertools
import json
import os
import runpy
import signal
import sys
from collections.abc import Collection
from pathlib import Path

import aion

# What a kill at any other place leaves on disk, and has done in the world, a kill at one of these does too.
MOMENTS = (".mid_tx", ".after_commit", ".before_rename", ".after_rename", "activity.before_report")
SECONDS_MAX = 60


def main(program: str, folder: str) -> None:
    """Print one line a position: where it was killed, what it printed when started again, and how that ended."""
    for position in itertools.count(1):
        place = Path(folder, str(position))
        place.mkdir()
        hit = run(program, place, KillAt(position, place))
        killed = hit == -signal.SIGKILL
        status = run(program, place, None) if killed else hit
        report = {
            "position": position,
            "killed": killed,
            "moment": read(place / "moment"),
            "status": status,
            "output": read(place / "stdout"),
            "errors": read(place / "stderr"),
        }
        print(json.dumps(report), flush=True)
        if not killed:
            return


def run(program: str, place: Path, failpoints: KillAt | None) -> int:
    """Run the program in a forked process; its exit code, or minus the signal that ended it."""
    child = os.fork()
    if child == 0:
        become(program, place, failpoints)
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status)


def become(program: str, place: Path, failpoints: KillAt | None) -> None:
    """Be the program from here on. Never returns."""
    code = 1
    try:
        os.chdir(place)
        for descriptor, name in ((1, "stdout"), (2, "stderr")):
            os.dup2(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), descriptor)
        # What hangs ends itself, and its status says so.
        signal.alarm(SECONDS_MAX)
        if failpoints is not None:
            aion.Engine = functools.partial(aion.Engine, failpoints=failpoints)  # type: ignore[misc,assignment]
        sys.argv = [program, "example.db"]
        runpy.run_path(program, run_name="__main__")
        sys.stdout.flush()
        code = 0
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        os._exit(code)


class KillAt:
    """Failpoints that kill their process at the n-th moment that is reached."""

    def __init__(self, position: int, place: Path) -> None:
        self.position = position
        self.place = place
        self.passed = itertools.count(1)

    def reach(self, name: str, writes: Collection[str] = ()) -> None:
        """Die here, if this is the moment."""
        if name.endswith(MOMENTS) and next(self.passed) == self.position:
            (self.place / "moment").write_text(name, encoding="utf-8")
            os.kill(os.getpid(), signal.SIGKILL)

    def carry(self, writes: Collection[str]) -> None:
        """What a commit carries makes no difference here."""


def read(path: Path) -> str:
    """The text of a file, or nothing if there is none."""
    return path.read_text(encoding="utf-8") if path.exists() else ""


if __name__ == "__main__":
    main(*sys.argv[1:])
