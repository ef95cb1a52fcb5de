"""A SQLite VFS over the real one that fails on demand, and keeps what a power cut would have left."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import apsw

SECTOR = 512


class Step(NamedTuple):
    """One change of a file, or a sync of it. `data` is None for a sync, an int for a truncation."""

    file: str
    offset: int
    data: bytes | int | None


class TestVFS(apsw.VFS):
    """Registered under `name` while it lives. `fail` is asked before each operation for an error to raise."""

    __test__ = False

    def __init__(self, name: str) -> None:
        self.name = name
        self.steps: list[Step] = []
        self.fail: Callable[[str, str], Exception | None] = lambda operation, file: None
        super().__init__(name, "")

    def xOpen(  # noqa: D102 (SQLite's name, and its meaning)
        self, name: str | apsw.URIFilename | None, flags: list[int]
    ) -> apsw.VFSFile:
        return _File(self, name, flags)

    def check(self, operation: str, file: str) -> None:
        """Fail if that is due."""
        error = self.fail(operation, file)
        if error is not None:
            raise error


class _File(apsw.VFSFile):
    def __init__(self, vfs: TestVFS, name: str | apsw.URIFilename | None, flags: list[int]) -> None:
        self._vfs = vfs
        full = name.filename() if isinstance(name, apsw.URIFilename) else name
        self._file = Path(full).name if full is not None else "temporary"
        super().__init__("", name, flags)

    def xRead(self, amount: int, offset: int) -> bytes:
        self._vfs.check("read", self._file)
        return super().xRead(amount, offset)

    def xWrite(self, data: bytes, offset: int) -> None:
        self._vfs.check("write", self._file)
        super().xWrite(data, offset)
        self._vfs.steps.append(Step(self._file, offset, bytes(data)))

    def xTruncate(self, size: int) -> None:
        self._vfs.check("truncate", self._file)
        super().xTruncate(size)
        self._vfs.steps.append(Step(self._file, 0, size))

    def xSync(self, flags: int) -> None:
        self._vfs.check("sync", self._file)
        super().xSync(flags)
        self._vfs.steps.append(Step(self._file, 0, None))


def after_power_cut(before: dict[str, bytes], steps: list[Step], survives: Callable[[], bool]) -> dict[str, bytes]:
    """The files after a cut at the end of `steps`: all that was synced, and of the rest the sectors that survive."""
    files = {name: bytearray(body) for name, body in before.items()}
    for number, step in enumerate(steps):
        synced = any(later.file == step.file and later.data is None for later in steps[number:])
        body = files.setdefault(step.file, bytearray())
        if isinstance(step.data, int):
            if synced or survives():
                del body[step.data :]
        elif step.data is not None:
            for start, sector in _sectors(step.offset, step.data):
                if synced or survives():
                    _put(body, start, sector)
    return {name: bytes(body) for name, body in files.items()}


def some(seed: int) -> Callable[[], bool]:
    """Half of what was not synced survives, the same half for the same seed."""
    coin = random.Random(seed)
    return lambda: coin.random() < 0.5


def _sectors(offset: int, data: bytes) -> list[tuple[int, bytes]]:
    edges = [offset, *range((offset // SECTOR + 1) * SECTOR, offset + len(data), SECTOR), offset + len(data)]
    return [(start, data[start - offset : end - offset]) for start, end in itertools.pairwise(edges)]


def _put(body: bytearray, offset: int, data: bytes) -> None:
    if len(body) < offset:
        body.extend(bytes(offset - len(body)))
    body[offset : offset + len(data)] = data
