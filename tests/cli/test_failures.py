"""Errors as sentences, as data and as exit codes."""

from __future__ import annotations

import click
import pytest

from aion import errors
from aion.cli.failures import Interrupted, RunBlocked, UserCodeFailed, as_data, as_text, exit_code
from aion.errors import ErrorDetail

FAILED = errors.WorkflowFailed("order-17", ErrorDetail("ValueError", "no \x1b[31mstock", traceback="  shop.py:3 in f"))
DIFFERS = errors.NonDeterminism("TimerStarted(id=1) at shop.py:3", "ScheduleActivity(name=x) at shop.py:4", 7)
BLOCKED = RunBlocked(
    "order-17", "nondeterminism", "they differ", "TimerStarted(id=1) at a.py:3", "nothing: the code waits"
)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (FAILED, 1),
        (DIFFERS, 1),
        (BLOCKED, 1),
        (errors.WorkflowCancelled("a"), 1),
        (errors.AlreadyExists("a", "running"), 1),
        (UserCodeFailed("module 'shop' cannot be imported"), 1),
        (OSError(28, "No space left on device"), 1),
        (KeyError("surprise"), 1),
        (click.UsageError("no"), 2),
        (errors.InvalidInput("no"), 2),
        (errors.InvalidFilter("no", 3), 2),
        (errors.NotRegistered("no"), 2),
        (errors.NotFound("no"), 3),
        (errors.StoreError("no"), 4),
        (errors.StoreLocked("no", 17), 4),
        (errors.StoreCorrupt("no"), 4),
        (errors.Unavailable("no"), 4),
        (Interrupted("no"), 130),
        (click.Abort(), 130),
    ],
    ids=lambda value: type(value).__name__,
)
def test_the_exit_code_says_what_to_do(error: BaseException, code: int) -> None:
    """Failed, usage, not found and unreachable are told apart by every caller."""
    assert exit_code(error) == code


def test_a_failed_workflow_shows_its_error_and_where_it_arose() -> None:
    """The traceback as recorded follows the sentence, and no terminal obeys what is in it."""
    assert as_text(FAILED) == ("Error: workflow 'order-17' failed: ValueError: no \\x1b[31mstock\n  shop.py:3 in f")


def test_a_failed_workflow_tells_programs_all_that_is_recorded() -> None:
    """Type, message, details, traceback and cause come as fields."""
    error = ErrorDetail("Refused", "no", details={"code": 3}, cause=ErrorDetail("OSError", "down"))

    assert as_data(errors.WorkflowFailed("a", error))["failure"] == {
        "type": "Refused",
        "message": "no",
        "details": {"code": 3},
        "traceback": "",
        "cause": {"type": "OSError", "message": "down", "details": None, "traceback": "", "cause": None},
    }


def test_the_cause_of_a_failure_is_shown_below_it() -> None:
    """People see what was behind an error, too."""
    error = ErrorDetail("Refused", "no", cause=ErrorDetail("OSError", "down", traceback="  bank.py:9 in call"))

    assert as_text(errors.WorkflowFailed("a", error)).splitlines()[1:] == [
        "caused by OSError: down",
        "  bank.py:9 in call",
    ]


@pytest.mark.parametrize("error", [DIFFERS, BLOCKED], ids=["replayed", "blocked"])
def test_a_difference_shows_both_commands(error: errors.NonDeterminism | RunBlocked) -> None:
    """What is recorded and what the code does stand below each other, with file and line."""
    text = as_text(error)

    assert [line.strip() for line in text.splitlines()[1:3]] == [
        f"recorded:      {error.recorded}",
        f"the code does: {error.attempted}",
    ]


def test_a_difference_tells_programs_both_commands() -> None:
    """Programs get the commands as fields."""
    data = as_data(DIFFERS)

    assert (data["code"], data["recorded"], data["attempted"], data["seq"]) == (
        "non_determinism",
        DIFFERS.recorded,
        DIFFERS.attempted,
        7,
    )


def test_the_position_in_a_filter_is_told() -> None:
    """A program can point at the character."""
    assert as_data(errors.InvalidFilter("expected a value", 9))["position"] == 9


def test_what_nobody_expected_is_one_sentence_too() -> None:
    """Even a bug gives a sentence with its place, and how to see more; never a traceback by itself."""
    try:
        raise KeyError("sur\nprise")
    except KeyError as exc:
        text = as_text(exc)

    assert text.startswith("Error: KeyError: 'sur\\nprise' (test_failures.py:")
    assert "\n" not in text
