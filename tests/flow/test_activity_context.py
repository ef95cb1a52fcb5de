"""What activity code may ask about its attempt."""

from __future__ import annotations

import asyncio
import datetime

import pytest

import aion
from aion._flow.activity_context import AttemptInfo, activity_info, current_attempt
from aion.errors import InvalidState


def test_an_attempt_knows_whose_it_is() -> None:
    """Name, place, numbers, ids and deadline are those it was made with."""
    deadline = datetime.datetime(2030, 1, 1, tzinfo=datetime.UTC)
    info = AttemptInfo("charge", "1.2", 3, "shop", "order-17", "r1", deadline, 2)

    assert (info.name, info.id, info.attempt, info.dispatch) == ("charge", "1.2", 3, 2)
    assert (info.namespace, info.workflow_id, info.run_id, info.deadline) == ("shop", "order-17", "r1", deadline)
    assert repr(info) == "<attempt 3 of charge 1.2>"


def test_the_idempotency_key_is_the_same_in_all_attempts() -> None:
    """Namespace, run and place: not the attempt, nor the hand-out."""
    keys = {
        AttemptInfo("charge", "1.2", attempt, "shop", "order-17", "r1", None, dispatch).idempotency_key
        for attempt in (1, 2)
        for dispatch in (1, 2)
    }

    assert keys == {"shop/r1/1.2"}


def test_an_attempt_learns_that_nobody_waits_for_it() -> None:
    """Synchronous code looks at it now and then."""
    info = AttemptInfo("charge", "1", 1)
    before = info.cancelled
    info.cancel()

    assert (before, info.cancelled) == (False, True)


def test_outside_an_activity_there_is_no_attempt() -> None:
    """The error names the call that works in workflows."""
    with pytest.raises(InvalidState, match=r"inside a workflow use aion\.info\(\)"):
        activity_info()


def test_inside_one_it_is_the_present_attempt() -> None:
    """Each context has its own."""
    info = AttemptInfo("charge", "1", 1)
    token = current_attempt.set(info)
    try:
        assert activity_info() is info
    finally:
        current_attempt.reset(token)


def test_an_activity_that_is_run_plainly_has_a_local_attempt() -> None:
    """Outside a workflow it just runs, and what it asks about itself has an answer; afterwards that is gone."""

    @aion.activity
    async def charge() -> list[object]:
        info = aion.activity_info()
        return [info.name, info.attempt, info.deadline, info.cancelled]

    async def main() -> list[object]:
        result = await charge()
        with pytest.raises(InvalidState):
            activity_info()
        return result

    assert asyncio.run(main()) == ["charge", 1, None, False]
