"""Queries to the code of a run: answered from where it is, and nothing else moves."""

from __future__ import annotations

import asyncio

import pytest

import aion
from aion.errors import QueryFailed, UnknownQuery
from tests.flow.signals_and_steps import charge, go, state
from tests.flow.story import Story, replay_everywhere

LOG: list[str] = []
"""What workflows noted; tests that use it empty it first."""


@aion.workflow
async def answering() -> None:
    """Answers queries of several kinds."""
    phase = "waiting"
    state.answer(lambda: phase)
    aion.Query("echo", int, arg=int).answer(lambda number: number + 1)
    aion.Query("raising").answer(lambda: 1 / 0)
    aion.Query("typed", int).answer(lambda: object())  # type: ignore[arg-type, return-value]
    aion.Query("activity").answer(lambda: charge(1).send(None))
    aion.Query("timer").answer(lambda: asyncio.get_running_loop().call_later(5, print))
    aion.Query("task").answer(lambda: asyncio.create_task(go.receive()))
    aion.Query("effect").answer(lambda: aion.side_effect(lambda: LOG.append("ran")))
    aion.Query("patch").answer(lambda: aion.patched("new"))
    aion.Query("when").answer(lambda: str(aion.now()))
    await go.receive()
    phase = "done"


def test_a_query_is_answered_from_the_state_the_code_has_reached() -> None:
    """At any await, with the present values, and nothing is recorded."""
    story = Story(answering())
    stepper = story.stepper
    answers = [stepper.query("state", None), stepper.query("echo", b"4"), stepper.query("when", None)]
    length = len(story.history)
    story.signal("go")

    assert answers == [b'"waiting"', b"5", b'"2023-11-14 22:13:20+00:00"']
    assert (length, stepper.query("state", None)) == (1, b'"done"')


def test_an_unknown_query_names_those_there_are() -> None:
    """So that a typing error is seen at once."""

    @aion.workflow
    async def silent() -> None:
        await go.receive()

    story, other = Story(answering()), Story(silent())

    with pytest.raises(UnknownQuery, match="answers no query 'nope'; it answers: activity, echo, "):
        story.stepper.query("nope", None)
    with pytest.raises(UnknownQuery, match="it answers: none"):
        other.stepper.query("nope", None)
    story.close()
    other.close()


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("raising", "the handler of query 'raising' raised ZeroDivisionError"),
        ("typed", "the handler of query 'typed' raised"),
        ("activity", "a query handler may not record anything"),
        ("timer", "a query handler may not record anything"),
        ("effect", "a query handler may not record anything"),
        ("patch", "a query handler may not record anything"),
    ],
)
def test_a_handler_that_raises_or_records_fails_the_query_alone(name: str, says: str) -> None:
    """Nothing is recorded, the run is as it was, and what it asks for next has the id it would have had."""
    LOG.clear()
    story = Story(answering())
    with pytest.raises(QueryFailed, match=says):
        story.stepper.query(name, None)
    story.signal("go")

    assert story.shape() == ["WorkflowStarted", "SignalReceived:go", "WorkflowCompleted"]
    assert LOG == []
    replay_everywhere(story)


def test_a_handler_may_not_start_tasks() -> None:
    """The coroutine it made is closed without having run."""
    story = Story(answering())

    with pytest.raises(QueryFailed, match="may not start tasks"):
        story.stepper.query("task", None)
    story.close()


def test_an_argument_of_the_wrong_type_fails_the_query() -> None:
    """It is decoded by the type that the workflow declared."""
    story = Story(answering())

    with pytest.raises(QueryFailed, match="echo"):
        story.stepper.query("echo", b'"four"')
    with pytest.raises(QueryFailed, match="echo"):
        story.stepper.query("echo", None)
    story.close()


def test_queries_change_neither_ids_nor_random_numbers() -> None:
    """A run that was asked a hundred times does the same as one that never was."""

    @aion.workflow
    async def drawing() -> list[float]:
        aion.Query("draw").answer(lambda: aion.random().random())
        await go.receive()
        loop = asyncio.get_running_loop()
        timer = loop.create_future()
        loop.call_soon(loop.call_later, 5, timer.set_result, None)
        await timer
        return [aion.random().random(), aion.random().random()]

    asked, left_alone = Story(drawing()), Story(drawing())
    answers = {asked.stepper.query("draw", None) for _ in range(100)}
    for story in (asked, left_alone):
        story.signal("go")
        story.fire()

    assert len(answers) == 100
    assert asked.result == left_alone.result
    assert asked.shape() == left_alone.shape()
    replay_everywhere(asked)
