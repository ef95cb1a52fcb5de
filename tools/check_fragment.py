"""Checks that a change under src/ comes with a changelog fragment, and that every fragment is well named.

The working tree is compared with the point where this branch left the main one ($BASE names another), and with the
last release, so that the check says something on the main branch too.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path

CHANGES = Path("changes")
NOT_FRAGMENTS = {"README.md", "template.md.jinja", ".gitkeep"}


def main() -> int:
    """Print what is wrong; 0 if nothing is."""
    problems = [problem for path in fragments() for problem in malformed(path)]
    missing = missing_fragment()
    if missing:
        problems.append(missing)
    for problem in problems:
        print(problem)
    return 1 if problems else 0


def fragments() -> list[Path]:
    return sorted(path for path in CHANGES.iterdir() if path.name not in NOT_FRAGMENTS)


def malformed(path: Path) -> list[str]:
    parts = path.name.split(".")
    if len(parts) != 3 or parts[2] != "md" or parts[1] not in kinds():
        return [f"{path}: expected <slug>.<kind>.md with a kind of {', '.join(kinds())}; rename it"]
    if not path.read_text(encoding="utf-8").strip():
        return [f"{path}: is empty; say what changed for those who use Aion"]
    return []


def kinds() -> list[str]:
    project = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))
    return [kind["directory"] for kind in project["tool"]["towncrier"]["type"]]


def missing_fragment() -> str | None:
    if git("rev-parse", "--verify", "HEAD") is None:
        return None  # no repository, or no commit yet: nothing to compare with
    for base in (branch_point(), last_release()):
        if base is None:
            continue
        changed = set((git("diff", "--name-only", base) or "").splitlines())
        changed |= set((git("ls-files", "--others", "--exclude-standard") or "").splitlines())
        in_source = sorted(name for name in changed if name.startswith("src/"))
        told = {str(path) for path in fragments()} & changed or ("CHANGELOG.md" in changed and has_releases())
        if in_source and not told:
            return f"{in_source[0]} changed since {base[:12]} and no fragment tells of it; see {CHANGES}/README.md"
    return None


def has_releases() -> bool:
    """A release turns fragments into entries of the changelog, which then tell of the change instead."""
    return "\n## " in Path("CHANGELOG.md").read_text(encoding="utf-8")


def branch_point() -> str | None:
    """The commit where this branch left the main one; on the main one, its last."""
    names = filter(None, (os.environ.get("BASE"), "origin/main", "main"))
    return next(filter(None, (git("merge-base", "HEAD", name) for name in names)), None)


def last_release() -> str | None:
    """The newest tag, or, before the first release, the empty tree."""
    return git("describe", "--tags", "--abbrev=0") or git("hash-object", "-t", "tree", os.devnull)


def git(*arguments: str) -> str | None:
    """What a git command prints, or None if it fails."""
    try:
        done = subprocess.run(["git", *arguments], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return None
    return done.stdout.strip() if done.returncode == 0 else None


if __name__ == "__main__":
    sys.exit(main())
