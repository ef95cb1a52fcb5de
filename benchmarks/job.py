"""What one child is asked to measure, and what every measurement needs before it begins."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import aion
from aion.stores.base import Store
from benchmarks.definitions import one_step
from benchmarks.measure import make_payload


@dataclass(frozen=True, slots=True)
class Job:
    """What one child is asked to measure. `scale` shrinks the work for quick runs."""

    directory: Path
    scale: float = 1.0
    options: dict[str, str] = field(default_factory=dict)

    def count(self, full: int, least: int = 10) -> int:
        """`full` at scale 1, proportionally less below, never under `least`."""
        return max(least, round(full * self.scale))

    def path(self, name: str = "engine.db") -> str:
        """The path of a database file of this job."""
        return str(self.directory / name)

    def url(self, name: str = "engine.db") -> str:
        """The store URL of that file."""
        return f"sqlite:///{self.path(name)}"


async def warm_up(engine: aion.Engine, prefix: str = "warm-up") -> None:
    """Run a few workflows, which pay for imports, threads and prepared statements."""
    payload = make_payload()
    for number in range(20):
        await engine.execute(one_step(payload), id=f"{prefix}-{number}")


def sqlite_store() -> type[Store]:
    """The class of store that is measured."""
    from aion.stores.sqlite import SqliteStore

    return SqliteStore
