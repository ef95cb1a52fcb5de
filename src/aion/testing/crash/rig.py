"""The crash rig: starts a program, kills it at a failpoint or at a moment, starts it again until it has ended."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aion.testing.crash.folder import MARKS, REACHED, environment_of
from aion.testing.crash.journal import read_journal


@dataclass(frozen=True)
class Ending:
    """How a process ended, and what it wrote to its standard error."""

    code: int
    error_output: str

    @property
    def killed(self) -> bool:
        """Whether SIGKILL ended it."""
        return self.code == -signal.SIGKILL


class CrashRig:
    """One program in one folder; every `run` is a process of its own.

    `command` is the script with whatever comes before it. Compiled code is kept in `bytecode`, since compiling
    anew in every process would take longer than all the rest. A process that has not ended after `patience`
    seconds is stuck: it is made to show where its threads are, and ended.
    """

    def __init__(self, command: Sequence[str | Path], folder: Path, *, bytecode: Path, patience: float = 20.0) -> None:
        self._command = [str(part) for part in command]
        self._folder = folder
        self._bytecode = bytecode
        self._patience = patience
        self.endings: list[Ending] = []

    def run(self, failpoints: str = "", *, kill_after: float | None = None) -> Ending:
        """Run the program until it ends, by itself, at a failpoint, or `kill_after` seconds after it began."""
        process = subprocess.Popen(
            # Without `site`, which takes a third of the time to start: the path is handed over instead. Warnings
            # are shown, all of them, so that the checker sees them.
            [sys.executable, "-S", "-W", "default", *self._command],
            env=self._environment(failpoints),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        try:
            assert process.stdout is not None
            if kill_after is not None and process.stdout.readline():
                self._wait(process, kill_after)
                process.kill()
            try:
                _, error_output = process.communicate(timeout=self._patience)
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGABRT)
                _, error_output = process.communicate(timeout=self._patience)
        finally:
            process.kill()
            process.wait()
        ending = Ending(process.returncode, error_output.decode(errors="replace"))
        self.endings.append(ending)
        return ending

    def finish(self) -> Ending:
        """Run the program to its end, with nothing in its way."""
        return self.run()

    def kills(self) -> list[dict[str, Any]]:
        """The failpoints that were hit, as the processes noted them before they died."""
        return read_journal(self._folder / MARKS)

    def reached(self) -> dict[str, int]:
        """How often each failpoint was reached in the last process that ended by itself."""
        counts: dict[str, int] = json.loads((self._folder / REACHED).read_text("utf-8"))
        return counts

    def _wait(self, process: subprocess.Popen[bytes], seconds: float) -> None:
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            pass

    def _environment(self, failpoints: str) -> dict[str, str]:
        return {
            **os.environ,
            **environment_of(self._folder),
            "AION_FAILPOINTS": failpoints,
            "AION_FAILPOINTS_MARK": str(self._folder / MARKS),
            "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
            "PYTHONFAULTHANDLER": "1",
            "PYTHONDONTWRITEBYTECODE": "",
            "PYTHONPYCACHEPREFIX": str(self._bytecode),
        }
