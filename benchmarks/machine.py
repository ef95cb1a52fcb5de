"""What the figures were taken on: enough to judge them, nothing that identifies the machine."""

from __future__ import annotations

import os
import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from benchmarks.child import ROOT


def describe_machine() -> dict[str, object]:
    """Processor, system and versions, as they go into the results."""
    return {
        "cores": os.cpu_count(),
        "processor": _processor(),
        "system": f"{platform.system()} {platform.release().partition('-')[0]} {platform.machine()}",
        "filesystem": _filesystem(ROOT),
        "python": platform.python_version(),
        "versions": {name: _version(name) for name in ("apsw", "msgspec", "uvloop")},
    }


def commit_name() -> str:
    """The short hash of the commit, with `-dirty` where files differ from it, `none` before the first."""
    head = _git("rev-parse", "--short", "HEAD")
    if not head:
        return "none"
    changed = _git("status", "--porcelain", "--untracked-files=no", "--", "src", "benchmarks", ":!benchmarks/results")
    return f"{head}-dirty" if changed else head


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else ""


def _processor() -> str:
    for line in _lines("/proc/cpuinfo"):
        name, _, value = line.partition(":")
        if name.strip() == "model name":
            return value.strip()
    return platform.processor() or "unknown"


def _filesystem(path: Path) -> str:
    """The type of the file system that holds `path`: the longest mount point above it."""
    best, kind = "", "unknown"
    for line in _lines("/proc/mounts"):
        _, mount, found, *_ = line.split()
        if path.is_relative_to(mount) and len(mount) >= len(best):
            best, kind = mount, found
    return kind


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text().splitlines()
    except OSError:
        return []


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
