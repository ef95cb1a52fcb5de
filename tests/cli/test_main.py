"""The command as a whole: help, version, usage errors, and what starting it costs."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from aion._core.version import VERSION
from aion.cli.main import COMMANDS
from tests.cli.command import aion, error_of


def test_help_names_every_command() -> None:
    """`aion --help` lists all commands with one line each."""
    result = aion("--help")
    listed = [line.split()[0] for line in result.stdout.split("Commands:")[1].split("\n\n")[0].strip().splitlines()]

    assert (result.exit_code, listed) == (0, list(COMMANDS))


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_and_json(name: str) -> None:
    """Each command explains itself, and can answer a program."""
    result = aion(name, "--help")

    assert (result.exit_code, "--json" in result.stdout) == (0, True)


@pytest.mark.parametrize("name", COMMANDS)
def test_the_list_of_commands_says_what_their_own_help_says(name: str) -> None:
    """The table of commands does not drift from the commands."""
    first_paragraph = aion(name, "--help").stdout.split("\n\n")[1]

    assert " ".join(first_paragraph.split()).startswith(COMMANDS[name][1].rstrip("."))


def test_version_is_told() -> None:
    """`aion --version` prints one line."""
    assert aion("--version").stdout == f"aion {VERSION}\n"


def test_an_unknown_command_is_a_usage_error() -> None:
    """A mistyped command gives a sentence, where to look, and exit code 2."""
    result = aion("lst")

    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith("Error: No such command 'lst'.")
    assert result.stderr.endswith("\nSee: aion --help\n")


def test_a_usage_error_is_json_for_who_asked_for_json() -> None:
    """Also what goes wrong before the options are read is told in the form that was asked for."""
    result = aion("describe", "--json")

    assert (result.exit_code, error_of(result)) == (2, {"code": "usage", "message": "Missing argument 'ID'."})


def test_what_follows_the_separator_is_no_option() -> None:
    """An id may look like an option."""
    result = aion("describe", "--store", "sqlite:///none.db", "--", "--json")

    assert (result.exit_code, result.stderr.startswith("Error: ")) == (4, True)


def test_control_signs_in_arguments_are_not_printed() -> None:
    """A pasted argument cannot play tricks with the terminal through an error message."""
    result = aion("\x1b[2J")

    assert ("\x1b" in result.stderr, "\\x1b[2J" in result.stderr) == (False, True)


def test_help_imports_neither_commands_nor_the_terminal_library() -> None:
    """Starting is quick because each command's imports wait until it is called."""
    script = (
        "import sys\n"
        "from aion.cli.main import cli\n"
        "cli.main(['--help'], standalone_mode=False)\n"
        "print([name for name in sys.modules if name in ('aion.cli.run', 'aion.cli.look', 'aion.demo', 'rich')])"
    )
    result = python("-c", script)

    assert result.stdout.splitlines()[-1] == "[]"


def test_the_package_runs_as_a_module() -> None:
    """`python -m aion` is the same command."""
    result = python("-m", "aion", "list", "--store", "sqlite:///none.db", "--json")

    assert (result.returncode, result.stdout, json.loads(result.stderr)["error"]["code"]) == (4, "", "store_error")


def test_a_reader_that_went_away_is_told_nothing() -> None:
    """`aion ... | head` ends without a message on the terminal."""
    reader, writer = os.pipe()
    os.close(reader)
    result = python("-m", "aion", "--help", stdout=writer)
    os.close(writer)

    assert (result.returncode, result.stderr) == (1, "")


def python(*arguments: str, stdout: int = subprocess.PIPE) -> subprocess.CompletedProcess[str]:
    """A Python process that finds what this one finds."""
    return subprocess.run(
        [sys.executable, *arguments],
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )
