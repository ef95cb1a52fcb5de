"""Where in the user's code a command comes from: file and line, short enough to keep in history."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
import sys
from types import FrameType

_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
_INTERNAL = (_PACKAGE, os.path.dirname(os.path.abspath(asyncio.__file__)) + os.sep, contextlib.__file__)


def caller(depth: int) -> str:
    """The nearest frame, from `depth` frames above this function on, that is neither ours nor asyncio's."""
    frame: FrameType | None = sys._getframe(depth)
    while frame is not None:
        name = short_name(frame.f_code.co_filename)
        if name:
            return f"{name}:{frame.f_lineno}"
        frame = frame.f_back
    return ""


def file_of(frame: FrameType) -> str:
    """The file of a frame's module. `f_code` would tell too, but reading it is audited, and this is done often."""
    name: str | None = frame.f_globals.get("__file__")
    return name if name is not None else frame.f_code.co_filename


@functools.lru_cache(maxsize=1024)
def short_name(filename: str) -> str:
    """A file name with its folder, so that histories name no home directories; "" for internal files.

    Examples and the demo live inside the package but are users of it, so they count as user code.
    """
    if filename.startswith(_INTERNAL) and not filename.startswith(_PACKAGE + "demo"):
        return ""
    folder, base = os.path.split(filename)
    parent = os.path.basename(folder)
    return f"{parent}/{base}" if parent else base
