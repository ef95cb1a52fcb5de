"""Exceptions to what history keeps of them, and back: bounded, encodable, and never an error of its own."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from msgspec import Raw

from aion._core.codec import decode_event, encode_event
from aion._core.events import ErrorInfo, WorkflowFailed
from aion._flow.failure import MESSAGE_CHARACTERS_MAX, TRACEBACK_FRAMES_MAX, activity_failed, detail_of, info_of
from aion.errors import ActivityFailed, ApplicationError, Terminal


class CardRefused(ValueError):
    """An error of users."""


def caught(raise_it: Any) -> BaseException:
    """The exception that a function raises, with its traceback."""
    try:
        raise_it()
    except BaseException as error:
        return error
    raise AssertionError("nothing was raised")


def through_history(error: BaseException) -> ErrorInfo:
    """What a later process reads of an exception."""
    event = decode_event("WorkflowFailed", encode_event(WorkflowFailed(info_of(error))))
    assert isinstance(event, WorkflowFailed)
    return event.error


def test_type_message_and_ancestors_are_kept() -> None:
    """Bare class names, nearest ancestor first, without `object`."""
    info = through_history(CardRefused("no money"))

    assert (info.type, info.message) == ("CardRefused", "no money")
    assert info.bases == ("ValueError", "Exception", "BaseException")
    assert (detail_of(info).details, info.cause) == (None, None)


def test_an_application_error_has_the_type_it_was_given_and_its_details() -> None:
    """By default the class name; details come back as plain JSON values."""
    info = through_history(ApplicationError("no", "Refused", {"code": 51, "list": (1, None)}))
    plain = through_history(Terminal("never", 7))

    assert (info.type, detail_of(info).details) == ("Refused", {"code": 51, "list": [1, None]})
    assert (plain.type, detail_of(plain).details) == ("Terminal", 7)


@pytest.mark.parametrize("type_", ["", None, 3, "\ud800", "x" * 10_000])
def test_a_type_that_history_could_not_hold_is_made_one(type_: Any) -> None:
    """Whatever user code calls its error, the failure can be recorded and read."""
    info = through_history(ApplicationError("no", type_))

    assert isinstance(info.type, str)
    assert 0 < len(info.type) <= 255


def test_details_that_cannot_be_encoded_are_replaced_by_a_note() -> None:
    """Losing them must not lose the failure."""
    odd = through_history(ApplicationError("no", details=object()))
    lone = through_history(ApplicationError("no", details="\ud800"))
    cycle: list[Any] = []
    cycle.append(cycle)

    assert detail_of(odd).details == "<details cannot be encoded: TypeError>"
    assert "cannot be encoded" in detail_of(lone).details
    assert "cannot be encoded" in detail_of(through_history(ApplicationError("no", details=cycle))).details


def test_details_that_are_too_large_are_replaced_by_a_note() -> None:
    """An error is bounded like everything else in a history."""
    info = info_of(ApplicationError("no", details="x" * 10_000_000))

    assert len(bytes(info.details)) < 1_000_000


@pytest.mark.parametrize(
    ("message", "kept"),
    [
        ("", ""),
        ("ünïcödé 🎉", "ünïcödé 🎉"),
        ("lone \ud800 surrogate", "lone ? surrogate"),
        ("nul \0 byte", "nul \0 byte"),
        ("x" * MESSAGE_CHARACTERS_MAX, "x" * MESSAGE_CHARACTERS_MAX),
        ("x" * (MESSAGE_CHARACTERS_MAX + 1), "x" * (MESSAGE_CHARACTERS_MAX - 1) + "…"),
    ],
    ids=["empty", "letters", "surrogate", "nul", "long", "longer"],
)
def test_any_message_can_be_recorded(message: str, kept: str) -> None:
    """What is no text is replaced, what is too long is cut."""
    assert through_history(ValueError(message)).message == kept


def test_an_exception_that_cannot_be_shown_is_recorded_all_the_same() -> None:
    """Its `__str__` raises; that is said instead."""

    class Broken(Exception):
        """An exception that cannot be shown."""

        def __str__(self) -> str:
            raise RuntimeError("no")

    assert through_history(Broken()).message == "<its __str__ raised RuntimeError>"


def test_causes_are_kept_up_to_a_depth() -> None:
    """A chain, even one that bites its tail, ends."""
    outer: BaseException = ValueError("0")
    first = outer
    for number in range(1, 20):
        inner = ValueError(str(number))
        outer.__cause__ = inner
        outer = inner
    outer.__cause__ = first
    info: ErrorInfo | None = through_history(first)
    messages = []
    while info is not None:
        messages.append(info.message)
        info = info.cause

    assert messages == ["0", "1", "2", "3", "4", "5"]


def test_the_traceback_names_user_code_with_file_and_line() -> None:
    """Short file names, at most so many frames, the last ones."""

    def deep(left: int) -> None:
        if left:
            deep(left - 1)
        raise CardRefused("deep")

    shallow, far = info_of(caught(lambda: deep(0))), info_of(caught(lambda: deep(100)))

    assert shallow.traceback.splitlines()[-1].startswith("  flow/test_failure.py:")
    assert shallow.traceback.endswith('in deep: raise CardRefused("deep")')
    assert len(far.traceback.splitlines()) == TRACEBACK_FRAMES_MAX


def test_an_exception_that_was_never_raised_has_no_traceback() -> None:
    """The text is empty."""
    assert info_of(ValueError("made, not raised")).traceback == ""


def test_a_group_is_recorded() -> None:
    """What a TaskGroup raises can be kept like anything else."""
    info = through_history(ExceptionGroup("several", [ValueError("one"), KeyError("two")]))

    assert (info.type, "several" in info.message) == ("ExceptionGroup", True)


def test_what_a_workflow_gets_of_a_failed_activity() -> None:
    """All that was recorded, under the name of the activity."""
    info = through_history(caught(lambda: (_ for _ in ()).throw(CardRefused("no money"))))
    error = activity_failed("charge", info, "timeout", 3)

    assert isinstance(error, ActivityFailed)
    assert (error.activity, error.type, error.message, error.kind, error.attempt) == (
        "charge",
        "CardRefused",
        "no money",
        "timeout",
        3,
    )
    assert [error.is_a(kind) for kind in (CardRefused, ValueError, OSError)] == [True, True, False]
    assert str(error) == "activity 'charge' failed (timeout, attempt 3): CardRefused: no money"


def test_a_detail_shows_its_cause() -> None:
    """Recursively, as plain data."""
    info = ErrorInfo("A", "a", Raw(b"1"), "trace", ErrorInfo("B", "b"), ("Exception",))
    detail = detail_of(info)

    assert (detail.type, detail.details, detail.traceback, detail.bases) == ("A", 1, "trace", ("Exception",))
    assert detail.cause is not None
    assert (detail.cause.type, detail.cause.message, detail.cause.cause) == ("B", "b", None)
    assert msgspec.json.decode(encode_event(WorkflowFailed(info)))["error"]["cause"]["type"] == "B"
