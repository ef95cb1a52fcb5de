"""A trip of three bookings: all of them, or none. What was booked is given back when a later booking fails.

    python main.py [FILE.db]

The "travel agency" is a folder beside the database with one file a booking. At the end it holds the whole trip and
nothing of the one that failed, however often the program was killed on the way.
"""

from __future__ import annotations

import asyncio
import sys
from dataclasses import dataclass
from pathlib import Path

import aion


@dataclass
class Trip:
    agency: str
    name: str
    parts: list[str]


@aion.activity(retry=aion.Retry(max_attempts=3))
def book(trip: Trip, part: str) -> None:
    if part == "balloon":
        raise aion.Terminal("there is no balloon left")
    # Writing the same file again changes nothing: an attempt may run twice, its effect is there once.
    Path(trip.agency).mkdir(exist_ok=True)
    Path(trip.agency, f"{trip.name}-{part}").write_text("booked\n", encoding="utf-8")


@aion.activity(retry=aion.Retry(initial="100ms"))
def give_back(trip: Trip, part: str) -> None:
    # No limit on attempts: giving back has to succeed in the end. What is gone already is fine.
    Path(trip.agency, f"{trip.name}-{part}").unlink(missing_ok=True)


@aion.workflow
async def travel(trip: Trip) -> str:
    tried: list[str] = []
    try:
        for part in trip.parts:
            # Before the call and not after it: a booking that failed may have got through all the same.
            tried.append(part)
            await book(trip, part)
    except (aion.ActivityFailed, asyncio.CancelledError):
        for part in reversed(tried):
            await give_back(trip, part)
        raise
    return f"{trip.name} is booked: {', '.join(trip.parts)}"


async def main(path: str, agency: str) -> None:
    trips = [Trip(agency, "oslo", ["train", "hotel", "museum"]), Trip(agency, "sahara", ["flight", "tent", "balloon"])]
    async with aion.Engine(f"sqlite:///{path}", register=[travel, book, give_back]) as engine:
        for trip in trips:
            run = await engine.start(travel(trip), id=f"trip-{trip.name}", on_conflict="attach")
            try:
                print(await run.result())
            except aion.WorkflowFailed as failure:
                print(f"{trip.name} is not booked: {failure.error.message}")


if __name__ == "__main__":
    database = sys.argv[1] if len(sys.argv) > 1 else "saga_by_hand.db"
    folder = Path(database).with_suffix(".bookings")
    asyncio.run(main(database, str(folder)))
    print("the agency holds:", ", ".join(sorted(file.name for file in folder.iterdir())))
