"""A client whose calls are logged before and after: what was asked, and what was answered, if anything.

Calls have names. A process that takes over from a killed one makes the calls that were never answered again,
with the same request id, and takes the answers of the others from the log: as a client does that survives.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aion._compose import Engine
from aion._flow.definitions import WorkflowCall
from aion._flow.messages import Signal
from aion._runtime.handle import WorkflowHandle
from aion.errors import (
    ConflictError,
    RequestError,
    WorkflowCancelled,
    WorkflowFailed,
    WorkflowTerminated,
)
from aion.testing.crash.journal import Journal, read_journal


@dataclass(frozen=True)
class Answer:
    """What a call was answered with: a value, or the code of the error that refused it."""

    ok: bool
    value: Any


class LoggedClient:
    """Calls an engine and logs each call. `call` is its name, which must not change from process to process."""

    def __init__(self, engine: Engine, path: Path) -> None:
        self.engine = engine
        self._journal = Journal(path)
        entries = read_journal(path)
        self._answers = {e["call"]: Answer(e["phase"] == "ok", e["value"]) for e in entries if e["phase"] != "invoke"}

    async def start(
        self, call: str, workflow: Callable[[], WorkflowCall[Any]], *, id: str, on_conflict: str = "fail"
    ) -> Answer:
        """Start a workflow; the answer is the id of the run."""

        async def start() -> Any:
            handle = await self.engine.start(workflow(), id=id, on_conflict=on_conflict, request_id=call)
            return handle.run_id

        return await self.ask(call, "start", {"id": id, "on_conflict": on_conflict}, start)

    async def signal(self, call: str, id: str, signal: Signal[Any], value: Any) -> Answer:
        """Send a signal."""
        handle = self.engine.get(id)
        details = {"id": id, "signal": signal.name, "sent": value}
        return await self.ask(call, "signal", details, lambda: handle.signal(signal, value, request_id=call))

    async def cancel(self, call: str, id: str, run_id: str | None = None) -> Answer:
        """Cancel a workflow."""
        handle = self.engine.get(id, run_id)
        return await self.ask(call, "cancel", {"id": id}, lambda: handle.cancel(call, request_id=call))

    async def terminate(self, call: str, id: str, run_id: str | None = None) -> Answer:
        """Terminate a workflow."""
        handle = self.engine.get(id, run_id)
        return await self.ask(call, "terminate", {"id": id}, lambda: handle.terminate(call, request_id=call))

    async def result(self, id: str, run_id: str | None = None) -> list[Any]:
        """Wait for the outcome of a run. It is asked for by every process anew, and logged each time."""
        handle = self.engine.get(id, run_id)
        name = f"result of {id}" + (f" {run_id}" if run_id else "")
        answer = await self._call(name, "result", {"id": id, "run_id": run_id}, lambda: outcome_of(handle))
        outcome: list[Any] = answer.value
        return outcome

    async def ask(self, call: str, kind: str, details: dict[str, Any], ask: Callable[[], Awaitable[Any]]) -> Answer:
        """Make a call, or give the answer it had in a former process."""
        known = self._answers.get(call)
        return known if known is not None else await self._call(call, kind, details, ask)

    async def _call(self, call: str, kind: str, details: dict[str, Any], ask: Callable[[], Awaitable[Any]]) -> Answer:
        entry = {"call": call, "kind": kind, "pid": os.getpid(), **details}
        self._journal.append({**entry, "phase": "invoke"})
        try:
            answer = Answer(True, await ask())
        except (RequestError, ConflictError) as error:
            # Anything else leaves the outcome unknown, and ends the program.
            answer = Answer(False, error.code)
        self._journal.append({**entry, "phase": "ok" if answer.ok else "fail", "value": answer.value})
        self._answers[call] = answer
        return answer


async def outcome_of(handle: WorkflowHandle[Any]) -> list[Any]:
    """How a run ended, as JSON: `["completed", value]`, `["failed", type]`, `["cancelled"]`, `["terminated"]`."""
    try:
        return ["completed", await handle.result()]
    except WorkflowFailed as error:
        return ["failed", error.error.type]
    except WorkflowCancelled:
        return ["cancelled"]
    except WorkflowTerminated:
        return ["terminated"]
