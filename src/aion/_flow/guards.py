"""What makes plain Python deterministic inside workflows; installed once, when the package is imported.

Each part is inert outside workflows: `dispatch` (asyncio's names lead to our primitives), `anyio_order`, `substitutes`
(clocks, randomness, UUIDs), `refusals` and `audit` (what reaches outside raises `ForbiddenInWorkflow`).
"""

from __future__ import annotations

import asyncio

from aion._flow import anyio_order, audit, dispatch, refusals, substitutes
from aion._flow.substitutes import adopt

__all__ = ["adopt", "install"]

# In asyncio and not here, so that a second copy of this package in one process does not install again.
_MARK = "aion_guards_installed"


def install() -> None:
    """Install all guards; calling it again does nothing."""
    if hasattr(asyncio, _MARK):
        return
    setattr(asyncio, _MARK, True)
    dispatch.install()
    anyio_order.install()
    substitutes.install()
    refusals.install()
    audit.install()
