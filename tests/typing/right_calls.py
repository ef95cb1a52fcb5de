"""Code that is right: a type checker has nothing to say about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import assert_type

import aion


@dataclass
class Order:
    """What is ordered."""

    id: str
    amount: int


approval = aion.Signal("approval", Order)
stage = aion.Query("stage", str)


@aion.activity
async def charge(order: Order) -> str:
    """Asynchronous, without options."""
    return order.id


@aion.activity(timeout="5s", retry=aion.Retry(max_attempts=3))
async def refund(order: Order, reason: str = "") -> int:
    """Asynchronous, with options."""
    return order.amount


@aion.activity
def weigh(order: Order) -> float:
    """Synchronous, without options."""
    return 1.0


@aion.activity(timeout="5s")
def measure(order: Order) -> list[int]:
    """Synchronous, with options."""
    return [order.amount]


@aion.workflow
async def fulfil(order: Order) -> str:
    """Uses all of them."""
    assert_type(await charge(order), str)
    assert_type(await refund(order, reason="late"), int)
    assert_type(await refund.options(timeout="1m")(order), int)
    assert_type(await weigh(order), float)
    assert_type(await measure(order), list[int])
    assert_type(await approval.receive(), Order)
    assert_type(approval.poll(), Order | None)
    assert_type(aion.side_effect(lambda: 4), int)
    index, value = await aion.race(weigh(order), weigh(order))
    assert_type(index, int)
    assert_type(value, float)
    stage.answer(lambda: "done")
    return order.id


@aion.workflow(name="other", version="2")
async def fulfil_again(order: Order, *, fast: bool = False) -> int:
    """A workflow with options and a keyword-only parameter."""
    return order.amount


async def use(engine: aion.Engine, order: Order) -> None:
    """The outside of a workflow."""
    handle = await engine.start(fulfil(order), id="order-1")
    assert_type(handle, aion.WorkflowHandle[str])
    assert_type(await handle.result(timeout="1h"), str)
    assert_type(await engine.execute(fulfil_again(order, fast=True)), int)
    assert_type(await handle.query(stage), str)
    await handle.signal(approval, order)
    assert_type(aion.run(fulfil(order)), str)


async def test(order: Order) -> None:
    """What tests of users write."""
    async with aion.testing.engine(register=[fulfil]) as engine:
        assert_type(await engine.execute(fulfil(order)), str)
        aion.testing.replay(await engine.get("order-1").history(), fulfil)
    assert issubclass(aion.NotFound, aion.errors.AionError)
