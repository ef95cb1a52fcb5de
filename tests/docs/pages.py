"""The Markdown pages of the project, taken apart: headings, table rows, and the Python that they show.

The Python blocks of a page are one program: each continues those above it. Whatever a page shows in blocks marked
`output` is what that program prints, all of it and in that order. Functions whose name begins with `test_` are called
at the end, as pytest would.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

_FENCE = re.compile(r"^(?P<indent> *)(?P<fence>```+)(?P<info>[^\n`]*)\n(?P<body>.*?)^ *(?P=fence) *$", re.M | re.S)
_HEADING = re.compile(r"^#{1,6}\s+(.+?)\s*$", re.M)
_ROW = re.compile(r"^\|(.+)\|\s*$", re.M)

_RUN_TESTS = """
for _name, _test in list(globals().items()):
    if _name.startswith("test_") and callable(_test):
        _test()
"""


@dataclass(frozen=True)
class Block:
    """A fenced block: the word after the fence, its text, and the number of its first line in the page."""

    kind: str
    text: str
    line: int


class Page:
    """One page."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.name = str(path.relative_to(ROOT))
        self.text = path.read_text(encoding="utf-8")
        self.blocks = [_block(match, self.text) for match in _FENCE.finditer(self.text)]
        self.prose = _FENCE.sub("", self.text)

    @property
    def headings(self) -> list[str]:
        """The headings, as they are written."""
        return _HEADING.findall(self.prose)

    @property
    def rows(self) -> dict[str, list[str]]:
        """Table rows by what stands in backticks in their first cell; the cells after it."""
        found: dict[str, list[str]] = {}
        for line in _ROW.findall(self.prose):
            first, *rest = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)]
            if first.startswith("`") and first.endswith("`"):
                found[first.strip("`")] = rest
        return found

    def section(self, heading: str) -> str:
        """The text under a heading, up to the next one of any level, blocks included."""
        start = self.text.index(f"# {heading}\n") + len(heading) + 3
        following = re.search(r"^#{1,6} ", _without_code(self.text)[start:], re.M)
        return self.text[start : start + following.start()] if following else self.text[start:]

    @property
    def program(self) -> str:
        """The page's Python, each line at the number it has in the page, so that a traceback leads there."""
        lines = [""] * (self.text.count("\n") + 1)
        for block in self.blocks:
            if block.kind == "python":
                for offset, line in enumerate(block.text.splitlines()):
                    lines[block.line - 1 + offset] = line
        program = "\n".join(lines)
        return program + _RUN_TESTS if program.strip() else ""

    @property
    def output(self) -> str | None:
        """What the page says that its program prints; None if it does not say."""
        shown = [block.text for block in self.blocks if block.kind == "output"]
        return "".join(shown) if shown else None


def page(name: str) -> Page:
    """The page in a file of the project."""
    return Page(ROOT / name)


def all_pages() -> list[Page]:
    """The pages for readers: those at the top of the project, and all under docs."""
    return [Page(path) for path in sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])]


def _block(match: re.Match[str], text: str) -> Block:
    indent = len(match["indent"])
    body = "".join(line[indent:] if line.strip() else line for line in match["body"].splitlines(keepends=True))
    return Block(match["info"].strip(), body, text.count("\n", 0, match.start("body")) + 1)


def _without_code(text: str) -> str:
    """The text with everything in blocks blanked, at the same positions: a comment there is no heading."""
    return _FENCE.sub(lambda match: re.sub(r"[^\n]", " ", match[0]), text)
