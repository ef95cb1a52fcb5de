"""Small workflows for tests of the engine's front, and an engine that knows them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import aion
from aion import testing

go = aion.Signal("go")
number = aion.Signal("number", int)


@dataclass
class Order:
    """A typed argument."""

    id: str
    amount: int = 1


@aion.activity
async def echo(value: Any) -> Any:
    """Give back what was given."""
    return value


@aion.workflow
async def quick(value: Any) -> Any:
    """End at once."""
    return value


@aion.workflow
async def waiting(value: Any = None) -> Any:
    """End when told to."""
    await go.receive()
    return value


@aion.workflow
async def failing(message: str) -> None:
    """Fail."""
    raise aion.ApplicationError(message, "Refused", {"code": 51})


@aion.workflow
async def ordering(order: Order, more: int = 2) -> Order:
    """Typed in and out."""
    return Order(order.id, order.amount + more)


ALL = [echo, quick, waiting, failing, ordering]


def engine(**options: Any) -> testing.TestEngine:
    """An engine that knows all of these."""
    return testing.engine(**{"register": ALL, **options})
