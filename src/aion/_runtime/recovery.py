"""What a former process left behind, found through indexes and taken up a page at a time.

Nothing here grows with the number of sleeping runs: only runs whose work was handed out, runs with unread
inbox rows, and blocked runs whose code has changed are looked at.
"""

from __future__ import annotations

from aion._runtime.registry import Registry
from aion._runtime.residency import MISSING, Residency
from aion.stores.base import Store


class Recovery:
    """Three scans, one after the other, until each has reached its end."""

    def __init__(self, store: Store, shard: int, residency: Residency, registry: Registry, page: int) -> None:
        self._store = store
        self._shard = shard
        self._residency = residency
        self._registry = registry
        self._page = page
        self._busy_after: int | None = -1
        self._inbox_after: int | None = -1
        self._blocked_after: int | None = -1

    @property
    def pending(self) -> bool:
        return not (self._busy_after is self._inbox_after is self._blocked_after is None)

    def look_for_blocked(self) -> None:
        """Code was registered: blocked runs may fit it."""
        self._blocked_after = -1

    def restart(self) -> None:
        """What is in memory was thrown away: begin all over."""
        self._busy_after = self._inbox_after = self._blocked_after = -1

    def page(self) -> list[int]:
        """The next runs to bring into memory, those that are not there yet."""
        if self._busy_after is not None:
            runs = self._store.busy_runs(self._shard, self._busy_after, self._page)
            self._busy_after = runs[-1] if len(runs) == self._page else None
        elif self._inbox_after is not None:
            runs = self._store.inbox_runs(self._shard, self._inbox_after, self._page)
            self._inbox_after = runs[-1] if len(runs) == self._page else None
        elif self._blocked_after is not None:
            records = self._store.blocked_runs(self._shard, self._blocked_after, self._page)
            self._blocked_after = records[-1].run if len(records) == self._page else None
            runs = []
            for record in records:
                if not self._may_fit(record.type, record.blocked_code):
                    continue
                present = self._residency.runs.get(record.run)
                if present is not None and present.busy:
                    # Its turn is under way; it is looked at again when that is over.
                    self._blocked_after = record.run - 1
                    break
                if present is not None:
                    self._residency.drop(present)
                runs.append(record.run)
        else:
            return []
        return [number for number in runs if number not in self._residency.runs]

    def _may_fit(self, type: str, code: str | None) -> bool:
        definition = self._registry.workflows.get(type)
        present = definition.code if definition is not None else MISSING
        return code not in (present, self._residency.too_long)
