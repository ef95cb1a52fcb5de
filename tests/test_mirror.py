"""The tests mirror the source: one test file a source file, under the same name.

`tests/core/test_codec.py` tests `src/aion/_core/codec.py`: a layer's folder drops its underscore. A file that
outgrows its limit is split by aspect, `test_codec_upcasts.py`, and still belongs to `codec.py`.
"""

from __future__ import annotations

import ast
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "src" / "aion"
TESTS = ROOT / "tests"

# Tests of the whole, which no single source file owns.
FREE_FOLDERS = {"acceptance", "docs", "histories", "typing"}
FREE_FILES = {"test_docs.py", "test_examples.py", "test_exports.py", "test_mirror.py", "test_ports.py", "test_tidy.py"}

# The layers whose every file with logic has a test file of its own, and the files that have none yet.
# An entry that has got its test fails here until it is taken off; none is added.
MIRRORED_LAYERS = ("_core", "_flow")
UNTESTED: set[str] = set()


def test_every_test_file_mirrors_a_source_file() -> None:
    """No test file is left behind when its source moves, and each is found where one would look."""
    orphans = [str(path.relative_to(ROOT)) for path in mirroring_files() if not mirrored(path)]

    assert "\n".join(orphans) == ""


def test_every_file_with_logic_in_the_inner_layers_has_a_test_file() -> None:
    """What decides and what replays is tested by a file of its own, beside the tests of the whole."""
    tested = {source for path in mirroring_files() for source in mirrored(path)}
    inner = [path for layer in MIRRORED_LAYERS for path in sorted((SOURCE / layer).rglob("*.py"))]
    untested = {str(path.relative_to(SOURCE)) for path in inner if has_logic(path) and path not in tested}

    assert "\n".join(sorted(untested)) == "\n".join(sorted(UNTESTED))


def mirroring_files() -> list[Path]:
    """Test files that have to mirror something."""
    found = sorted(TESTS.rglob("test_*.py"))
    return [
        path
        for path in found
        if path.relative_to(TESTS).parts[0] not in FREE_FOLDERS and str(path.relative_to(TESTS)) not in FREE_FILES
    ]


def mirrored(test: Path) -> list[Path]:
    """The source files a test file may stand for: the longest stem that fits."""
    folder, words = test.relative_to(TESTS).parent, test.stem.removeprefix("test_").split("_")
    layer, *rest = folder.parts or ("",)
    for count in range(len(words), 0, -1):
        stem = "_".join(words[:count])
        places = [SOURCE / prefix / Path(*rest) for prefix in (layer, f"_{layer}")] if layer else [SOURCE]
        names = [f"{stem}.py", f"{stem}/__init__.py"] if layer else [f"{stem}.py", f"_{stem}.py", f"{stem}/__init__.py"]
        fits = [place / name for place in places for name in names if (place / name).is_file()]
        if fits:
            return fits
    return []


def has_logic(path: Path) -> bool:
    """Whether a file has a function that does something; one with declarations only has nothing to test."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    functions = (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    return any(not all(isinstance(s, ast.Expr | ast.Pass) for s in function.body) for function in functions)
