"""What users read of runs: descriptions, events and pages, made from rows."""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import msgspec

from aion._core.codec import decode_event
from aion._flow.api import from_micros
from aion.stores.base import EventRow, RunRecord


@dataclass(frozen=True, slots=True)
class Description:
    """A run as lists and `describe()` show it. `closed` and `blocked_reason` are None while they do not apply."""

    id: str
    run_id: str
    type: str
    status: str
    version: str | None
    namespace: str
    started: datetime.datetime
    closed: datetime.datetime | None
    attributes: dict[str, Any]
    summary: str | None
    blocked_reason: str | None
    parent: str | None
    history_length: int
    history_bytes: int


@dataclass(frozen=True, slots=True)
class HistoryEvent:
    """One recorded event: its place, type, time, and fields as plain JSON values."""

    seq: int
    type: str
    time: datetime.datetime
    data: dict[str, Any]


class History(list[HistoryEvent]):
    """The events of one run, in order. `to_json` gives what `aion.testing.replay` and `aion replay` read."""

    def to_json(self) -> str:
        """The history as a JSON document, one event a line."""
        lines = [
            json.dumps({"seq": event.seq, "type": event.type, "time": event.time.isoformat(), "data": event.data})
            for event in self
        ]
        return '{"format": "aion.history.1", "events": [\n' + ",\n".join(lines) + "\n]}\n"

    @classmethod
    def from_json(cls, text: str) -> History:
        """The history that `to_json` wrote.

        Raises:
            InvalidInput: this is not such a document.
        """
        from aion.errors import InvalidInput

        try:
            document = json.loads(text)
            if document.get("format") != "aion.history.1":
                raise ValueError(f"its format is {document.get('format')!r}, expected 'aion.history.1'")
            return cls(
                HistoryEvent(entry["seq"], entry["type"], datetime.datetime.fromisoformat(entry["time"]), entry["data"])
                for entry in document["events"]
            )
        except (ValueError, KeyError, TypeError, AttributeError) as exc:
            raise InvalidInput(f"this is not a history file: {exc}") from exc


class Page:
    """Some runs of a list, and the cursor from which the next page goes on; None when this was the last."""

    def __init__(self, runs: list[Description], cursor: str | None) -> None:
        self.runs = runs
        self.cursor = cursor

    def __iter__(self) -> Iterator[Description]:
        return iter(self.runs)

    def __len__(self) -> int:
        return len(self.runs)

    def __repr__(self) -> str:
        return f"<page of {len(self.runs)} runs{', more follow' if self.cursor else ''}>"


def description_of(record: RunRecord) -> Description:
    return Description(
        record.workflow_id,
        record.run_id,
        record.type,
        record.status,
        record.version,
        record.namespace,
        from_micros(record.started),
        None if record.closed is None else from_micros(record.closed),
        msgspec.json.decode(record.attributes),
        record.summary,
        record.blocked_reason,
        record.parent,
        record.seq,
        record.size,
    )


def event_of_row(row: EventRow) -> HistoryEvent:
    """A stored event for users. It is decoded strictly first, so that nothing unknown passes for known.

    Raises:
        StoreCorrupt: the row is not an event of this version.
    """
    decode_event(row.type, row.data)
    return HistoryEvent(row.seq, row.type, from_micros(row.time), json.loads(row.data))
