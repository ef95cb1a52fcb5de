"""Code that is wrong: a type checker finds every line that is marked, and no other."""

from __future__ import annotations

import aion
from tests.typing.right_calls import Order, approval, charge, fulfil, measure, refund, stage, weigh


@aion.workflow
async def mistaken(order: Order) -> str:
    """Each marked line is one mistake."""
    await charge("17")  # wrong: a text for an order
    await charge()  # wrong: no argument
    await refund(order, why="late")  # wrong: no such parameter
    await weigh(order, 2)  # wrong: one argument too many
    receipt: int = await charge(order)  # wrong: a text for a number
    sizes: list[str] = await measure(order)  # wrong: numbers for texts
    await refund.options(timeout=object())(order)  # wrong: no duration
    got: str = await approval.receive()  # wrong: an order for a text
    return receipt  # wrong: a number for a text


async def use(engine: aion.Engine, order: Order) -> None:
    """Each marked line is one mistake."""
    handle = await engine.start(fulfil(17))  # wrong: a number for an order
    number: int = await handle.result()  # wrong: a text for a number
    await handle.signal(approval, "yes")  # wrong: a text for an order
    answer: int = await handle.query(stage)  # wrong: a text for a number
    other: aion.WorkflowHandle[int] = await engine.start(fulfil(order))  # wrong: a handle on another result
    await engine.start(fulfil)  # wrong: not a call
