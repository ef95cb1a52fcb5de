"""`aion run`: a workflow to its end, in this process, on a store that remembers it.

The id makes it durable across calls: the same command with the same `--id` goes on where an interrupted one stopped,
and gives the result of a finished one again.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import click

from aion._compose import Engine
from aion._runtime.handle import WorkflowHandle
from aion._runtime.views import Description, HistoryEvent
from aion.cli.failures import INTERRUPTED, Interrupted, RunBlocked
from aion.cli.options import json_option, namespace_option, store_option
from aion.cli.output import escape, escape_lines, is_terminal, print_json, terminal, time_text
from aion.cli.progress import RunProgress
from aion.cli.target import AnyWorkflow, load_target
from aion.errors import InvalidInput, NotFound

GRACE = "2s"
"""How long activities may go on after Ctrl-C. What is cut off is handed out again by the next start."""

REFRESH_SECONDS = 0.1


@click.command()
@click.argument("target", metavar="MODULE:WORKFLOW")
@click.option("--input", "input_text", metavar="JSON", help="The arguments; @file.json reads a file, - reads stdin.")
@click.option("--id", "workflow_id", metavar="ID", help="The workflow id; without it, a new one is made.")
@store_option
@namespace_option
@json_option
def run(
    target: str, input_text: str | None, workflow_id: str | None, store: str, namespace: str, as_json: bool
) -> None:
    """Run a workflow to its end and print its result.

    MODULE is imported from the current directory. A workflow with one parameter takes the JSON value itself, any
    other an object keyed by parameter name. With --id, a run that was interrupted goes on.

    \b
    aion run shop:fulfil --input '{"id": "17", "amount": 99}' --id order-17
    """
    module, workflow = load_target(target)
    arguments = read_arguments(workflow, input_text)
    job = Job(module, workflow, arguments, workflow_id, store, namespace)
    try:
        outcome = asyncio.run(carry_out(job, quiet=as_json))
    except (KeyboardInterrupt, asyncio.CancelledError):
        raise Interrupted(_how_to_go_on(job)) from None
    if as_json:
        print_json({"id": outcome.id, "run_id": outcome.run_id, "status": "completed", "result": outcome.result})
    elif isinstance(outcome.result, str):
        click.echo(escape_lines(outcome.result))
    else:
        print_json(outcome.result)


Arguments = tuple[tuple[Any, ...], dict[str, Any]]


@dataclass
class Job:
    """What was asked for. `started` is the id once the run is durable."""

    module: ModuleType
    workflow: AnyWorkflow
    arguments: Arguments
    id: str | None
    store: str
    namespace: str
    started: str | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """A run that completed, with its result as plain JSON."""

    id: str
    run_id: str
    result: Any


def read_arguments(workflow: AnyWorkflow, text: str | None) -> Arguments:
    """The arguments that an `--input` describes, positional and named.

    Raises:
        InvalidInput: it is no JSON, or does not fit the workflow's parameters.
        NotFound: it names a file that is not there.
    """
    signature = workflow.signature
    if text is None:
        try:
            return signature.decode_call(b"{}", True)
        except InvalidInput as exc:
            raise InvalidInput(f"{exc}; give the arguments with --input") from exc
    text = _read_input(text)
    try:
        json.loads(text)
    except (ValueError, RecursionError) as exc:
        raise InvalidInput(f"--input is not JSON: {exc}; strings need double quotes, as in --input '\"ada\"'") from exc
    try:
        payload = text.encode()
    except UnicodeEncodeError as exc:
        raise InvalidInput("--input is not text in UTF-8") from exc
    return signature.decode_call(payload, not signature.takes_value)


async def carry_out(job: Job, *, quiet: bool) -> Outcome:
    """Open an engine, start or attach, and wait for the end.

    Raises:
        WorkflowFailed: it raised. So do the other endings without a result, each with its own error.
        RunBlocked: the run cannot go on with this code; it is kept.
    """
    _stop_on_signals()
    engine = Engine(job.store, register=[job.module], namespace=job.namespace)
    await engine.start_serving()
    try:
        asked = datetime.datetime.now(datetime.UTC)
        args, kwargs = job.arguments
        handle = await engine.start(job.workflow(*args, **kwargs), id=job.id, on_conflict="attach")
        job.started = handle.id
        if not quiet:
            present = await handle.describe()
            _say_which(job, present, attached=present.started < asked)
        result = await _wait(handle, job.workflow, quiet)
        assert handle.run_id is not None
        return Outcome(handle.id, handle.run_id, json.loads(job.workflow.signature.encode_result(result)))
    finally:
        await engine.close(GRACE)


def _stop_on_signals() -> None:
    """The first Ctrl-C closes the engine, the second one does not wait for it: what is recorded is safe either way."""
    loop = asyncio.get_running_loop()
    main = asyncio.current_task()
    assert main is not None

    def stop() -> None:
        if main.cancelling():
            os._exit(INTERRUPTED)
        main.cancel()

    # Elsewhere than on the main thread, and on some systems, there are no such handlers.
    with contextlib.suppress(NotImplementedError, RuntimeError, ValueError):
        loop.add_signal_handler(signal.SIGINT, stop)
        loop.add_signal_handler(signal.SIGTERM, stop)


def _say_which(job: Job, present: Description, attached: bool) -> None:
    """What people would not know otherwise: the id to go on with, or that an earlier input counts."""
    if attached:
        since = time_text(present.started)
        click.echo(f"workflow {escape(present.id)} was started at {since} UTC, with its own input", err=True)
    elif job.id is None and job.store != "memory:":
        click.echo(f"workflow {present.id} in {escape(job.store)}", err=True)


async def _wait(handle: WorkflowHandle[Any], workflow: AnyWorkflow, quiet: bool) -> Any:
    """The result. Whoever waits sees where the run is, and learns of it when the code cannot go on."""
    progress = RunProgress()
    async with _shown(handle.id, progress, quiet):
        result = asyncio.ensure_future(handle.result())
        stuck = asyncio.ensure_future(_watch(handle, workflow, progress))
        try:
            await asyncio.wait((result, stuck), return_when=asyncio.FIRST_COMPLETED)
            if not result.done() and stuck.result() is not None:
                raise _blocked(handle.id, stuck.result())
            return await result
        finally:
            result.cancel()
            stuck.cancel()
            await asyncio.wait((result, stuck))


async def _watch(handle: WorkflowHandle[Any], workflow: AnyWorkflow, progress: RunProgress) -> HistoryEvent | None:
    """Follow the events; the one that says that the run cannot go on, or None at its end."""
    async for event in handle.events():
        progress.feed(event)
        # A block that another version of the code met says nothing about this one, which the engine tries by itself.
        if event.type == "WorkflowBlocked" and event.data["code"].startswith((workflow.code, "corrupt", "fault")):
            return event
    return None


def _blocked(id: str, event: HistoryEvent | None) -> RunBlocked:
    assert event is not None
    data = event.data
    return RunBlocked(id, data["reason"], data.get("message", ""), data.get("recorded", ""), data.get("attempted", ""))


@contextlib.asynccontextmanager
async def _shown(id: str, progress: RunProgress, quiet: bool) -> AsyncIterator[None]:
    """On a terminal, a line that follows the run; it is gone when the run has ended."""
    if quiet or not is_terminal(sys.stderr):
        yield
        return
    from rich.status import Status
    from rich.text import Text

    def line() -> Text:
        return Text(escape(f"{id}: {progress.line(datetime.datetime.now(datetime.UTC))}"))

    async def refresh(status: Status) -> None:
        while True:
            status.update(line())
            await asyncio.sleep(REFRESH_SECONDS)

    with Status(line(), console=terminal(sys.stderr)) as status:
        refreshing = asyncio.ensure_future(refresh(status))
        try:
            yield
        finally:
            refreshing.cancel()


def _read_input(text: str) -> str:
    try:
        if text == "-":
            return sys.stdin.read()
        if text.startswith("@"):
            return Path(text[1:]).read_text("utf-8")
    except FileNotFoundError as exc:
        raise NotFound(f"--input names the file {text[1:]!r}, which does not exist") from exc
    except UnicodeDecodeError as exc:
        raise InvalidInput("--input is not text in UTF-8") from exc
    except OSError as exc:
        raise InvalidInput(f"--input names the file {text[1:]!r}, which cannot be read: {exc.strerror}") from exc
    return text


def _how_to_go_on(job: Job) -> str:
    if job.started is None or job.store == "memory:":
        return "interrupted, and nothing was kept"
    return f"interrupted; the run is kept, and goes on with --id {job.started}"
