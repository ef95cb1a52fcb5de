"""What users read of runs, and histories as documents."""

from __future__ import annotations

import datetime
import json
from typing import Any

import pytest

from aion._runtime.views import Description, History, HistoryEvent, Page, description_of, event_of_row
from aion.errors import InvalidInput, StoreCorrupt
from aion.stores.base import EventRow, RunRecord

TIME = datetime.datetime(2030, 1, 1, 0, 0, 0, 123456, tzinfo=datetime.UTC)
HISTORY = History(
    [
        HistoryEvent(1, "WorkflowStarted", TIME, {"workflow_type": "w", "input": {"a": 1.0, "ünï": None}}),
        HistoryEvent(2, "WorkflowCompleted", TIME, {"result": 123456789012345678901234567890}),
    ]
)


def test_a_history_survives_its_document() -> None:
    """Times to the microsecond, numbers of any size, text in any language."""
    text = HISTORY.to_json()

    assert History.from_json(text) == HISTORY
    assert json.loads(text)["format"] == "aion.history.1"
    assert len(text.splitlines()) == 4


def test_an_empty_history_is_a_document_too() -> None:
    """With no events in it."""
    assert History.from_json(History().to_json()) == []


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "[]",
        "{}",
        '{"format": "aion.history.2", "events": []}',
        '{"format": "aion.history.1"}',
        '{"format": "aion.history.1", "events": [{}]}',
        '{"format": "aion.history.1", "events": [{"seq": 1, "type": "T", "time": "noon", "data": {}}]}',
        '{"format": "aion.history.1", "events": 7}',
    ],
)
def test_what_is_no_history_is_refused(text: str) -> None:
    """With a typed error."""
    with pytest.raises(InvalidInput, match="this is not a history file"):
        History.from_json(text)


RECORD = RunRecord(
    1,
    "default",
    "order-17",
    2,
    "r1",
    "fulfil",
    "3",
    "parent",
    1_893_456_000_000_000,
    b'{"customer":"ada"}',
    "one",
    "completed",
    1_893_456_000_000_001,
    None,
    None,
    9,
    1_893_456_000_000_001,
    b"",
    512,
)


def test_a_description_shows_all_of_a_record() -> None:
    """Times are aware, attributes decoded."""
    described = description_of(RECORD)

    assert (described.id, described.run_id, described.type, described.status) == (
        "order-17",
        "r1",
        "fulfil",
        "completed",
    )
    assert (described.version, described.namespace, described.parent, described.summary) == (
        "3",
        "default",
        "parent",
        "one",
    )
    assert (described.attributes, described.history_length, described.history_bytes) == ({"customer": "ada"}, 9, 512)
    assert described.started.isoformat() == "2030-01-01T00:00:00+00:00"
    assert described.closed is not None
    assert (described.closed - described.started) == datetime.timedelta(microseconds=1)


def test_an_open_run_has_no_end() -> None:
    """Nor a reason for being blocked."""
    described = description_of(RECORD._replace(closed=None, status="running"))

    assert (described.closed, described.blocked_reason) == (None, None)


def test_an_event_row_is_shown_as_plain_values() -> None:
    """It is decoded strictly first."""
    row = EventRow(1, 2, "SignalReceived", 1_893_456_000_000_000, b"", b'{"name":"s","value":[1,null]}')

    assert event_of_row(row).data == {"name": "s", "value": [1, None]}
    for change in ({"type": "Unheard"}, {"data": b"{}"}, {"data": b"\xff"}):
        changed: dict[str, Any] = change
        with pytest.raises(StoreCorrupt):
            event_of_row(row._replace(**changed))


def test_a_page_tells_whether_more_follow() -> None:
    """It has a length, is gone through, and shows itself."""
    described: list[Description] = [description_of(RECORD)]

    assert (len(Page(described, None)), list(Page(described, "c"))) == (1, described)
    assert repr(Page(described, None)) == "<page of 1 runs>"
    assert repr(Page(described, "c")) == "<page of 1 runs, more follow>"
