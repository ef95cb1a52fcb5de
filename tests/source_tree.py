"""The files of the project, read and parsed once, for the tests that check the files themselves."""

from __future__ import annotations

import ast
import builtins
import functools
import subprocess
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


@functools.cache
def tracked() -> list[str]:
    """Every file that is, or could be, committed; without git, every file outside hidden and built folders."""
    listing = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if listing.returncode == 0:
        return sorted(name for name in set(listing.stdout.splitlines()) if (ROOT / name).is_file())
    built = {"__pycache__", "build", "dist"}
    names = (path.relative_to(ROOT) for path in ROOT.rglob("*") if path.is_file())
    return sorted(str(n) for n in names if not any(part.startswith(".") or part in built for part in n.parts[:-1]))


@functools.cache
def source(name: str) -> str:
    """The text of a file; of one that holds no text, nothing."""
    try:
        return (ROOT / name).read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return ""


@functools.cache
def python_trees(under: str = "") -> list[tuple[str, ast.Module]]:
    """Every Python file below a folder, parsed."""
    names = [name for name in tracked() if name.endswith(".py") and name.startswith(under)]
    return [(name, ast.parse(source(name), name)) for name in names]


def code_lines(function: ast.FunctionDef | ast.AsyncFunctionDef, lines: list[str]) -> int:
    """How many lines of a body are code: not blank, not a comment, not the docstring."""
    body = function.body[1:] if ast.get_docstring(function) is not None else function.body
    if not body:
        return 0
    span = lines[body[0].lineno - 1 : function.end_lineno]
    return sum(1 for line in span if line.strip() and not line.strip().startswith("#"))


def imports(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Every module that is imported, with its line, wherever the import stands."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.lineno, node.module or ""


def uses(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Every name that is used, spelled in full as its import says, with its line.

    `from time import monotonic as now; now` is a use of `time.monotonic`, also when it is only passed on. A method of
    an object we know nothing of is `?.method`. A call is reported once more, with `()` at its end: of a builtin always,
    of anything else when it has no argument.
    """
    origin = {alias: name for node in ast.walk(tree) for alias, name in bindings(node)}
    own = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    own |= {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)}
    origin = {name: name for name in set(dir(builtins)) - own} | origin
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute | ast.Name) and isinstance(node.ctx, ast.Load):
            yield node.lineno, full_name(node, origin)
        elif isinstance(node, ast.Call):
            called = full_name(node.func, origin)
            if "." not in called or not (node.args or node.keywords):
                yield node.lineno, f"{called}()"


def bindings(node: ast.AST) -> Iterator[tuple[str, str]]:
    """The names that an import statement binds, each with what it stands for."""
    if isinstance(node, ast.Import):
        for alias in node.names:
            top = alias.name.split(".")[0]
            yield (alias.asname, alias.name) if alias.asname else (top, top)
    elif isinstance(node, ast.ImportFrom):
        yield from ((alias.asname or alias.name, f"{node.module}.{alias.name}") for alias in node.names)


def full_name(node: ast.expr, origin: dict[str, str]) -> str:
    """The dotted name of an expression through the module's imports; "?" stands for what is not imported."""
    if isinstance(node, ast.Name):
        return origin.get(node.id, "?")
    if isinstance(node, ast.Attribute):
        return f"{full_name(node.value, origin)}.{node.attr}"
    return "?"
