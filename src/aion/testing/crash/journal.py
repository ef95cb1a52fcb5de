"""A file of JSON lines, each synced before `append` returns: what it holds happened, whatever was killed since."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any


class Journal:
    """Appends to a file that several processes and threads may share."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = path

    def append(self, entry: dict[str, Any]) -> None:
        """Add one line. It is whole or absent, also when the process is killed meanwhile."""
        fd = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            line = (json.dumps(entry) + "\n").encode()
            written = os.write(fd, line)
            assert written == len(line), f"{self._path}: {written} of {len(line)} bytes were written"
            os.fsync(fd)
        finally:
            os.close(fd)


def read_journal(path: str | os.PathLike[str]) -> list[dict[str, Any]]:
    """All entries, oldest first; none if there is no file."""
    file = Path(path)
    if not file.exists():
        return []
    return [json.loads(line) for line in file.read_text("utf-8").splitlines()]
