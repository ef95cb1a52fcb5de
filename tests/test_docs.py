"""The pages say what is true: their programs run, their links lead somewhere, and the references leave nothing out."""

from __future__ import annotations

import dataclasses
import inspect
import os
import subprocess
import sys
import typing
from pathlib import Path
from typing import Any

import pytest

import aion
from aion import errors
from aion._core import events
from aion._core.limits import Limits
from aion._runtime.settings import Settings
from tests.docs.pages import ROOT, all_pages, page
from tools.check_docs import dead_links

SECONDS_MAX = 30

# The classes that users make objects of; the others they get from somewhere.
CONSTRUCTED = (aion.Engine, aion.Retry, aion.Signal, aion.Query)

PAGES = {entry.name: entry for entry in all_pages()}

# ── programs and links ───────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", [name for name, entry in PAGES.items() if entry.program])
def test_the_python_on_a_page_runs_as_shown(name: str, tmp_path: Path) -> None:
    """Who copies the blocks of a page into a file, one after the other, gets a program that works."""
    shown = PAGES[name]
    # The file is named after the page and has the page's line numbers.
    program = tmp_path / f"{Path(name).stem.replace('-', '_')}.py"
    program.write_text(shown.program, encoding="utf-8")
    finished = run(program)

    assert (finished.returncode, finished.stderr) == (0, "")
    if shown.output is not None:
        assert finished.stdout == shown.output


@pytest.mark.parametrize("name", list(PAGES))
def test_every_link_leads_somewhere(name: str) -> None:
    """A relative link names a file that is there, and a heading in it."""
    assert list(dead_links(ROOT / name)) == []


def test_every_page_is_reached_from_the_index() -> None:
    """`docs/README.md` names each page under docs, but for the decision records, which have an index of their own."""
    index = page("docs/README.md").text
    names = [str(Path(name).relative_to("docs")) for name in PAGES if name.startswith("docs/")]
    lost = [name for name in names if f"]({name})" not in index and name != "README.md" and name[:4] != "adr/"]

    assert lost == []


def test_the_first_screen_of_the_readme_shows_what_it_is() -> None:
    """Before anything else: code of about 25 lines, and the two commands."""
    readme = page("README.md")
    code = next(block for block in readme.blocks if block.kind == "python")
    first_screen = readme.text[: readme.text.index("\n## ")]

    assert 15 <= len(code.text.splitlines()) <= 35
    assert [verb in first_screen for verb in ("    make demo ", "    make test ")] == [True, True]


def test_the_architecture_page_fits_four_screens() -> None:
    """It is read whole, or not at all; and it says what must never break."""
    text = page("ARCHITECTURE.md").text

    assert len(text.splitlines()) <= 200
    assert text.count("Invariant:") >= 10


# ── references ───────────────────────────────────────────────────────────────────────────────────


def test_every_error_code_has_its_entry() -> None:
    """The errors reference has a heading for each class, and under it the code."""
    reference = page("docs/reference/errors.md")
    wanted = {f"`{name}`": f"`{kind.code}`" for name, kind in public_errors().items()}

    assert [name for name in wanted if name not in reference.headings] == []
    assert [name for name, code in wanted.items() if code not in reference.section(name)] == []


def test_every_event_type_has_its_entry_with_its_fields() -> None:
    """The events reference has a heading for each type, and under it a row for each field, and no others."""
    reference = page("docs/reference/events.md")
    wanted = {kind.__name__: list(kind.__struct_fields__) for kind in typing.get_args(events.AnyEvent)}
    headings = {heading.strip("`") for heading in reference.headings if heading.startswith("`")}

    assert headings == set(wanted)
    assert {name: first_cells(reference.section(f"`{name}`")) for name in wanted} == wanted


