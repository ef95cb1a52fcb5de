"""The guards are installed once in a process, however often that is asked for."""

from __future__ import annotations

import asyncio
import time

from aion._flow import guards


def test_installing_again_changes_nothing() -> None:
    """No wrapper around a wrapper."""
    guards.install()
    before = (time.time, asyncio.TaskGroup.__aenter__, asyncio.wait_for.__code__)
    guards.install()

    assert (time.time, asyncio.TaskGroup.__aenter__, asyncio.wait_for.__code__) == before
    assert not hasattr(time.time.plain, "plain")  # type: ignore[attr-defined]
