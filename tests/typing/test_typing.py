"""What type checkers say of programs that use the public names."""

from __future__ import annotations

import re
from pathlib import Path

from mypy import api

HERE = Path(__file__).parent


def _complaints(name: str) -> set[int]:
    """The lines of a file that mypy, strict, complains about."""
    report, errors, _ = api.run(["--strict", "--no-error-summary", "--no-incremental", str(HERE / name)])
    assert errors == ""
    return {int(line) for line in re.findall(rf"{name}:(\d+): error", report)}


def test_right_calls_give_no_complaint() -> None:
    """Activities, workflows, signals, queries and handles keep the signatures of what they are made from."""
    assert _complaints("right_calls.py") == set()


def test_every_wrong_call_is_found() -> None:
    """Wrong and missing arguments, payloads, results and handles are errors; the lines around them are not."""
    lines = (HERE / "wrong_calls.py").read_text("utf-8").splitlines()
    marked = {number for number, line in enumerate(lines, 1) if "# wrong:" in line}

    assert _complaints("wrong_calls.py") == marked
