"""Finding the loop of the run whose code is executing."""

from __future__ import annotations

import asyncio

import pytest

import aion
from aion._flow.current import current_loop
from aion._flow.loop import WorkflowLoop
from aion.errors import InvalidState
from tests.flow.story import Story


def test_inside_workflow_code_it_is_the_loop_of_the_run() -> None:
    """In the main task and in every other."""
    seen: list[object] = []

    @aion.workflow
    async def looking() -> None:
        async def look() -> None:
            seen.append(current_loop("x"))

        await asyncio.create_task(look())
        await look()

    story = Story(looking())

    assert seen == [story.stepper.loop] * 2


def test_without_a_loop_it_says_what_was_called_and_what_to_use() -> None:
    """No loop runs in this thread."""
    with pytest.raises(InvalidState, match=r"x\(\) works inside workflow code only; here, use the engine"):
        current_loop("x()")


def test_another_loop_is_not_taken_for_one() -> None:
    """An activity, or a program's own coroutine."""

    async def main() -> None:
        current_loop("x()")

    with pytest.raises(InvalidState):
        asyncio.run(main())
    assert WorkflowLoop.is_aion_workflow
