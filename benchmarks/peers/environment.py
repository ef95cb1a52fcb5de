"""The virtual environments of the peers: made at first use, so that nothing of theirs enters the project's own."""

from __future__ import annotations

import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
REQUIREMENTS = Path(__file__).with_name("dbos-requirements.txt")


class PeerUnavailable(Exception):
    """A peer could not be installed, so it is left out of the run."""


def ensure_dbos() -> Path:
    """The Python of an environment in which DBOS, in the pinned version, is installed.

    Raises:
        PeerUnavailable: the installation failed; the message ends with what the installer said.
    """
    home = ROOT / ".bench" / "dbos"
    python = home / "bin" / "python"
    wanted = REQUIREMENTS.read_text()
    stamp = home / "installed.txt"
    if python.exists() and stamp.exists() and stamp.read_text() == wanted:
        return python

    print("benchmarks: installing DBOS in an environment of its own (.bench/dbos)", file=sys.stderr)
    venv.create(home, with_pip=True, clear=True)
    command = [str(python), "-m", "pip", "install", "--quiet", "--requirement", str(REQUIREMENTS)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise PeerUnavailable(f"expected `pip install {wanted.strip()}` to succeed, but it failed: {last}")
    stamp.write_text(wanted)
    return python
