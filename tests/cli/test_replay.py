"""`aion replay`: does the code still fit a recorded history?"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.command import SHOP, aion, error_of, write_module

CHANGED = SHOP.replace("return await ship(await charge(order))", "await asyncio.sleep(5)\n    return 'never'")


@pytest.fixture
def recorded(here: Path) -> Path:
    """The history of a completed order, in a file."""
    write_module("shop")
    aion("run", "shop:fulfil", "--input", '{"id": "17", "amount": 99}', "--id", "order-17")
    path = here / "order-17.json"
    path.write_text(aion("history", "order-17", "--json").stdout, "utf-8")
    return path


@pytest.mark.parametrize("target", ["shop:fulfil", "shop"])
def test_the_same_code_fits(recorded: Path, target: str) -> None:
    """The history says by itself which workflow of the module it belongs to."""
    result = aion("replay", target, "order-17.json")

    assert (result.exit_code, result.stdout) == (0, "fulfil fits: 8 events replayed\n")


def test_a_fit_is_json_for_programs(recorded: Path) -> None:
    """Programs learn how much was replayed."""
    document = json.loads(aion("replay", "shop", "order-17.json", "--json").stdout)

    assert document == {"workflow_type": "fulfil", "events": 8, "fits": True}


def test_a_history_may_come_through_a_pipe(recorded: Path) -> None:
    """`aion history ID --json | aion replay shop -` works."""
    assert aion("replay", "shop", "-", stdin=recorded.read_text("utf-8")).exit_code == 0


def test_replay_runs_no_activity(recorded: Path, here: Path) -> None:
    """Nothing outside the workflow function happens again."""
    aion("replay", "shop", "order-17.json")

    assert (here / "notes.txt").read_text() == "charge\n"


def test_changed_code_shows_both_commands(recorded: Path, here: Path) -> None:
    """What is recorded, what the code does, each with file and line; exit code 1."""
    write_module("shop", CHANGED)
    result = aion("replay", "shop:fulfil", "order-17.json")
    lines = result.stderr.splitlines()

    assert (result.exit_code, result.stdout, lines[0]) == (1, "", "Error: history and code differ at event 2")
    assert "name=charge" in lines[1]
    assert "delay=5s" in lines[2]
    assert [f"{here.name}/shop.py:" in line for line in lines[1:3]] == [True, True]


def test_changed_code_is_told_to_programs(recorded: Path) -> None:
    """Both commands and the event's place are fields of the error."""
    write_module("shop", CHANGED)
    error = error_of(aion("replay", "shop", "order-17.json", "--json"))

    assert (error["code"], error["seq"]) == ("non_determinism", 2)
    assert ("charge" in error["recorded"], "delay=5s" in error["attempted"]) == (True, True)


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["shop", "lost.json"], 3, "there is no file 'lost.json'"),
        (["shop", "."], 2, "cannot be read"),
        (["shop", "shop.py"], 2, "this is not a history file"),
        (["shop", "other.json"], 2, "expected 'aion.history.1'"),
        (["shop", "list.json"], 2, "this is not a history file"),
        (["shop", "deep.json"], 2, "cannot be replayed"),
        (["shop", "empty.json"], 2, "begins with its WorkflowStarted event"),
        (["shop", "newer.json"], 2, "'Unheard' is unknown"),
        (["shop", "binary.json"], 2, "not text in UTF-8"),
        (["shop:add", "order-17.json"], 2, "a history of workflow 'fulfil', not of 'add'"),
        (["lost", "order-17.json"], 3, "there is no module 'lost'"),
        (["shop:lost", "order-17.json"], 3, "no workflow 'lost'"),
    ],
)
def test_what_cannot_be_replayed_is_one_sentence(
    recorded: Path, here: Path, arguments: list[str], code: int, message: str
) -> None:
    """A file that is missing, unreadable, cut, newer or another workflow's is told apart from code that differs."""
    (here / "other.json").write_text('{"format": "another"}')
    (here / "list.json").write_text("[]")
    (here / "deep.json").write_text("[" * 100_000)
    (here / "empty.json").write_text('{"format": "aion.history.1", "events": []}')
    (here / "newer.json").write_text(recorded.read_text("utf-8").replace("ActivityScheduled", "Unheard"))
    (here / "binary.json").write_bytes(b"\xff\xfe\x00")
    result = aion("replay", *arguments)

    assert (result.exit_code, result.stdout, len(result.stderr.splitlines())) == (code, "", 1)
    assert message in result.stderr
