"""An order: charge the card, wait until a person approves, ship every parcel; give up when nobody approves in time.

    python main.py [FILE.db]

Kill it whenever you like and start it again with the same file: it goes on where it was.
"""

from __future__ import annotations

import asyncio
import sys
from dataclasses import dataclass

import aion


@dataclass
class Order:
    id: str
    parcels: list[str]
    patience: float
    """Seconds until an order that nobody approves expires."""


@dataclass
class Approval:
    by: str


approval = aion.Signal("approval", Approval)


@aion.activity(timeout="30s", retry=aion.Retry(max_attempts=5))
async def charge(order_id: str) -> str:
    # A payment service would get aion.activity_info().idempotency_key here, so that a repeated attempt charges once.
    return f"receipt-{order_id}"


@aion.activity
async def refund(receipt: str) -> None:
    """Gives the money back."""


@aion.activity
def ship(receipt: str, parcel: str) -> str:
    # A plain function runs in a thread, so it may block.
    return f"{parcel} shipped with {receipt}"


@aion.workflow
async def fulfil(order: Order) -> list[str]:
    receipt = await charge(order.id)
    try:
        # The deadline is a row in the store: it passes while no process runs, too.
        async with asyncio.timeout(order.patience):
            approved = await approval.receive()
    except TimeoutError:
        await refund(receipt)
        return ["expired, refunded"]
    async with asyncio.TaskGroup() as group:
        parcels = [group.create_task(ship(receipt, parcel)) for parcel in order.parcels]
    return [f"approved by {approved.by}", *(parcel.result() for parcel in parcels)]


async def main(path: str) -> None:
    async with aion.Engine(f"sqlite:///{path}", register=[fulfil, charge, refund, ship]) as engine:
        # The same ids at every start of the program: a run that is there already is joined, not doubled.
        wanted = Order("17", ["books", "tea"], patience=3600)
        forgotten = Order("18", ["coffee"], patience=0.1)
        runs = [
            await engine.start(fulfil(order), id=f"order-{order.id}", on_conflict="attach")
            for order in (wanted, forgotten)
        ]
        # Asking again with the same request id does nothing more: this line may run at every start.
        await runs[0].signal(approval, Approval(by="ada"), request_id="ada-approves-17")
        for run in runs:
            for line in await run.result():
                print(f"{run.id}: {line}")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1] if len(sys.argv) > 1 else "order_fulfilment.db"))
