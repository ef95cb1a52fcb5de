"""The feed of committed events to one reader."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from aion._runtime import watch
from aion._runtime.watch import EventFeed
from aion.errors import Unavailable
from aion.stores.base import EventRow, RunFilter
from tests.runtime.worlds import run


def committed(run_id: str, *seqs: int, type: str = "order", status: str = "running", namespace: str = "default") -> Any:
    """What a commit brought to one run."""
    rows = [EventRow(1, seq, "SignalReceived", 1_893_456_000_000_000, b"", b'{"name":"s"}') for seq in seqs]
    return ((namespace, f"w-{run_id}", run_id, type, status), rows)


def read(feed: EventFeed) -> list[tuple[str, int]]:
    """All that a feed holds, once it has ended."""

    async def main() -> list[tuple[str, int]]:
        return [(event.run_id, event.event.seq) async for event in feed]

    feed.end()
    return run(main)


def test_events_come_in_order_until_the_feed_ends() -> None:
    """Of all runs that match."""
    feed = EventFeed(RunFilter("default"))
    feed.put([committed("a", 1, 2), committed("b", 1)])
    feed.put([committed("a", 3)])

    assert read(feed) == [("a", 1), ("a", 2), ("b", 1), ("a", 3)]


@pytest.mark.parametrize(
    ("feed", "runs"),
    [
        (EventFeed(RunFilter(None)), "abcd"),
        (EventFeed(RunFilter("default")), "abc"),
        (EventFeed(RunFilter("default", types=("order",))), "ac"),
        (EventFeed(RunFilter("default", statuses=("running", "failed"))), "ab"),
        (EventFeed(RunFilter("default"), "w-b"), "b"),
        (EventFeed(RunFilter("default"), "w-b", "other"), ""),
    ],
)
def test_only_what_matches_comes(feed: EventFeed, runs: str) -> None:
    """By namespace, type, status, workflow and run."""
    feed.put(
        [
            committed("a", 1),
            committed("b", 1, type="refund"),
            committed("c", 1, status="completed"),
            committed("d", 1, namespace="other"),
        ]
    )

    assert read(feed) == [(each, 1) for each in runs]


def test_a_reader_that_falls_too_far_behind_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """It gets what was kept, then an error that says how to go on; memory is bounded."""
    monkeypatch.setattr(watch, "_BACKLOG_MAX", 3)
    feed = EventFeed(RunFilter("default"))
    for seq in range(1, 10):
        feed.put([committed("a", seq)])

    async def main() -> list[int]:
        got: list[int] = []
        with pytest.raises(Unavailable, match=r"3 events behind .*from_seq"):
            async for event in feed:
                got.append(event.event.seq)
        return got

    assert run(main) == [1, 2, 3]


def test_a_feed_may_end_with_an_error() -> None:
    """After what came before it."""
    feed = EventFeed(RunFilter("default"))
    feed.put([committed("a", 1)])
    feed.end(Unavailable("gone"))

    async def main() -> list[int]:
        got: list[int] = []
        with pytest.raises(Unavailable, match="gone"):
            async for event in feed:
                got.append(event.event.seq)
        return got

    assert run(main) == [1]


def test_a_reader_waits_for_what_has_not_come() -> None:
    """And is woken by it."""

    async def main() -> int:
        feed = EventFeed(RunFilter("default"))
        reading = asyncio.create_task(anext(aiter(feed)))
        await asyncio.sleep(0)
        feed.put([committed("a", 7)])
        return (await reading).event.seq

    assert run(main) == 7
