"""File and line of the user's code, short enough to keep, and without anybody's home directory."""

from __future__ import annotations

import asyncio
import contextlib
import sys

import pytest

from aion._flow import location
from aion._flow.location import caller, file_of, short_name


def test_a_file_is_named_with_its_folder() -> None:
    """Enough to find it, and nothing of the machine it is on."""
    names = ["/srv/ada/shop/flow.py", "flow.py", "shop/flow.py", "", "<string>"]

    assert [short_name(name) for name in names] == ["shop/flow.py", "flow.py", "shop/flow.py", "", "<string>"]


@pytest.mark.parametrize("file", [location.__file__, asyncio.__file__, asyncio.tasks.__file__, contextlib.__file__])
def test_files_of_the_engine_and_of_asyncio_are_not_user_code(file: str) -> None:
    """A line inside them tells nobody anything."""
    assert short_name(file) == ""


def test_the_demo_is_user_code() -> None:
    """It lives in the package, and is shown like anybody's workflow."""
    assert short_name(location._PACKAGE + "demo/workflow.py") == "demo/workflow.py"


def test_the_caller_is_the_nearest_user_frame() -> None:
    """Frames of asyncio in between are passed over."""

    async def main() -> str:
        return caller(1)

    here = caller(1)
    line = sys._getframe().f_lineno - 1

    assert here == f"flow/test_location.py:{line}"
    assert asyncio.run(main()).startswith("flow/test_location.py:")


def test_without_a_user_frame_there_is_no_place(monkeypatch: pytest.MonkeyPatch) -> None:
    """The text is empty rather than wrong."""
    monkeypatch.setattr(location, "short_name", lambda name: "")

    assert caller(1) == ""


def test_the_file_of_a_frame_is_that_of_its_module() -> None:
    """Code that was typed in has none, and is named as the compiler was told."""
    namespace: dict[str, object] = {"sys": sys}
    exec(compile("frame = sys._getframe()", "<typed>", "exec"), namespace)

    assert file_of(sys._getframe()) == __file__
    assert file_of(namespace["frame"]) == "<typed>"  # type: ignore[arg-type]
