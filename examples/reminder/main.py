"""Reminders at growing intervals, until the person answers or the list is used up.

    python main.py [FILE.db]

The waits here are short, to be watched. A wait of a year is written the same way, costs one row while it lasts, and
ends on time whatever was restarted in between.
"""

from __future__ import annotations

import asyncio
import sys

import aion

answer = aion.Signal("answer", str)


@aion.activity(retry=aion.Retry(max_attempts=10))
async def send(to: str, text: str) -> None:
    """Would send a message."""


@aion.workflow
async def remind(to: str, waits: list[str]) -> str:
    for count, wait in enumerate(waits, start=1):
        try:
            text = await answer.receive(timeout=wait)
        except TimeoutError:
            await send(to, f"reminder {count}")
        else:
            return f"{to} answered {text!r} after {count - 1} reminders"
    return f"{to} never answered {len(waits)} reminders"


async def main(path: str) -> None:
    async with aion.Engine(f"sqlite:///{path}", register=[remind, send]) as engine:
        busy = await engine.start(remind("grace", ["20ms", "40ms", "80ms"]), id="remind-grace", on_conflict="attach")
        quick = await engine.start(remind("ada", ["1h", "1d"]), id="remind-ada", on_conflict="attach")
        await quick.signal(answer, "done", request_id="ada-answers")
        print(await quick.result())
        print(await busy.result())


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1] if len(sys.argv) > 1 else "reminder.db"))
