"""One measurement is one process, so that memory, caches and garbage of one never touch another.

A child prints progress on stderr and, last, one line of JSON on stdout.
"""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
Figures = dict[str, Any]

CHILD_SECONDS_MAX = 600


class MeasurementFailed(Exception):
    """A child ended without figures; the message carries the end of what it wrote."""


@contextmanager
def data_directory() -> Iterator[Path]:
    """A new empty directory on the disk of the project, gone afterwards.

    Not the system's temporary directory: that is in memory on many machines, where fsync is free.
    """
    home = ROOT / ".bench" / "data"
    home.mkdir(parents=True, exist_ok=True)
    path = Path(tempfile.mkdtemp(dir=home))
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def measure_in_child(module: str, arguments: Sequence[str], python: Path | str = sys.executable) -> Figures:
    """The figures that `python -m module arguments` prints.

    Raises:
        MeasurementFailed: it failed, or took longer than `CHILD_SECONDS_MAX`.
    """
    command = [str(python), "-m", module, *arguments]
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=CHILD_SECONDS_MAX)
    except subprocess.TimeoutExpired:
        raise MeasurementFailed(f"{' '.join(command[1:])}: no figures after {CHILD_SECONDS_MAX} s") from None
    if done.returncode:
        end = "\n".join(done.stderr.strip().splitlines()[-15:])
        raise MeasurementFailed(f"{' '.join(command[1:])}: exit status {done.returncode}\n{end}")
    return _parse(done.stdout.strip().splitlines()[-1:])


class DoomedChild:
    """A child that is killed with SIGKILL, in the middle of whatever it does, once it has printed its figures."""

    def __init__(self, module: str, arguments: Sequence[str]) -> None:
        self._command = [sys.executable, "-m", module, *arguments]
        self.started = time.clock_gettime(time.CLOCK_MONOTONIC)
        self._process = subprocess.Popen(self._command, cwd=ROOT, stdout=subprocess.PIPE, text=True)

    def read_figures_then_kill(self) -> Figures:
        """Wait for the line of JSON, then send SIGKILL and wait for the end.

        Raises:
            MeasurementFailed: the child ended before it printed anything.
        """
        assert self._process.stdout is not None
        try:
            line = self._process.stdout.readline()
            if not line:
                status = self._process.wait()
                raise MeasurementFailed(f"{' '.join(self._command[1:])}: exit status {status} before its figures")
            return _parse([line])
        finally:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()
            self._process.stdout.close()


def _parse(lines: list[str]) -> Figures:
    if not lines:
        raise MeasurementFailed("expected a line of JSON from a child, found nothing")
    figures: Figures = json.loads(lines[0])
    return figures
