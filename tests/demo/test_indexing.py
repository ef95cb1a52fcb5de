"""Indexing source: the plain functions that the demo's proof compares with."""

from __future__ import annotations

from pathlib import Path

import pytest

from aion.demo.indexing import FileIndex, NameCount, index_source, list_python_files, summarise

SOURCE = b'''
class Shelf:
    """Holds books."""
    def put(self): ...
    async def take(self): ...

def count(): ...
def _hidden(): ...
'''


def test_files_are_listed_in_order_without_packages_and_caches(tmp_path: Path) -> None:
    """Only a library's own source counts, always in one order."""
    for path in ("b.py", "a.py", "sub/c.py", "site-packages/x.py", "sub/__pycache__/y.py", "notes.txt"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).touch()

    assert list_python_files(str(tmp_path)) == ["a.py", "b.py", "sub/c.py"]


def test_a_file_is_counted_and_its_public_names_taken(tmp_path: Path) -> None:
    """Methods count as functions; names are those that others can import."""
    (tmp_path / "shelf.py").write_bytes(SOURCE)

    assert index_source(str(tmp_path), "shelf.py") == FileIndex("shelf.py", 8, 4, 1, ["Shelf", "count"])


@pytest.mark.parametrize(
    ("source", "problem"),
    [(b"def (", "SyntaxError"), (b"# coding: none\n", "SyntaxError"), (b"x = 0777", "SyntaxError")],
)
def test_a_broken_file_is_counted_with_its_problem(tmp_path: Path, source: bytes, problem: str) -> None:
    """What cannot be parsed is part of the index, too."""
    (tmp_path / "broken.py").write_bytes(source)

    assert index_source(str(tmp_path), "broken.py") == FileIndex("broken.py", 1, problem=problem)


def test_a_summary_adds_up() -> None:
    """Totals are sums, and the commonest names come first."""
    pages = [FileIndex("a.py", 3, 1, 1, ["main", "Shelf"]), FileIndex("b.py", 4, 2, 0, ["main"]), FileIndex("c.py", 1)]
    summary = summarise(pages)

    assert (summary.files, summary.lines, summary.functions, summary.classes, summary.names) == (3, 8, 3, 1, 2)
    assert summary.common == [NameCount("main", 2), NameCount("Shelf", 1)]


def test_the_digest_covers_every_field() -> None:
    """Two libraries that differ anywhere have different digests."""
    variants = [
        FileIndex("a.py", 3, 1, 1, ["main"]),
        FileIndex("b.py", 3, 1, 1, ["main"]),
        FileIndex("a.py", 4, 1, 1, ["main"]),
        FileIndex("a.py", 3, 2, 1, ["main"]),
        FileIndex("a.py", 3, 1, 2, ["main"]),
        FileIndex("a.py", 3, 1, 1, ["Main"]),
        FileIndex("a.py", 3, 1, 1, ["main"], "SyntaxError"),
    ]

    assert len({summarise([page]).digest for page in variants}) == len(variants)
