"""Committed events as they happen, for those who iterate over them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from aion._runtime.views import HistoryEvent, event_of_row
from aion.errors import Unavailable
from aion.stores.base import EventRow, RunFilter

_BACKLOG_MAX = 100_000


@dataclass(frozen=True, slots=True)
class RunEvent:
    """An event together with the run it belongs to."""

    workflow_id: str
    run_id: str
    type: str
    event: HistoryEvent


class EventFeed:
    """A queue between the engine, which puts committed events, and one reader. It is bounded."""

    def __init__(self, wanted: RunFilter, workflow_id: str | None = None, run_id: str | None = None) -> None:
        self._wanted = wanted
        self._workflow_id = workflow_id
        self._run_id = run_id
        self._queue: asyncio.Queue[RunEvent | Exception | None] = asyncio.Queue()
        self._overrun = False

    def put(self, committed: list[tuple[tuple[str, str, str, str, str], list[EventRow]]]) -> None:
        """Take what a commit brought. Called on the engine's event loop."""
        for (namespace, workflow_id, run_id, type, status), rows in committed:
            if self._matches(namespace, workflow_id, run_id, type, status):
                for row in rows:
                    self._put(RunEvent(workflow_id, run_id, type, event_of_row(row)))

    def end(self, error: Exception | None = None) -> None:
        """No more will come; `error` says why, if it is not for a good reason."""
        self._queue.put_nowait(error)

    def _put(self, event: RunEvent) -> None:
        if self._queue.qsize() < _BACKLOG_MAX:
            self._queue.put_nowait(event)
        elif not self._overrun:
            self._overrun = True
            self.end(
                Unavailable(
                    f"this reader fell {_BACKLOG_MAX:,} events behind and was cut off: read the history from the "
                    "last event it saw (from_seq=...) and go on"
                )
            )

    def _matches(self, namespace: str, workflow_id: str, run_id: str, type: str, status: str) -> bool:
        wanted: Any = self._wanted
        return (
            (wanted.namespace is None or namespace == wanted.namespace)
            and (self._workflow_id is None or workflow_id == self._workflow_id)
            and (self._run_id is None or run_id == self._run_id)
            and (not wanted.types or type in wanted.types)
            and (not wanted.statuses or status in wanted.statuses)
        )

    async def __aiter__(self) -> AsyncIterator[RunEvent]:
        while True:
            event = await self._queue.get()
            if event is None:
                return
            if isinstance(event, Exception):
                raise event
            yield event
