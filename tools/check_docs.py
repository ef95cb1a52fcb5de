"""Checks that every relative link in the Markdown pages leads to a file, and every anchor to a heading."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

LINK = re.compile(r"!?\[[^\]]*\]\(<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\)")
REFERENCE = re.compile(r"^\[[^\]]+\]:\s+(\S+)", re.MULTILINE)
FENCE = re.compile(r"^(```+|~~~+).*?^\1\s*$", re.MULTILINE | re.DOTALL)
CODE = re.compile(r"(`+)[^`].*?\1", re.DOTALL)
HEADING = re.compile(r"^#{1,6}\s+(.+?)\s*#*\s*$", re.MULTILINE)
ELSEWHERE = re.compile(r"^[a-z][a-z0-9+.-]*:", re.IGNORECASE)


def main() -> int:
    """Print every link that leads nowhere; 0 if there is none."""
    pages = sorted(path for path in Path().rglob("*.md") if not any(part.startswith(".") for part in path.parts[:-1]))
    dead = [problem for page in pages for problem in dead_links(page)]
    for problem in dead:
        print(problem)
    print(f"{len(pages)} pages, {len(dead)} dead links")
    return 1 if dead else 0


def dead_links(page: Path) -> Iterator[str]:
    text = CODE.sub("", FENCE.sub("", page.read_text(encoding="utf-8")))
    for target in [*LINK.findall(text), *REFERENCE.findall(text)]:
        if ELSEWHERE.match(target):
            continue
        name, _, anchor = target.partition("#")
        file = page.parent / name if name else page
        if not file.exists():
            yield f"{page}: {target}: there is no {file}"
        elif anchor and file.suffix == ".md" and anchor not in anchors(file):
            yield f"{page}: {target}: {file} has no heading for #{anchor}"


def anchors(page: Path) -> set[str]:
    """The anchors that a page's headings get where Markdown is shown: lower case, hyphens, no other signs."""
    headings = HEADING.findall(FENCE.sub("", page.read_text(encoding="utf-8")))
    found: set[str] = set()
    for heading in headings:
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
        slug = re.sub(r"[^\w\- ]", "", plain.lower()).strip().replace(" ", "-")
        copies = sum(1 for other in found if other == slug or re.fullmatch(re.escape(slug) + r"-\d+", other))
        found.add(f"{slug}-{copies}" if copies else slug)
    return found


if __name__ == "__main__":
    sys.exit(main())
