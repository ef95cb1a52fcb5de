"""The entropy port: the only place where the runtime gets randomness."""

from __future__ import annotations

import os
import random
from typing import Protocol


class Entropy(Protocol):
    """Random numbers for ids and for the jitter of back-offs."""

    def bytes(self, n: int) -> bytes:
        """`n` random bytes."""

    def spread(self) -> float:
        """A number in [-1, 1]."""


class SystemEntropy:
    """Ids come from the operating system; jitter needs no secrecy."""

    def __init__(self) -> None:
        self._random = random.Random()
        self._pool = b""
        self._used = 0

    def bytes(self, n: int) -> bytes:
        # One system call serves many ids.
        if self._used + n > len(self._pool):
            self._pool = os.urandom(max(4096, n))
            self._used = 0
        self._used += n
        return self._pool[self._used - n : self._used]

    def spread(self) -> float:
        return self._random.uniform(-1.0, 1.0)
