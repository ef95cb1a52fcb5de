"""`aion run`: from arguments to a result, through interruptions."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from aion._compose import Engine
from aion.stores.sqlite import SqliteStore
from tests.cli.command import SHOP, aion, complete, error_of, write_module

ORDER = '{"id": "17", "amount": 99}'


@pytest.fixture(autouse=True)
def shop(here: Path) -> object:
    """The module that every test here runs."""
    return write_module("shop")


def test_a_workflow_runs_to_its_end() -> None:
    """Its result is printed, and nothing else on stdout."""
    result = aion("run", "shop:fulfil", "--input", ORDER, "--id", "order-17")

    assert (result.exit_code, result.stdout) == (0, "shipped receipt-17\n")


def test_the_default_store_is_a_file_here(here: Path) -> None:
    """Without --store, runs are kept in aion.db in the current directory."""
    aion("run", "shop:hello")

    assert (here / "aion.db").exists()


def test_the_environment_names_the_store(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """$AION_STORE stands for --store."""
    monkeypatch.setenv("AION_STORE", "sqlite:///elsewhere.db")
    aion("run", "shop:hello")

    assert ((here / "elsewhere.db").exists(), (here / "aion.db").exists()) == (True, False)


def test_a_store_in_memory_leaves_nothing(here: Path) -> None:
    """memory: is enough to try something out."""
    result = aion("run", "shop:add", "--input", '{"a": 1}', "--store", "memory:")

    assert (result.stdout, result.stderr, list(here.glob("*.db"))) == ('{"sum": 3}\n', "", [])


@pytest.mark.parametrize(
    ("workflow", "text", "printed"),
    [
        ("add", '{"a": 1}', '{"sum": 3}'),
        ("add", '{"a": 1, "b": 5}', '{"sum": 6}'),
        ("hello", None, "hel\\x1b[2Jlo\nyou"),
        ("hello", "{}", "hel\\x1b[2Jlo\nyou"),
        ("hello", "null", "hel\\x1b[2Jlo\nyou"),
        ("add", "@input.json", '{"sum": 42}'),
        ("add", "-", '{"sum": 7}'),
    ],
)
def test_input_is_json_from_the_line_a_file_or_stdin(here: Path, workflow: str, text: str | None, printed: str) -> None:
    """One parameter takes the value itself, several take an object; what people get is harmless."""
    (here / "input.json").write_text('{"a": 40}', "utf-8")
    options = [] if text is None else ["--input", text]
    result = aion("run", f"shop:{workflow}", *options, "--store", "memory:", stdin='{"a": 5}')

    assert (result.exit_code, result.stdout) == (0, printed + "\n")


@pytest.mark.parametrize(
    ("workflow", "text", "code", "message"),
    [
        ("fulfil", None, 2, "missing required field `order`; give the arguments with --input"),
        ("fulfil", "{", 2, "--input is not JSON"),
        ("fulfil", "ada", 2, "strings need double quotes"),
        ("fulfil", '{"id": 17, "amount": 1}', 2, "argument 'order' of fulfil()"),
        ("add", '{"a": "x"}', 2, "arguments of add()"),
        ("add", '{"a": 1, "c": 1}', 2, "unknown field `c`"),
        ("add", "[1]", 2, "arguments of add()"),
        ("fulfil", "@lost.json", 3, "'lost.json', which does not exist"),
        ("fulfil", "@.", 2, "cannot be read"),
        ("fulfil", "@binary", 2, "UTF-8"),
        ("fulfil", "[" * 100_000, 2, "--input is not JSON"),
    ],
)
def test_input_that_does_not_fit_is_refused(
    here: Path, workflow: str, text: str | None, code: int, message: str
) -> None:
    """Nothing is started, not even a store is made, and the message says what is wrong with which argument."""
    (here / "binary").write_bytes(b"\xff\xfe\x00")
    options = [] if text is None else ["--input", text]
    result = aion("run", f"shop:{workflow}", *options)

    assert (result.exit_code, result.stdout, list(here.glob("*.db"))) == (code, "", [])
    assert message in result.stderr
    assert "Traceback" not in result.stderr


def test_a_failed_workflow_shows_its_error_and_where(here: Path) -> None:
    """Exit code 1, the error as a sentence, and the place in the user's code."""
    result = aion("run", "shop:fail", "--input", '"no \\u001b[31mstock"', "--id", "f1")

    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.splitlines()[0] == "Error: workflow 'f1' failed: ValueError: no \\x1b[31mstock"
    assert f"{here.name}/shop.py:" in result.stderr.splitlines()[1]


def test_a_failed_workflow_is_json_for_programs() -> None:
    """The error comes with its fields."""
    error = error_of(aion("run", "shop:fail", "--input", '"no"', "--id", "f1", "--json"))

    assert (error["code"], error["failure"]["type"], error["failure"]["message"]) == (
        "workflow_failed",
        "ValueError",
        "no",
    )


def test_the_result_is_json_for_programs() -> None:
    """Ids, status and result in one object, and no word on stderr."""
    result = aion("run", "shop:add", "--input", '{"a": 1}', "--id", "sum", "--json")
    document = json.loads(result.stdout)

    assert (document["id"], document["status"], document["result"], result.stderr) == (
        "sum",
        "completed",
        {"sum": 3},
        "",
    )


