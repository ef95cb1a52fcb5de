"""What MODULE:WORKFLOW means."""

from __future__ import annotations

from pathlib import Path

import pytest

from aion.cli.failures import UserCodeFailed
from aion.cli.target import load_target
from aion.errors import InvalidInput, NotFound
from tests.cli.command import write_module

ONE = "import aion\n@aion.workflow(name='renamed')\nasync def only() -> None: ...\n"


@pytest.mark.parametrize("target", ["one", "one:only", "one:renamed"])
def test_a_workflow_is_found_by_either_name_or_as_the_only_one(target: str) -> None:
    """The name in the module, the registered name, and no name where there is one workflow, mean the same."""
    module = write_module("one", ONE)

    assert load_target(target) == (module, module.only)


def test_a_module_in_a_package_is_found(here: Path) -> None:
    """The module may have dots."""
    (here / "stores").mkdir()
    (here / "stores" / "corner.py").write_text(ONE, "utf-8")

    assert load_target("stores.corner:only")[1].name == "renamed"


def test_a_wanted_type_chooses_among_several() -> None:
    """A history says by itself which workflow it belongs to."""
    module = write_module("shop")

    assert load_target("shop", "fulfil") == (module, module.fulfil)


@pytest.mark.parametrize(
    ("target", "wanted_type", "message"),
    [
        ("nowhere:fulfil", None, "there is no module 'nowhere'"),
        ("shop.inner:fulfil", None, "there is no module 'shop.inner'"),
        ("shop:lost", None, "module 'shop' has no workflow 'lost'; it has: add, fail, fulfil, hello, wait_for_ever"),
        ("shop:Order", None, "module 'shop' has no workflow 'Order'"),
        ("shop:charge", None, "module 'shop' has no workflow 'charge'"),
        ("json:dumps", None, "module 'json' has no workflow: decorate"),
        ("shop", "refund", "module 'shop' has no workflow of type 'refund'"),
    ],
)
def test_what_is_not_there_is_named(target: str, wanted_type: str | None, message: str) -> None:
    """A module or workflow that does not exist is named, with what there is instead."""
    write_module("shop")

    with pytest.raises(NotFound) as caught:
        load_target(target, wanted_type)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("shop", "module 'shop' has several workflows: say which, as in shop:"),
        ("shop:", "write shop:fulfil"),
        (":fulfil", "write shop:fulfil"),
        ("", "write shop:fulfil"),
        ("my-shop:fulfil", "write shop:fulfil"),
        ("../shop:fulfil", "write shop:fulfil"),
        ("src/shop.py:fulfil", "names a file: write the module, as in shop:fulfil"),
    ],
)
def test_what_is_not_written_like_a_target_is_explained(target: str, message: str) -> None:
    """A path, a missing part or an ambiguous module gets an example of what is meant."""
    write_module("shop")

    with pytest.raises(InvalidInput) as caught:
        load_target(target)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("x = 1\nraise RuntimeError('boo')", "module 'broken' cannot be imported: RuntimeError: boo (broken.py:2)"),
        ("import nothing_like_it", "ModuleNotFoundError: No module named 'nothing_like_it' (broken.py:1)"),
        ("\ndef x(:", "SyntaxError: invalid syntax (broken.py:2)"),
        ("import aion\n@aion.workflow\nasync def w(*args): ...", "(broken.py:2)"),
    ],
)
def test_a_module_that_fails_says_where(here: Path, source: str, message: str) -> None:
    """An error in the user's own module is one sentence with file and line."""
    (here / "broken.py").write_text(source, "utf-8")

    with pytest.raises(UserCodeFailed) as caught:
        load_target("broken:x")
    assert message in str(caught.value)
