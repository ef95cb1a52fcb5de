"""Every place where the engine can be killed, taken from its source: nobody has to remember to list a new one.

A place is a call of `failpoint(...)` or `.reach(...)`. Its name may be put together from a parameter of the
function that it stands in, as in `failpoint(f"{name}.mid_tx")`; then every constant that is passed for that
parameter gives a name. A place of a commit stands for as many cells as there are kinds of durable writes.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from importlib.resources import files
from importlib.resources.abc import Traversable

from aion._runtime.failpoints import WRITES

_FUNCTIONS = ("failpoint", "reach")


def kill_cells() -> list[str]:
    """The names of all failpoints; those of a commit once for each durable write it may carry."""
    places = sorted(set(_places(files("aion"))))
    return [cell for place in places for cell in _cells(place)]


def _cells(place: str) -> Iterator[str]:
    if place.startswith("commit."):
        yield from (f"{place}[{write}]" for write in WRITES)
    else:
        yield place


def _places(folder: Traversable) -> Iterator[str]:
    for entry in folder.iterdir():
        if entry.is_dir() and entry.name != "testing":
            yield from _places(entry)
        elif entry.name.endswith(".py"):
            yield from places_in(entry.read_text("utf-8"))


def places_in(source: str) -> Iterator[str]:
    """The names of the failpoints in one file.

    Raises:
        ValueError: a name is put together in a way that cannot be followed.
    """
    tree = ast.parse(source)
    for function in ast.walk(tree):
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            for call in _calls(function, _FUNCTIONS):
                if call.args:
                    yield from _names(call, function, tree)


def _names(call: ast.Call, function: ast.FunctionDef | ast.AsyncFunctionDef, tree: ast.Module) -> Iterator[str]:
    match call.args[0]:
        case ast.Constant(value=str(name)):
            yield name
        case ast.JoinedStr(values=[ast.FormattedValue(value=ast.Name(id=parameter)), ast.Constant(value=suffix)]):
            position = [argument.arg for argument in function.args.args if argument.arg != "self"].index(parameter)
            for caller in _calls(tree, (function.name,)):
                prefix = caller.args[position]
                if isinstance(prefix, ast.Constant):
                    yield str(prefix.value) + str(suffix)
        case ast.Name(id="name") if function.name == "reach":
            # A failpoint that is handed on: it is named where it comes from.
            pass
        case other:
            raise ValueError(f"line {call.lineno}: cannot tell which failpoint {ast.unparse(other)} is")


def _calls(tree: ast.AST, names: tuple[str, ...]) -> Iterator[ast.Call]:
    """Calls of a function or method of one of these names."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if called in names:
                yield node
