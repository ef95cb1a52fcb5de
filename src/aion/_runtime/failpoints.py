"""The failpoint port: the engine says which place it has reached, so that a test may end the process right there.

An engine has no failpoints unless it is given some, and then asks for nothing: no setting, variable or call
arms one. `aion.testing.crash` has the port that does (`ArmedFailpoints.from_environment`).

A commit is reached under its own name and once more for each durable write it carries:
`commit.mid_tx`, `commit.mid_tx[SignalReceived]`, `commit.mid_tx[timers]`. The writes are the types of events
and the kinds of rows, so a new one of either has its failpoints at once.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection
from typing import Protocol

from aion._core.codec import NAME_OF
from aion.stores.base import Flush

EVENTS = tuple(NAME_OF.values())
ROWS = tuple(field.name for field in dataclasses.fields(Flush) if field.default_factory is list)
WRITES = EVENTS + ROWS
"""Every durable write that a commit can carry."""


class Failpoints(Protocol):
    """Told of every place that is reached, on the thread that reaches it."""

    def reach(self, name: str, writes: Collection[str] = ()) -> None:
        """The place `name` is reached, with these durable writes."""

    def carry(self, writes: Collection[str]) -> None:
        """From now on the store's commits carry these writes; the store itself does not know them."""


def writes_of(flush: Flush) -> list[str]:
    """The durable writes of a flush, each once."""
    return [*sorted({row.type for row in flush.events}), *(name for name in ROWS if getattr(flush, name))]
