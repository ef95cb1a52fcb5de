"""House rules that no linter knows, checked over the files themselves.

A rule that lets something pass lists it, with the reason. A list may only shrink: an entry that nothing needs any more
fails its test, so that it never covers for the next offender.
"""

from __future__ import annotations

import ast
import io
import re
import tokenize

from tests.source_tree import code_lines, imports, python_trees, source, tracked

FILE_LINES_MAX = 500
FUNCTION_LINES_MAX = 50

# What is over a limit today: "file" or "file:function" → its lines. Numbers go down, entries go away; none is added.
SIZE_DEBT: dict[str, int] = {}

# File → why it may rebind a name of its module.
ALLOWED_GLOBALS: dict[str, str] = {}

FORBIDDEN_IMPORTS = {"pickle", "_pickle", "marshal", "shelve", "dill", "cloudpickle", "jsonpickle", "joblib"}
NAMES_THAT_SAY_NOTHING = {"utils", "util", "helpers", "helper", "manager", "handler", "impl", "common", "misc"}
# Patterns are written so that they do not match themselves.
TIED_TO_A_MACHINE = re.compile(
    r"(?<![\w.:/])/(?:work|root|home/\w+|Users/\w+)/\w"
    r"|pypi\.(?:org|python)|python[h]osted|registry\.[n]pmjs|deb\.[d]ebian"
)
TICKET = re.compile(r"(?i)\b(?:issue|ticket|bug|pr)\s*#?\d+|(?<!\w)#\d{2,}\b")


def test_every_module_says_what_it_is() -> None:
    """The first line of a file says which one idea it holds."""
    silent = [name for name, tree in python_trees() if tree.body and not ast.get_docstring(tree)]

    assert "\n".join(silent) == ""


def test_files_and_functions_stay_small() -> None:
    """What is over the limits is exactly the debt list, at exactly the recorded sizes."""
    over = {}
    for name, tree in python_trees():
        lines = source(name).splitlines()
        if len(lines) > FILE_LINES_MAX:
            over[name] = len(lines)
        for node in ast.walk(tree):
            size = code_lines(node, lines) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) else 0
            if size > FUNCTION_LINES_MAX:
                over[f"{name}:{getattr(node, 'name', '')}"] = size

    assert over == SIZE_DEBT


def test_no_module_rebinds_its_own_names() -> None:
    """Module-level state is a constant; what changes lives in an object that somebody made."""
    rebinding = {name for name, tree in python_trees("src") if any(isinstance(n, ast.Global) for n in ast.walk(tree))}

    assert rebinding == set(ALLOWED_GLOBALS)


def test_nothing_unpickles() -> None:
    """Data never becomes code: no file imports a serialiser that can run what it reads."""
    imported = [(f"{name}:{line}", module) for name, tree in python_trees() for line, module in imports(tree)]
    found = [place for place, module in imported if module.split(".")[0] in FORBIDDEN_IMPORTS]

    assert "\n".join(found) == ""


def test_the_package_does_not_import_its_own_front_door() -> None:
    """Modules name the submodule they need; going through `aion` itself would make every import a cycle."""
    # The front door itself offers two submodules by name; type checkers take no other spelling for it.
    inside = [(name, tree) for name, tree in python_trees("src") if name != "src/aion/__init__.py"]
    imported = [(f"{name}:{line}", module) for name, tree in inside for line, module in imports(tree)]
    found = [place for place, module in imported if module == "aion"]

    assert "\n".join(found) == ""


def test_files_are_named_after_what_they_hold() -> None:
    """No file or folder has a name that would fit any content."""
    vague = [name for name in tracked() if NAMES_THAT_SAY_NOTHING & set(re.split(r"[/._]", name))]

    assert "\n".join(vague) == ""


def test_no_text_is_tied_to_one_machine() -> None:
    """Nothing names a path of somebody's machine, or the host that packages come from."""
    found = []
    for name in tracked():
        for number, line in enumerate(source(name).splitlines(), 1):
            if TIED_TO_A_MACHINE.search(line):
                found.append(f"{name}:{number}: {line.strip()}")

    assert "\n".join(found) == ""


def test_comments_give_reasons_not_ticket_numbers() -> None:
    """Who reads the code has the reason in front of them, and need not look up a number."""
    found = []
    for name, _ in python_trees():
        for token in tokenize.generate_tokens(io.StringIO(source(name)).readline):
            if token.type == tokenize.COMMENT and TICKET.search(token.string):
                found.append(f"{name}:{token.start[0]}: {token.string}")

    assert "\n".join(found) == ""
