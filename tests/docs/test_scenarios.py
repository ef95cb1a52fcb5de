"""The page of scenarios leaves none out, and names only tests that exist."""

from __future__ import annotations

import ast
import re
from typing import NamedTuple

from tests.docs.pages import ROOT, page

# The scenarios that concern what is built so far, by section.
SCENARIOS = {
    *(1, 2, 4, 5, 7, 8, 10, 11, 13, 14, 16, 17, 19, 20, 22, 23, 25),  # A: start, result, lifecycle
    *(26, 28, 29, 31, 32, 34),  # B: cancel
    *(88, 89, 91, 92, 94, 95, 97, 98, 100, 101, 103, 104, 106, 107, 109, 110, 112, 113),  # G: recording and replay
    *(115, 116, 118, 119, 121, 122, 124, 125, 127, 128),  # H: timers
    *(130, 131, 133, 134, 136, 137, 139, 140, 142),  # I: signals
    *(143, 145, 146, 148, 149, 151, 152, 154, 155, 157, 158),  # J: queries
    *(181, 182, 184, 185, 187, 188, 190, 191, 193, 194, 196, 197, 199, 200),  # L: activities and retries
    *(269, 271, 272, 274, 275, 277, 278, 280, 281, 283, 284, 286, 287, 289, 290, 292, 293, 295, 296),  # Q: stores
}

_ROW = re.compile(r"^\| *(\d+) *\|(.*)\|(.*)\|(.*)\|$", re.M)
_TEST = re.compile(r"`([\w/]+\.py)::(\w+)`")


class Row(NamedTuple):
    """One scenario: its number, its behaviour, the tests as they are written, and the remark beside them."""

    number: int
    behaviour: str
    tests: str
    remark: str


def test_every_scenario_is_listed_once() -> None:
    """None is forgotten, none is there twice, and none is made up."""
    assert [row.number for row in rows()] == sorted(SCENARIOS)


def test_every_scenario_has_a_test_or_a_reason() -> None:
    """What is not tested says why; what is tested names its tests in the form that pytest takes."""
    bare = [row.number for row in rows() if not row.behaviour or not (row.tests or row.remark)]
    odd = [row.number for row in rows() if _TEST.sub("", row.tests).replace("<br>", "")]

    assert (bare, odd) == ([], [])


def test_every_test_named_exists() -> None:
    """In the file that is said to hold it: a test that was renamed or moved is found here."""
    named = {name for row in rows() for name in _TEST.findall(row.tests)}
    held = {path: functions(path) for path, _ in named}

    assert sorted(f"{path}::{name}" for path, name in named if name not in held[path]) == []
    assert [name for _, name in named if not name.startswith("test_")] == []


def rows() -> list[Row]:
    """The rows of all tables on the page."""
    found = _ROW.findall(page("docs/scenarios.md").prose)
    return [Row(int(number), *(cell.strip() for cell in cells)) for number, *cells in found]


def functions(path: str) -> set[str]:
    """The functions and methods that a file defines; none if there is no such file."""
    file = ROOT / path
    if not file.is_file():
        return set()
    tree = ast.parse(file.read_text(encoding="utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
