"""An activity that fails as often as it is told to, and the workflow that awaits one activity and tells what came."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import aion
from aion import testing
from aion.errors import ActivityFailed
from tests.runtime.worlds import shape


class CardRefused(ValueError):
    """An error of users."""


def failing(times: int, error: Callable[[], BaseException], **options: Any) -> Any:
    """An activity that fails so many times, then gives the number of the attempt."""

    @aion.activity(name="flaky", **options)
    async def flaky() -> int:
        if aion.activity_info().attempt <= times:
            raise error()
        return aion.activity_info().attempt

    return flaky


def awaiting(activity: Any) -> aion.Workflow[[], Any]:
    """A workflow that awaits an activity and tells what came of it."""

    @aion.workflow(name="awaiting")
    async def awaiting_() -> Any:
        try:
            return await activity()
        except ActivityFailed as error:
            return [error.type, error.kind, error.attempt, error.message]

    return awaiting_


async def done_by(activity: Any, **options: Any) -> tuple[Any, list[str]]:
    """What came of one activity, and the history."""
    workflow = awaiting(activity)
    async with testing.engine(register=[workflow, activity], **options) as engine:
        handle = await engine.start(workflow(), id="w")
        result = await handle.result()
        return result, shape(await handle.history())
