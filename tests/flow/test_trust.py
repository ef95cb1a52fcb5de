"""What the interpreter does of its own inside workflow code is let pass, and nothing that hides behind it."""

from __future__ import annotations

import sys
import zoneinfo
from types import FrameType
from typing import Any

from aion._flow.trust import is_time_zone, trusted

LOOP = "the.loop"


def stack(*places: tuple[str, str]) -> FrameType:
    """The innermost of frames of functions in modules, outermost first."""
    frame: list[FrameType] = []
    inner: Any = lambda: frame.append(sys._getframe(1))  # noqa: E731
    for module, function in reversed(places):
        scope = {"__name__": module, "inner": inner}
        exec(f"def {function}(): inner()", scope)
        inner = scope[function]
    inner()
    return frame[0]


def test_workflow_code_is_not_trusted() -> None:
    """Nor what it calls."""
    assert not trusted(stack((LOOP, "step"), ("shop", "fulfil")), LOOP)
    assert not trusted(stack((LOOP, "step"), ("shop", "fulfil"), ("pathlib", "read_text")), LOOP)


def test_imports_are_trusted_with_all_that_modules_do_meanwhile() -> None:
    """It happens once in a process, whichever run comes first."""
    importing = (("shop", "fulfil"), ("importlib._bootstrap", "_load"), ("numpy", "module"), ("ctypes", "dlopen"))

    assert trusted(stack((LOOP, "step"), *importing), LOOP)


def test_time_zones_source_lines_logging_and_finalisers_are_trusted() -> None:
    """They are not the doing of the code that they interrupt."""
    for place in (("zoneinfo._common", "load"), ("linecache", "updatecache"), ("logging", "emit"), ("shop", "__del__")):
        assert trusted(stack((LOOP, "step"), ("shop", "fulfil"), place, ("io", "open")), LOOP)


def test_what_lies_below_the_loop_does_not_count() -> None:
    """A program that was started by an import is not trusted for that."""
    assert not trusted(stack(("importlib._bootstrap", "_load"), (LOOP, "step"), ("shop", "fulfil")), LOOP)


def test_without_a_loop_in_sight_nothing_is_trusted() -> None:
    """The whole stack was looked at."""
    assert not trusted(stack(("shop", "fulfil")), LOOP)
    assert not trusted(None, LOOP)


def test_files_of_time_zones_may_be_read() -> None:
    """And not written, nor taken as a way to others."""
    folder = zoneinfo.TZPATH[0]

    assert is_time_zone(f"{folder}/Europe/Oslo", "r")
    assert not is_time_zone(f"{folder}/Europe/Oslo", "w")
    assert not is_time_zone(f"{folder}/../passwd", "r")
    assert not is_time_zone(f"{folder}-other/Europe", "r")
    assert not is_time_zone(3, "r")
