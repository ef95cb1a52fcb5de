"""Reading a store without an engine: the same answers as the engine's own."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from aion._compose import Engine, open_store
from aion._flow.definitions import workflow
from aion._runtime.reader import RunReader
from aion._runtime.views import Description, HistoryEvent
from aion.errors import InvalidFilter, InvalidInput, NotFound, StoreError


@workflow
async def double(value: int) -> int:
    """Twice the value."""
    return 2 * value


@pytest.fixture
def url(tmp_path: Path) -> str:
    """A store with five completed runs, numbered."""
    url = f"sqlite:///{tmp_path / 'runs.db'}"

    async def main() -> None:
        async with Engine(url, register=[double]) as engine:
            for number in range(5):
                await engine.execute(double(number), id=f"run-{number}")

    asyncio.run(main())
    return url


def reader_of(url: str, namespace: str = "default") -> RunReader:
    """A read-only reader."""
    return RunReader(open_store(url, read_only=True), namespace)


def ids(runs: object) -> list[str]:
    """The ids of a page."""
    return [run.id for run in runs]  # type: ignore[attr-defined]


def test_it_reads_what_the_engine_reads(url: str) -> None:
    """Lists, descriptions and histories are equal, while the engine has the file open."""

    async def main() -> tuple[list[Description], Description, list[HistoryEvent]]:
        async with Engine(url, register=[double]) as engine:
            handle = engine.get("run-3")
            with reader_of(url) as reader:
                assert list(reader.list('type = "double"')) == list(await engine.list('type = "double"'))
                assert reader.describe("run-3") == await handle.describe()
                assert reader.history("run-3") == await handle.history()
                assert reader.history("run-3", from_seq=2) == await handle.history(from_seq=2)

    asyncio.run(main())


def test_cursors_of_engine_and_reader_are_the_same(url: str) -> None:
    """A page that one began is continued by the other."""

    async def first_page() -> str | None:
        async with Engine(url, register=[double]) as engine:
            return (await engine.list(limit=2)).cursor

    async def rest(cursor: str | None) -> list[str]:
        async with Engine(url, register=[double]) as engine:
            return ids(await engine.list(cursor=cursor))

    with reader_of(url) as reader:
        page = reader.list(limit=2, cursor=asyncio.run(first_page()))

    assert (ids(page), asyncio.run(rest(page.cursor))) == (["run-2", "run-3"], ["run-4"])


def test_pages_end(url: str) -> None:
    """The last page has no cursor, unless it is full."""
    with reader_of(url) as reader:
        cursors = [reader.list(limit=limit).cursor is None for limit in (4, 5, 6)]

    assert cursors == [False, False, True]


def test_namespaces_are_apart(url: str) -> None:
    """A reader of one namespace sees nothing of another."""
    with reader_of(url, "other") as reader:
        with pytest.raises(NotFound):
            reader.describe("run-1")

        assert ids(reader.list()) == []


def test_what_is_not_there_is_not_found(url: str) -> None:
    """An unknown id, and an unknown run of a known id, are told by name."""
    with reader_of(url) as reader:
        with pytest.raises(NotFound, match="no workflow 'lost' in namespace 'default'"):
            reader.history("lost")
        with pytest.raises(NotFound, match="no workflow 'run-1' with run 'lost'"):
            reader.describe("run-1", "lost")


@pytest.mark.parametrize("limit", [0, -1, 10_001])
def test_a_limit_has_bounds(url: str, limit: int) -> None:
    """A page is neither empty nor all there is."""
    with reader_of(url) as reader, pytest.raises(InvalidInput, match="expected 1 to 10,000"):
        reader.list(limit=limit)


@pytest.mark.parametrize("cursor", ["", "!", "bm9uc2Vuc2U=", "é", "WzFd"])
def test_a_cursor_that_no_list_gave_is_refused(url: str, cursor: str) -> None:
    """Whatever it is, the answer is a typed error."""
    with reader_of(url) as reader, pytest.raises(InvalidInput, match="is not one that a list gave"):
        reader.list(cursor=cursor)


def test_a_filter_that_cannot_be_read_is_refused(url: str) -> None:
    """The position of the mistake is told."""
    with reader_of(url) as reader, pytest.raises(InvalidFilter) as caught:
        reader.list("status ~ 3")

    assert caught.value.position == 7


def test_a_closed_reader_reads_no_more(url: str) -> None:
    """`with` closes the store."""
    with reader_of(url) as reader:
        pass
    with pytest.raises(StoreError):
        reader.list()
