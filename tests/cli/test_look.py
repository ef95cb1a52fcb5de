"""`aion list`, `aion describe`, `aion history`: looking without an engine."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from aion._compose import Engine
from aion._runtime.views import History
from tests.cli.command import aion, complete, error_of, write_module

STORE = "sqlite:///aion.db"


@pytest.fixture
def shop(here: Path) -> Any:
    """A store with three runs: two that completed, of which one has a nasty summary, and one that failed."""
    module = write_module("shop")

    async def main() -> None:
        async with Engine(STORE, register=[module]) as engine:
            order = module.Order("17", 99)
            await engine.execute(module.fulfil(order), id="order-17", attributes={"region": "no\x1brth"})
            await engine.execute(module.add(a=1), id="sum", summary="two\nlines \x1b[2J")
            handle = await engine.start(module.fail("no stock"), id="failing")
            with pytest.raises(Exception, match="no stock"):
                await handle.result()

    asyncio.run(main())
    return module


def test_a_list_shows_every_run_on_a_line(shop: Any) -> None:
    """Ids, types and states stand in columns, in order of their start."""
    lines = aion("list").stdout.splitlines()

    assert [line.split()[:3] for line in lines] == [
        ["ID", "TYPE", "STATUS"],
        ["order-17", "fulfil", "completed"],
        ["sum", "add", "completed"],
        ["failing", "fail", "failed"],
    ]


def test_a_list_is_harmless_for_terminals(shop: Any) -> None:
    """What a summary holds is shown, not obeyed."""
    text = aion("list").stdout

    assert ("\x1b" in text, "two\\nlines \\x1b[2J" in text) == (False, True)


def test_a_list_is_json_for_programs(shop: Any) -> None:
    """Every field of `describe()` is there, values as they are."""
    document = json.loads(aion("list", "--json").stdout)

    assert [run["id"] for run in document["runs"]] == ["order-17", "sum", "failing"]
    assert (document["runs"][1]["summary"], document["cursor"]) == ("two\nlines \x1b[2J", None)


def test_a_filter_chooses(shop: Any) -> None:
    """Only what matches is listed."""
    document = json.loads(aion("list", 'status = "completed" and type in ("add", "fail")', "--json").stdout)

    assert [run["id"] for run in document["runs"]] == ["sum"]


def test_pages_follow_each_other(shop: Any) -> None:
    """The cursor that a page printed leads to the next, without gap or double."""
    first = json.loads(aion("list", "--limit", "2", "--json").stdout)
    second = json.loads(aion("list", "--limit", "2", "--cursor", first["cursor"], "--json").stdout)
    told = aion("list", "--limit", "2").stderr

    assert [run["id"] for run in first["runs"] + second["runs"]] == ["order-17", "sum", "failing"]
    assert (second["cursor"], told) == (None, f"more follow: --cursor {first['cursor']}\n")


def test_an_empty_list_says_so(shop: Any) -> None:
    """Nothing on stdout, a word on stderr, and no failure."""
    result = aion("list", 'type = "lost"')

    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "no runs match\n")


@pytest.mark.parametrize(
    ("arguments", "code", "error"),
    [
        (["list", "statis"], 2, "invalid_filter"),
        (["list", 'status = "\x1b[2J"'], 2, "invalid_filter"),
        (["list", "--limit", "0"], 2, "usage"),
        (["list", "--limit", "many"], 2, "usage"),
        (["list", "--cursor", "nonsense"], 2, "invalid_input"),
        (["list", "status", "=", "running"], 2, "usage"),
        (["describe", "lost"], 3, "not_found"),
        (["describe", "order-17", "--run-id", "lost"], 3, "not_found"),
        (["describe", "order-17", "--namespace", "other"], 3, "not_found"),
        (["describe", ""], 2, "invalid_input"),
        (["history", "lost"], 3, "not_found"),
        (["history", "a\nb"], 2, "invalid_input"),
        (["list", "--store", "sqlite:///lost.db"], 4, "store_error"),
        (["list", "--store", "sqlite:///shop.py"], 4, "store_corrupt"),
        (["list", "--store", "sqlite:///."], 4, "store_error"),
        (["list", "--store", "memory:"], 2, "invalid_input"),
        (["list", "--store", "postgres://x"], 2, "invalid_input"),
    ],
)
def test_what_cannot_be_shown_is_one_sentence(shop: Any, arguments: list[str], code: int, error: str) -> None:
    """People get a sentence without a traceback, programs an object, both the exit code for it."""
    for_people, for_programs = aion(*arguments), aion(*arguments, "--json")

    assert (for_people.exit_code, for_programs.exit_code, error_of(for_programs)["code"]) == (code, code, error)
    assert (for_people.stdout, for_people.stderr.startswith("Error: "), "\x1b" in for_people.stderr) == (
        "",
        True,
        False,
    )
    assert "Traceback" not in for_people.stderr


def test_looking_creates_nothing(here: Path) -> None:
    """A mistyped store does not come into being by being looked at."""
    aion("list", "--store", "sqlite:///typo.db")

    assert list(here.iterdir()) == []


def test_describe_shows_what_applies(shop: Any) -> None:
    """A field a line, escaped; what does not apply is left out."""
    lines = dict(line.split(":", 1) for line in aion("describe", "order-17").stdout.splitlines())

    assert (lines["id"].strip(), lines["status"].strip(), "parent" in lines) == ("order-17", "completed", False)
    assert lines["attributes"].strip() == '{"region": "no\\u001brth"}'


def test_describe_is_json_for_programs(shop: Any) -> None:
    """The object that lists hold, by itself."""
    listed = json.loads(aion("list", "--json").stdout)["runs"][0]

    assert json.loads(aion("describe", "order-17", "--json").stdout) == listed


def test_history_shows_events_with_their_places(shop: Any, here: Path) -> None:
    """Each event is a line: what, which, with what, and where in the code."""
    text = aion("history", "order-17").stdout
    scheduled = next(line for line in text.splitlines() if "ActivityScheduled" in line)

    assert 'charge 1 input={"id": "17", "amount": 99}' in scheduled
    assert scheduled.split(" at ")[-1].startswith(f"{here.name}/shop.py:")


def test_history_shows_errors_as_people_read_them(shop: Any) -> None:
    """Type and message, not a nested object."""
    assert "error=ValueError: no stock" in aion("history", "failing").stdout


def test_history_is_the_file_that_replay_reads(shop: Any) -> None:
    """With --json it is the same document that `History.to_json` gives."""
    text = aion("history", "order-17", "--json").stdout

    assert History.from_json(text).to_json() == text


def test_an_earlier_run_of_the_id_is_found_by_its_run_id(shop: Any) -> None:
    """Without a run id the newest is meant, with one exactly that."""
    first = json.loads(aion("describe", "sum", "--json").stdout)["run_id"]
    complete(STORE, (shop.add(a=5), {"id": "sum", "on_conflict": "restart"}), register=[shop])
    newest = json.loads(aion("describe", "sum", "--json").stdout)["run_id"]

    assert newest != first
    assert json.loads(aion("describe", "sum", "--run-id", first, "--json").stdout)["run_id"] == first
    assert '"sum": 3' in aion("history", "sum", "--run-id", first).stdout


def test_a_store_can_be_looked_at_beside_a_running_engine(shop: Any) -> None:
    """Every reading command works while an engine has the file open for writing."""

    async def main() -> list[int]:
        async with Engine(STORE, register=[shop]) as engine:
            await engine.execute(shop.hello(), id="live")
            return [aion(*command).exit_code for command in (["list"], ["describe", "live"], ["history", "live"])]

    assert asyncio.run(main()) == [0, 0, 0]