def test_a_made_up_id_is_told() -> None:
    """Who gave no id learns the one that the run can be found by."""
    result = aion("run", "shop:add", "--input", '{"a": 1}')
    runs = json.loads(aion("list", "--json").stdout)["runs"]

    assert result.stderr == f"workflow {runs[0]['id']} in sqlite:///aion.db\n"


def test_a_finished_run_gives_its_result_again(here: Path) -> None:
    """The same id is the same run: nothing is done twice, and people are told."""
    first = aion("run", "shop:fulfil", "--input", ORDER, "--id", "order-17")
    again = aion("run", "shop:fulfil", "--input", '{"id": "18", "amount": 1}', "--id", "order-17")

    assert (again.stdout, (here / "notes.txt").read_text()) == (first.stdout, "charge\n")
    assert "workflow order-17 was started at" in again.stderr


def test_an_interrupted_run_goes_on(here: Path, shop: object) -> None:
    """A run that another process left in the middle is finished, without repeating what is recorded."""
    leave_in_the_middle(here, shop)
    result = aion("run", "shop:fulfil", "--input", ORDER, "--id", "order-17")

    assert (result.exit_code, result.stdout) == (0, "shipped receipt-17\n")
    assert (here / "notes.txt").read_text() == "charge\n"


def test_code_that_does_not_fit_is_told_and_the_run_is_kept(here: Path, shop: object) -> None:
    """Both commands are shown, the exit code is 1, and with the right code the run still completes."""
    leave_in_the_middle(here, shop)
    changed = SHOP.replace("return await ship(await charge(order))", "return await ship('none')")
    write_module("shop", changed)
    blocked = aion("run", "shop:fulfil", "--input", ORDER, "--id", "order-17")
    as_json = error_of(aion("run", "shop:fulfil", "--input", ORDER, "--id", "order-17", "--json"))
    write_module("shop")
    right = aion("run", "shop:fulfil", "--input", ORDER, "--id", "order-17")

    assert (blocked.exit_code, blocked.stdout) == (1, "")
    assert [line.split(":")[0].strip() for line in blocked.stderr.splitlines()[-3:-1]] == ["recorded", "the code does"]
    assert blocked.stderr.count(f"{here.name}/shop.py:") == 2
    assert (as_json["code"], as_json["reason"]) == ("blocked", "nondeterminism")
    assert (right.exit_code, right.stdout) == (0, "shipped receipt-17\n")


def test_an_id_of_another_workflow_is_refused() -> None:
    """Nobody gets the result of something else than they asked for."""
    aion("run", "shop:hello", "--id", "a")
    result = aion("run", "shop:add", "--input", '{"a": 1}', "--id", "a")

    assert (result.exit_code, result.stdout) == (2, "")
    assert "belongs to a workflow of type 'hello'" in result.stderr


def test_ctrl_c_keeps_the_run() -> None:
    """Interrupted, the command says how to go on, and the run is there."""
    result = aion("run", "shop:wait_for_ever", "--id", "w1")
    status = json.loads(aion("describe", "w1", "--json").stdout)["status"]

    assert (result.exit_code, result.stderr.splitlines()[-1], status) == (
        130,
        "Error: interrupted; the run is kept, and goes on with --id w1",
        "running",
    )


def test_a_store_that_another_engine_has_open_is_told_with_its_pid(here: Path) -> None:
    """Two engines on one file are refused with exit code 4, and nothing is started."""
    owner = SqliteStore.open(here / "aion.db")
    try:
        result = aion("run", "shop:hello", "--id", "h1", "--json")
        found = owner.find("default", "h1")
    finally:
        owner.close()

    assert (result.exit_code, error_of(result)["code"], found) == (4, "store_locked", None)


@pytest.mark.parametrize(
    ("options", "code"),
    [
        (["--store", "postgres://x"], 2),
        (["--store", "sqlite:///"], 2),
        (["--store", "sqlite:////no/such/folder/x.db"], 4),
        (["--store", "sqlite:///shop.py"], 4),
        (["--id", ""], 2),
        (["--id", "a\nb"], 2),
        (["--id", "x" * 256], 2),
        (["--namespace", ""], 2),
    ],
)
def test_stores_and_ids_that_cannot_be_are_refused(options: list[str], code: int) -> None:
    """Each gets one sentence and the exit code for it."""
    result = aion("run", "shop:hello", *options)

    assert (result.exit_code, result.stdout, len(result.stderr.splitlines())) == (code, "", 1)


def test_namespaces_are_apart(shop: object) -> None:
    """The same id in another namespace is another run."""
    complete("sqlite:///aion.db", (shop.hello(), {"id": "a"}), register=[shop])  # type: ignore[attr-defined]
    result = aion("run", "shop:add", "--input", '{"a": 1}', "--id", "a", "--namespace", "other")

    assert (result.exit_code, result.stdout) == (0, '{"sum": 3}\n')


def leave_in_the_middle(here: Path, shop: object) -> None:
    """Run order-17 until its first step is recorded and its second is under way, then close the engine."""

    async def main() -> None:
        (here / "closed").touch()
        engine = Engine("sqlite:///aion.db", register=[shop])
        await engine.start_serving()
        call = shop.fulfil(shop.Order("17", 99))  # type: ignore[attr-defined]
        handle = await engine.start(call, id="order-17")
        async for event in handle.events():
            if event.type == "ActivityScheduled" and event.data["name"] == "ship":
                break
        await engine.close(0)
        (here / "closed").unlink()

    asyncio.run(main())
