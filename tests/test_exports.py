"""The public names: exactly these, each documented, and errors with codes that never change."""

from __future__ import annotations

import inspect
import subprocess
import sys

import pytest

import aion
from aion import errors, testing

NAMES = {
    # definitions
    *("activity", "Activity", "ActivityCall", "workflow", "Workflow", "WorkflowCall", "Retry", "Duration"),
    # inside workflows and activities
    *("activity_info", "info", "logger", "now", "patched", "race", "random", "side_effect", "sleep", "uuid4"),
    *("wait_until", "Query", "Signal"),
    # running it
    *("Engine", "Limits", "WorkflowHandle", "run"),
    # submodules
    *("errors", "testing"),
}

# Error → its stable code. A line may be added; none is changed or taken away.
CODES = {
    "AionError": "aion_error",
    "RequestError": "request_error",
    "InvalidInput": "invalid_input",
    "PayloadTooLarge": "payload_too_large",
    "InvalidFilter": "invalid_filter",
    "InvalidState": "invalid_state",
    "NotFound": "not_found",
    "NotRegistered": "not_registered",
    "UnknownQuery": "unknown_query",
    "QueryFailed": "query_failed",
    "UpdateRejected": "update_rejected",
    "UnknownUpdate": "unknown_update",
    "UpdateFailed": "update_failed",
    "LimitExceeded": "limit_exceeded",
    "NamespaceDenied": "namespace_denied",
    "Unauthenticated": "unauthenticated",
    "VersionPinned": "version_pinned",
    "ForbiddenInWorkflow": "forbidden_in_workflow",
    "ConflictError": "conflict",
    "AlreadyExists": "already_exists",
    "StaleAttempt": "stale_attempt",
    "UnavailableError": "unavailable_error",
    "Unavailable": "unavailable",
    "ShuttingDown": "shutting_down",
    "QueryTimeout": "query_timeout",
    "StoreError": "store_error",
    "StoreCorrupt": "store_corrupt",
    "StoreLocked": "store_locked",
    "NonDeterminism": "non_determinism",
    "OutcomeError": "no_result",
    "WorkflowFailed": "workflow_failed",
    "WorkflowCancelled": "workflow_cancelled",
    "WorkflowTerminated": "workflow_terminated",
    "WorkflowTimedOut": "workflow_timed_out",
    "StepError": "step_failed",
    "ActivityFailed": "activity_failed",
    "ActivityCancelled": "activity_cancelled",
    "ChildFailed": "child_failed",
    "SupervisorFailed": "supervisor_failed",
    "CompensationFailed": "compensation_failed",
    "ApplicationError": "application_error",
    "Terminal": "terminal",
}

# What an error says besides its class: plain data, handed to errors.
DATA = {"ErrorDetail"}

TESTING = {"History", "TestEngine", "VirtualClock", "engine", "replay"}


def public(module: object) -> set[str]:
    """The names that a module offers, without the submodules that importing put there."""
    names = {name for name in vars(module) if not name.startswith("_")}
    return {name for name in names if not inspect.ismodule(vars(module)[name])}


def test_the_package_offers_exactly_its_public_names() -> None:
    """Nothing is lost in a release, and nothing becomes public by accident."""
    assert public(aion) | {"errors", "testing"} == NAMES | set(CODES) | DATA


def test_the_testing_module_offers_exactly_its_public_names() -> None:
    """What tests of workflows need."""
    assert public(testing) == TESTING


@pytest.mark.parametrize("name", sorted(NAMES | set(CODES) | DATA))
def test_every_public_name_is_documented(name: str) -> None:
    """The first line says what one gets; a value says so where it is declared."""
    thing = getattr(aion, name)

    assert name in ("Duration", "logger") or (inspect.getdoc(thing) or "").strip() != ""


def test_every_public_method_is_documented() -> None:
    """Of the classes that users hold."""
    bare = [
        f"{kind.__name__}.{name}"
        for kind in (aion.Engine, aion.WorkflowHandle, aion.Signal, aion.Query, testing.TestEngine)
        for name, member in inspect.getmembers(kind, callable)
        if not name.startswith("_") and not (inspect.getdoc(member) or "").strip()
    ]

    assert bare == []


def test_the_codes_of_errors_never_change() -> None:
    """Programs and services compare them."""
    found = {
        name: kind.code
        for name, kind in vars(errors).items()
        if inspect.isclass(kind) and issubclass(kind, errors.AionError) and not name.startswith("_")
    }

    assert found == CODES
    assert len(set(CODES.values())) == len(CODES)


def test_every_error_is_one_of_ours_and_an_exception() -> None:
    """One `except aion.AionError` catches them all, and none of them is a `BaseException` that nobody would catch."""
    for name in CODES:
        kind = getattr(aion, name)
        assert issubclass(kind, aion.AionError)
        assert issubclass(kind, Exception)


def test_importing_the_package_needs_no_optional_part() -> None:
    """Neither the command line nor what tests of this project use is loaded with it."""
    code = (
        "import sys, aion; "
        "print(sorted({'click', 'rich', 'pytest', 'hypothesis', 'anyio', 'pydantic', 'uvloop'} & set(sys.modules)))"
    )
    finished = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert finished.stdout.strip() == "[]"
