"""The `aion` command: its subcommands by name, each imported when it is called, and the one place where errors end."""

from __future__ import annotations

import errno
import importlib
import os
import sys
from collections.abc import Sequence
from typing import Any

import click

from aion._core.version import VERSION
from aion.cli.failures import FAILED, fail

# Name → (module:command, what `aion --help` says of it). Help and completion need no command's own imports.
COMMANDS = {
    "run": ("aion.cli.run:run", "Run a workflow to its end and print its result."),
    "list": ("aion.cli.look:list_runs", "List runs."),
    "describe": ("aion.cli.look:describe", "Show one run."),
    "history": ("aion.cli.look:history", "Show what is recorded of a run."),
    "replay": ("aion.cli.replay:replay", "Check a recorded history against the code."),
    "demo": ("aion.demo.command:demo", "Watch a workflow survive two kills, with a proof at the end."),
}


class CommandLine(click.Group):
    """A group whose commands are imported when they are called, and whose errors are a sentence and an exit code."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names, in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name, imported now."""
        if cmd_name not in COMMANDS:
            return None
        module, _, attribute = COMMANDS[cmd_name][0].partition(":")
        command = getattr(importlib.import_module(module), attribute)
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list of commands in `aion --help`."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        **extra: Any,
    ) -> Any:
        """Run a command line, say what went wrong in one sentence, and exit with the code for it."""
        arguments = list(sys.argv[1:] if args is None else args)
        for stream in (sys.stdout, sys.stderr):
            # A terminal that cannot show a sign gets its number: better than an error half-way through a table.
            getattr(stream, "reconfigure", lambda **_: None)(errors="backslashreplace")
        try:
            code = super().main(arguments, prog_name or "aion", complete_var, standalone_mode=False, **extra)
            sys.stdout.flush()
        except Exception as exc:  # noqa: BLE001 - the edge: whatever it is, the caller gets a sentence and a code
            if isinstance(exc, OSError) and exc.errno == errno.EPIPE:
                code = _reader_is_gone()
            else:
                code = fail(exc, as_json="--json" in _before_separator(arguments))
        if not standalone_mode:
            return code
        sys.exit(code if isinstance(code, int) else 0)


def _before_separator(arguments: list[str]) -> list[str]:
    """The arguments that may be options."""
    return arguments[: arguments.index("--")] if "--" in arguments else arguments


def _reader_is_gone() -> int:
    """`aion list | head`: nobody reads the rest. Nothing is said of it, and Python must not try again at its exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return FAILED


def _show_version(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted and not ctx.resilient_parsing:
        click.echo(f"aion {VERSION}")
        ctx.exit()


@click.command(
    cls=CommandLine,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit codes: 0 fine, 1 the workflow or command failed, 2 usage, 3 not found, 4 the store is unreachable.",
)
@click.option(
    "--version", is_flag=True, is_eager=True, expose_value=False, callback=_show_version, help="Show the version."
)
def cli() -> None:
    """Durable workflows in plain asyncio: they survive restarts, kill -9 and power loss."""


def main() -> None:
    """The entry point of the `aion` command."""
    cli()
