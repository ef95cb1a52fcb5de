"""How many events, runs and commits a piece of work took: counted at the store's `commit`, from outside.

It costs three additions a commit, a commit holds many events, so the work is not slowed measurably.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from aion.stores.base import Flush, Refusal, Store


@dataclass(slots=True)
class CommitMeter:
    """What was committed while metering. `heads` counts the parts of runs: one each, in every commit."""

    commits: int = 0
    heads: int = 0
    events: int = 0

    def reset(self) -> None:
        """Start from nothing, so that warming up is not counted."""
        self.commits = self.heads = self.events = 0

    @property
    def events_per_commit(self) -> float:
        """The mean size of a commit."""
        return self.events / max(1, self.commits)

    @property
    def events_per_run(self) -> float:
        """The mean number of events that one run adds in one commit."""
        return self.events / max(1, self.heads)


@contextmanager
def metered_commits(store_class: type[Store]) -> Iterator[CommitMeter]:
    """Count what every store of `store_class` commits, until the block ends."""
    meter = CommitMeter()
    commit = store_class.commit

    @functools.wraps(commit)
    def counted(self: Store, flush: Flush) -> dict[int, Refusal]:
        meter.commits += 1
        meter.heads += len(flush.heads)
        meter.events += len(flush.events)
        return commit(self, flush)

    store_class.commit = counted  # type: ignore[method-assign]
    try:
        yield meter
    finally:
        store_class.commit = commit  # type: ignore[method-assign]
