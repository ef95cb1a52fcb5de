"""Answers leave in order, in one hop, each to whoever asked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from aion._runtime.answers import FAIL, GIVE, Answers, Asked, Gathered, Shared


def answers() -> tuple[Answers, list[Any]]:
    """Answers, and what they sent."""
    sent: list[Any] = []
    return Answers(lambda messages: sent.append(list(messages))), sent


def test_answers_are_sent_together_and_in_order() -> None:
    """One hop for all; nothing when there is nothing; nobody when nobody asked."""
    out, sent = answers()
    error = ValueError()
    out.send()
    out.give("a", 1)
    out.fail("b", error)
    out.give(None, 2)
    out.fail(None, error)
    out.send()
    out.send()

    assert sent == [[(GIVE, "a", 1), (FAIL, "b", error)]]


def test_gathered_answers_are_given_when_all_are_there() -> None:
    """In the order of the places, whatever the order of the answers."""
    out, sent = answers()
    gathered = Gathered("all", 3)
    places = [gathered.place() for _ in range(3)]
    for index in (2, 0, 1):
        out.give(places[index], index * 10)
    out.send()

    assert sent == [[(GIVE, "all", [0, 10, 20])]]


def test_the_first_failure_is_the_answer_of_all() -> None:
    """Later answers and failures change nothing."""
    out, sent = answers()
    gathered = Gathered("all", 3)
    places = [gathered.place() for _ in range(3)]
    first = ValueError("first")
    out.give(places[0], 1)
    out.fail(places[1], first)
    out.fail(places[2], ValueError("second"))
    out.give(places[1], 2)
    out.send()

    assert sent == [[(FAIL, "all", first)]]


@dataclass
class Request:
    """A request with an id."""

    reply: Any
    request_id: str = "r"
    namespace: str = "default"
    workflow_id: str = "w"


def test_a_request_that_is_made_again_gets_the_first_ones_answer() -> None:
    """Everybody who made it, and only while it is under way."""
    out, sent = answers()
    asked = Asked()
    one, two, three, other = Request("1"), Request("2"), Request("3"), Request("4", "other")
    joined = [asked.join(each, "start") for each in (one, two, one, three, other)]
    elsewhere = asked.join(Request("5"), "signal")
    out.give(one.reply, "answer")
    out.fail(other.reply, ValueError)  # type: ignore[arg-type]
    out.send()
    again = asked.join(Request("6"), "start")

    assert joined == [False, True, False, True, False]
    assert (elsewhere, again) == (False, False)
    assert type(one.reply) is Shared
    assert sent == [[(GIVE, "1", "answer"), (GIVE, "2", "answer"), (GIVE, "3", "answer"), (FAIL, "4", ValueError)]]
