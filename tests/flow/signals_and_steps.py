"""Signals, a query and activities that workflows of several test files speak of; the activities never run."""

from __future__ import annotations

from typing import Any

import aion

go = aion.Signal("go")
number = aion.Signal("number", int)
state = aion.Query("state", str)


@aion.activity
async def charge(amount: int) -> str:
    """Typed."""
    return str(amount)


@aion.activity
async def step(what: Any) -> Any:
    """Of any type."""
    return what
