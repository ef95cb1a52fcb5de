"""Workflows for tests of the engine thread, and an engine whose commits are made beside it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import aion
from aion import testing
from tests.runtime.engine_programs import echo, waiting

item = aion.Signal("item", int)


@aion.workflow
async def collecting() -> list[int]:
    """Collect what is sent until 0 comes."""
    return [value async for value in _until_zero()]


async def _until_zero() -> AsyncIterator[int]:
    async for value in item:
        if value == 0:
            return
        yield value


ALL = [waiting, collecting, echo]


def engine(**options: Any) -> testing.TestEngine:
    """An engine whose commits are made by its writer thread."""
    return testing.engine(**{"register": ALL, "turns_inline_max": 0, **options})
