"""Lists and events: nothing is missed, nothing comes twice."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from aion.errors import (
    InvalidFilter,
    InvalidInput,
)
from tests.runtime.engine_programs import engine, go, number, quick, waiting
from tests.runtime.worlds import run, seen

# ── lists ────────────────────────────────────────────────────────────────────────────────────────


def test_lists_filter_by_status_and_type() -> None:
    """One, several, both."""

    async def main() -> None:
        async with engine() as aion_engine:
            await aion_engine.start(waiting(), id="a")
            await aion_engine.execute(quick(1), id="b")
            ended = await aion_engine.start(waiting(), id="c")
            await ended.terminate()
            found = {
                filter: [entry.id for entry in await aion_engine.list(filter)]
                for filter in (
                    "",
                    'status = "running"',
                    'type = "waiting"',
                    'status = "terminated" and type = "waiting"',
                    'status in ("running", "completed")',
                    'type = "nobody"',
                    'status = "running" and status = "completed"',
                )
            }

            assert list(found.values()) == [["a", "b", "c"], ["a"], ["a", "c"], ["c"], ["a", "b"], [], []]

    run(main)


def test_a_list_goes_on_from_its_cursor() -> None:
    """No run is missed or shown twice, also when others start meanwhile; the last page has no cursor."""

    async def main() -> None:
        async with engine() as aion_engine:
            await aion_engine.start_many([(waiting(), {"id": f"w{n:02}"}) for n in range(25)])
            pages: list[list[str]] = []
            cursor: str | None = None
            while True:
                page = await aion_engine.list('status = "running"', limit=10, cursor=cursor)
                pages.append([entry.id for entry in page])
                cursor = page.cursor
                if cursor is None:
                    break
                await aion_engine.start(quick(1))

            assert pages == [[f"w{n:02}" for n in range(first, min(first + 10, 25))] for first in (0, 10, 20)]

    run(main)


def test_a_bad_list_is_refused() -> None:
    """A filter points at the character, limits and cursors say what is expected."""

    async def main() -> None:
        async with engine() as aion_engine:
            with pytest.raises(InvalidFilter) as caught:
                await aion_engine.list('status = "running" or x')
            assert caught.value.position == 19
            for limit in (0, -1, 10_001):
                with pytest.raises(InvalidInput, match="limit"):
                    await aion_engine.list(limit=limit)
            for cursor in ("", "nonsense", "bnVsbA==", "WzEsMl0", "\ud800"):
                with pytest.raises(InvalidInput, match="cursor"):
                    await aion_engine.list(cursor=cursor)

    run(main)


# ── events ───────────────────────────────────────────────────────────────────────────────────────


def test_the_events_of_a_run_come_without_gap_or_duplicate_and_end_with_it() -> None:
    """Those recorded first, then live, from any place on."""

    async def main() -> None:
        async with engine() as aion_engine:
            handle = await aion_engine.start(waiting(), id="w")
            for value in range(5):
                await handle.signal(number, value)
            reading = asyncio.create_task(_all(handle.events()))
            late = asyncio.create_task(_all(handle.events(from_seq=4)))
            await seen(handle, "SignalReceived", 5)
            for value in range(5, 20):
                await handle.signal(number, value)
            await handle.signal(go)
            await handle.result()
            history = await handle.history()

            assert await reading == list(history)
            assert await late == list(history)[3:]
            assert await _all(handle.events()) == list(history)
            assert [event.seq for event in history] == list(range(1, 24))

    run(main)


def test_the_events_of_all_runs_come_as_they_commit() -> None:
    """With those recorded before, if asked for; each run's in order; filtered."""

    async def main() -> None:
        async with engine() as aion_engine:
            await aion_engine.execute(quick(1), id="before")
            got: dict[str, list[int]] = {}
            live: list[str] = []

            async def read_all() -> None:
                async for event in aion_engine.events(from_seq=1):
                    got.setdefault(event.workflow_id, []).append(event.event.seq)
                    if event.event.type == "WorkflowTerminated":
                        return

            async def read_some() -> None:
                async for event in aion_engine.events('type = "waiting"'):
                    live.append(f"{event.workflow_id} {event.event.type}")
                    if event.event.type == "WorkflowTerminated":
                        return

            readers = [asyncio.create_task(read_all()), asyncio.create_task(read_some())]
            await asyncio.sleep(0.02)
            await asyncio.gather(*(aion_engine.execute(quick(n), id=f"q{n}") for n in range(10)))
            last = await aion_engine.start(waiting(), id="last")
            await last.terminate()
            await asyncio.gather(*readers)

            assert got == {id: [1, 2] for id in ("before", *(f"q{n}" for n in range(10)), "last")}
            assert live == ["last WorkflowStarted", "last WorkflowTerminated"]

    run(main)


async def _all(events: Any) -> list[Any]:
    return [event async for event in events]
