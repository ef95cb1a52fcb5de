"""Calling the command line in this process, and a module of workflows for it to run."""

from __future__ import annotations

import asyncio
import importlib
import json
import sys
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result

from aion._compose import Engine
from aion.cli.main import cli

SHOP = """
import asyncio, os, signal
from dataclasses import dataclass
import aion

approval = aion.Signal("approval", str)

@dataclass
class Order:
    id: str
    amount: int

def note(line):
    with open("notes.txt", "a") as file:
        file.write(line + "\\n")

@aion.activity
def charge(order: Order) -> str:
    note("charge")
    return f"receipt-{order.id}"

@aion.activity
async def ship(receipt: str) -> str:
    if os.path.exists("closed"):
        await asyncio.Event().wait()
    return f"shipped {receipt}"

@aion.workflow
async def fulfil(order: Order) -> str:
    return await ship(await charge(order))

@aion.workflow
async def add(a: int, b: int = 2) -> dict[str, int]:
    return {"sum": a + b}

@aion.workflow
async def hello() -> str:
    return "hel\\x1b[2Jlo\\nyou"

@aion.workflow
async def fail(why: str) -> None:
    raise ValueError(why)

@aion.activity
async def interrupt() -> None:
    os.kill(os.getpid(), signal.SIGINT)

@aion.workflow
async def wait_for_ever() -> None:
    await interrupt()
    await approval.receive()
"""


def aion(*arguments: str, stdin: str | None = None) -> Result:
    """What `aion ARGUMENTS` prints and exits with; not on a terminal."""
    return CliRunner().invoke(cli, arguments, input=stdin, prog_name="aion")


def error_of(result: Result) -> dict[str, Any]:
    """The error that a command with `--json` wrote to stderr."""
    error: dict[str, Any] = json.loads(result.stderr)["error"]
    return error


def write_module(name: str, source: str = SHOP) -> Any:
    """Write a module into the current directory and import it, fresh."""
    Path(f"{name}.py").write_text(source, "utf-8")
    importlib.invalidate_caches()
    sys.modules.pop(name, None)
    return importlib.import_module(name)


def complete(store: str, *calls: tuple[Any, dict[str, Any]], register: list[Any]) -> None:
    """Run workflows to their ends on a store."""

    async def main() -> None:
        async with Engine(store, register=register) as engine:
            for call, options in calls:
                await engine.execute(call, **options)

    asyncio.run(main())