@pytest.mark.parametrize("kind", [Settings, Limits])
def test_every_setting_has_its_row_with_its_default(kind: type) -> None:
    """The settings reference names each field and the value that it has when nothing is said."""
    rows = page("docs/reference/settings.md").rows
    wanted = {field.name: default_of(field) for field in dataclasses.fields(kind)}

    assert {name: rows[name][0] if name in rows else None for name in wanted} == wanted


def test_every_public_name_has_its_entry_with_its_parameters() -> None:
    """The API reference has a heading for each name of `aion`, and says the name of each of its parameters."""
    reference = page("docs/reference/api.md")
    headings = {named(heading): heading for heading in reference.headings if "`" in heading}
    missing, unsaid = [], []
    for name, thing in public_names().items():
        if name not in headings:
            missing.append(name)
            continue
        text = headings[name] + reference.section(headings[name])
        unsaid += [f"{name}({parameter})" for parameter in parameters(thing) if not says(text, parameter)]

    assert missing == []
    assert unsaid == []


def public_errors() -> dict[str, type[errors.AionError]]:
    """Every error class that users may meet, by name."""
    return {
        name: kind
        for name, kind in vars(errors).items()
        if isinstance(kind, type) and issubclass(kind, errors.AionError) and not name.startswith("_")
    }


def public_names() -> dict[str, Any]:
    """What `aion` offers, errors aside; and the methods of what one gets from it, by their full name."""
    names = {
        f"aion.{name}": thing
        for name, thing in vars(aion).items()
        if not name.startswith("_") and not inspect.ismodule(thing) and name not in vars(errors)
    }
    for holder in (aion.Engine, aion.WorkflowHandle, aion.Signal, aion.Query, aion.testing.TestEngine):
        for name in dir(holder):
            thing = inspect.getattr_static(holder, name)
            if not name.startswith("_") and inspect.isfunction(thing):
                names.setdefault(f"{holder.__name__}.{name}", thing)
    for name in ("engine", "replay"):
        names[f"aion.testing.{name}"] = getattr(aion.testing, name)
    inherited = [name for name in names if name.startswith("TestEngine.") and hasattr(aion.Engine, name[11:])]
    return {name: thing for name, thing in names.items() if name not in inherited}


def parameters(thing: Any) -> list[str]:
    """The names a caller may use, of what users call."""
    if not inspect.isfunction(thing) and thing not in CONSTRUCTED:
        return []
    signature = inspect.signature(thing)
    left_out = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return [name for name, p in signature.parameters.items() if name != "self" and p.kind not in left_out]


def named(heading: str) -> str:
    """The name that a heading of the API reference is about: "await aion.sleep(duration)" is about `aion.sleep`."""
    return heading.split("`")[1].split("(")[0].split()[-1].lstrip("@")


def says(text: str, word: str) -> bool:
    """Whether a text has a name in it, as a whole word."""
    return word in "".join(letter if letter.isidentifier() or letter.isdigit() else " " for letter in text).split()


def first_cells(section: str) -> list[str]:
    """The names in the first column of the table in a section."""
    rows = [line for line in section.splitlines() if line.startswith("| `")]
    return [row.split("`")[1] for row in rows]


def default_of(field: dataclasses.Field[Any]) -> str:
    """A default as the settings reference writes it."""
    if field.default_factory is not dataclasses.MISSING:
        return f"`{getattr(field.default_factory, '__name__', '')}()`"
    value = field.default
    if isinstance(value, int) and value >= 1024 * 1024 and value % (1024 * 1024) == 0:
        return f"{value // (1024 * 1024)} MiB"
    return f"`{value!r}`" if isinstance(value, str) else f"{value:,}"


def run(program: Path) -> subprocess.CompletedProcess[str]:
    """Run a program in its own folder, with every warning an error."""
    paths = [str(ROOT / "src"), *filter(None, [os.environ.get("PYTHONPATH")])]
    return subprocess.run(
        [sys.executable, "-W", "error", program.name],
        cwd=program.parent,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
        capture_output=True,
        text=True,
        timeout=SECONDS_MAX,
        check=False,
    )
