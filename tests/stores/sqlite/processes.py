"""Scripts in processes of their own, for tests that kill them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

_PRELUDE = """
import os, signal, sys
from aion.stores.sqlite import SqliteStore
from aion.testing.store_rows import Owner, Part
path = sys.argv[1]
"""


@contextmanager
def running(script: str, path: object) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A process that runs `script` on `path`, and the first line it printed. It is killed at the end."""
    process = subprocess.Popen(
        [sys.executable, "-c", _PRELUDE + script, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert process.stdout is not None
    try:
        yield process, process.stdout.readline().strip()
    finally:
        process.kill()
        process.communicate()


def run(script: str, path: object) -> tuple[int, str]:
    """The exit status of a process that runs `script` on `path`, and what it printed."""
    with running(script, path) as (process, first):
        rest, _ = process.communicate()
        return process.returncode, "\n".join(filter(None, [first, rest.strip()]))
