"""Indexing Python source: plain functions, for the workflow's activities and for the computation without an engine."""

from __future__ import annotations

import ast
import hashlib
import json
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import astuple, dataclass

COMMON_NAMES_SHOWN = 5
_LEFT_OUT = {"__pycache__", "site-packages"}
_DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


@dataclass
class FileIndex:
    """What one file holds. `names` are its public functions and classes; `problem` is why it cannot be parsed."""

    path: str
    lines: int
    functions: int = 0
    classes: int = 0
    names: list[str] | None = None
    problem: str | None = None


@dataclass
class NameCount:
    """How many files define a name."""

    name: str
    files: int


@dataclass
class Summary:
    """A whole library. `digest` covers every field of every file."""

    files: int
    lines: int
    functions: int
    classes: int
    names: int
    unparsable: int
    common: list[NameCount]
    digest: str


def list_python_files(folder: str) -> list[str]:
    """The `.py` files below a folder, relative to it, sorted; installed packages and caches are left out."""
    found: list[str] = []
    for place, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if name not in _LEFT_OUT]
        found += [os.path.relpath(os.path.join(place, name), folder) for name in files if name.endswith(".py")]
    # A name that is no text cannot be recorded.
    return sorted(path for path in found if path.isprintable())


def index_source(folder: str, path: str) -> FileIndex:
    """Parse one file, count what it defines, and take its public names."""
    with open(os.path.join(folder, path), "rb") as file:
        source = file.read()
    lines = len(source.splitlines())
    try:
        tree = ast.parse(source, path)
    except (SyntaxError, ValueError) as exc:
        # The standard library ships some files that are broken on purpose.
        return FileIndex(path, lines, problem=type(exc).__name__)
    nodes = [node for node in ast.walk(tree) if isinstance(node, _DEFINITIONS)]
    classes = sum(isinstance(node, ast.ClassDef) for node in nodes)
    names = sorted({n.name for n in tree.body if isinstance(n, _DEFINITIONS) and not n.name.startswith("_")})
    return FileIndex(path, lines, len(nodes) - classes, classes, names)


def summarise(pages: Sequence[FileIndex]) -> Summary:
    """Add up a library."""
    counted = Counter(name for page in pages for name in page.names or ())
    common = sorted(counted.items(), key=lambda item: (-item[1], item[0]))[:COMMON_NAMES_SHOWN]
    rows = json.dumps([astuple(page) for page in pages])
    return Summary(
        files=len(pages),
        lines=sum(page.lines for page in pages),
        functions=sum(page.functions for page in pages),
        classes=sum(page.classes for page in pages),
        names=len(counted),
        unparsable=sum(page.problem is not None for page in pages),
        common=[NameCount(name, files) for name, files in common],
        digest=hashlib.sha256(rows.encode()).hexdigest(),
    )
