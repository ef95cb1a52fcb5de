"""What a command says when it fails, and what it exits with."""

from __future__ import annotations

import json
import os
import traceback
from typing import Any

import click

from aion.cli.output import escape, escape_lines
from aion.errors import (
    AionError,
    ErrorDetail,
    InvalidFilter,
    NonDeterminism,
    NotFound,
    RequestError,
    UnavailableError,
    WorkflowFailed,
)

FAILED, USAGE, NOT_FOUND, UNREACHABLE, INTERRUPTED = 1, 2, 3, 4, 130

DEBUG_VARIABLE = "AION_DEBUG"


class Interrupted(AionError):
    """Somebody pressed Ctrl-C; the message says what is kept and how to go on."""

    code = "interrupted"


class RunBlocked(AionError):
    """The run cannot go on with this code; it is kept, and goes on with code that fits.

    `recorded` and `attempted` are the commands that differ, where that is the reason.
    """

    code = "blocked"

    def __init__(self, workflow_id: str, reason: str, message: str, recorded: str = "", attempted: str = "") -> None:
        self.reason = reason
        self.recorded = recorded
        self.attempted = attempted
        super().__init__(f"workflow {workflow_id!r} is blocked ({reason}): {message}")


class UserCodeFailed(AionError):
    """A module of the user's could not be imported."""

    code = "import_failed"


def fail(exc: BaseException, *, as_json: bool) -> int:
    """Write an error to stderr, for people or as JSON; the exit code that belongs to it."""
    if as_json:
        click.echo(json.dumps({"error": as_data(exc)}), err=True)
    else:
        click.echo(as_text(exc), err=True)
    if os.environ.get(DEBUG_VARIABLE):
        click.echo("".join(traceback.format_exception(exc)), err=True)
    return exit_code(exc)


def exit_code(exc: BaseException) -> int:
    """The exit code for an error: by what the caller should do, not by where it came from."""
    match exc:
        case NotFound():
            return NOT_FOUND
        case RequestError() | click.UsageError():
            return USAGE
        case UnavailableError():
            return UNREACHABLE
        case Interrupted() | click.Abort():
            return INTERRUPTED
        case _:
            return FAILED


def as_data(exc: BaseException) -> dict[str, Any]:
    """An error for programs: `code`, `message`, and what else is known of its kind."""
    data: dict[str, Any] = {"code": _code(exc), "message": _message(exc)}
    match exc:
        case WorkflowFailed():
            data["failure"] = _detail_data(exc.error)
        case NonDeterminism():
            data |= {"recorded": exc.recorded, "attempted": exc.attempted, "seq": exc.seq}
        case RunBlocked():
            data |= {"reason": exc.reason, "recorded": exc.recorded, "attempted": exc.attempted}
        case InvalidFilter():
            data["position"] = exc.position
    return data


def as_text(exc: BaseException) -> str:
    """An error for people: a sentence, and below it what the user's own code has to do with it."""
    match exc:
        case WorkflowFailed():
            return escape_lines("\n".join([f"Error: {_message(exc)}", *_detail_lines(exc.error)]))
        case NonDeterminism():
            return _difference(f"history and code differ at event {exc.seq}", exc.recorded, exc.attempted)
        case RunBlocked() if exc.recorded:
            return _difference(
                "the run is kept, but cannot go on: history and code differ", exc.recorded, exc.attempted
            )
        case click.UsageError() if exc.ctx is not None:
            return escape_lines(f"Error: {_message(exc)}\nSee: {exc.ctx.command_path} --help")
        case _:
            return escape_lines(f"Error: {_message(exc)}")


def _message(exc: BaseException) -> str:
    match exc:
        case click.ClickException():
            return exc.format_message()
        case click.Abort():
            return "interrupted"
        case AionError():
            return str(exc)
        case OSError() if exc.strerror:
            return f"{exc.strerror}: {exc.filename}" if exc.filename else exc.strerror
        case _:
            return (
                f"{type(exc).__name__}: {escape(str(exc))}{_where(exc)}. This is not an error that Aion expects; "
                f"{DEBUG_VARIABLE}=1 shows where it comes from"
            )


def _code(exc: BaseException) -> str:
    match exc:
        case click.UsageError():
            return "usage"
        case click.Abort():
            return Interrupted.code
        case AionError():
            return exc.code
        case OSError():
            return "os_error"
        case _:
            return "unexpected"


def _where(exc: BaseException) -> str:
    frames = traceback.extract_tb(exc.__traceback__)
    return f" ({os.path.basename(frames[-1].filename)}:{frames[-1].lineno})" if frames else ""


def _detail_lines(error: ErrorDetail) -> list[str]:
    """The traceback as recorded, outermost call first, each cause below."""
    lines = error.traceback.splitlines()
    if error.cause is not None:
        lines += [f"caused by {error.cause.type}: {error.cause.message}", *_detail_lines(error.cause)]
    return lines


def _detail_data(error: ErrorDetail) -> dict[str, Any]:
    return {
        "type": error.type,
        "message": error.message,
        "details": error.details,
        "traceback": error.traceback,
        "cause": None if error.cause is None else _detail_data(error.cause),
    }


def _difference(sentence: str, recorded: str, attempted: str) -> str:
    """Both commands, each with its file and line, below each other."""
    return escape_lines(
        f"Error: {sentence}\n"
        f"  recorded:      {_indented(recorded)}\n"
        f"  the code does: {_indented(attempted)}\n"
        "Load the code this run was started with, or guard the change with aion.patched(...)."
    )


def _indented(text: str) -> str:
    return text.replace("\n", "\n    ")
