"""The folder that the processes of one crash test share, and the names of the files in it."""

from __future__ import annotations

import os
from pathlib import Path

STORE = "store.db"
LEDGER = "effects.jsonl"
CALLS = "calls.jsonl"
MARKS = "kills.jsonl"
REACHED = "reached.json"
_VARIABLE = "AION_CRASH_FOLDER"


def here() -> Path:
    """The folder of the crash test that this process is part of."""
    return Path(os.environ[_VARIABLE])


def environment_of(folder: Path) -> dict[str, str]:
    """What tells a child process where its folder is."""
    return {_VARIABLE: str(folder)}
