"""The demo's workflow: index every file of a library, let a flaky service review it, pause, wait for approval.

It is ordinary user code, save that the package may not import its own front door: elsewhere these imports are one,
`import aion`, and the decorators read `@aion.workflow` and `@aion.activity`.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

from aion._flow.activity_context import activity_info
from aion._flow.definitions import Retry, activity, workflow
from aion._flow.messages import Signal
from aion.demo import indexing
from aion.demo.indexing import FileIndex, Summary

REVIEW_ATTEMPTS = 3
"""The review service fails until this attempt."""


@dataclass
class Job:
    """What to index. `width` files are under way at once; each takes at least `pace` seconds; then comes the pause."""

    folder: str
    width: int = 32
    pause: float = 2.0
    pace: float = 0.0


@dataclass
class Approval:
    """Somebody has looked at it."""

    by: str


@dataclass
class Report:
    """The workflow's result."""

    summary: Summary
    review: str
    approved_by: str


approval = Signal("approval", Approval)


@activity
def list_files(folder: str) -> list[str]:
    """The files to index."""
    return indexing.list_python_files(folder)


@activity
def index_file(folder: str, path: str, pace: float = 0.0) -> FileIndex:
    """Index one file. A `def` runs in a thread, so that the engine goes on meanwhile."""
    time.sleep(pace)
    return indexing.index_source(folder, path)


@activity(retry=Retry(max_attempts=5, initial="100ms"))
async def request_review(files: int) -> str:
    """Ask a service that is down at first, as services are."""
    if activity_info().attempt < REVIEW_ATTEMPTS:
        raise ConnectionError("the review service is down")
    return review_of(files)


@activity
def summarise(pages: list[FileIndex]) -> Summary:
    """Add up what the files hold."""
    return indexing.summarise(pages)


@workflow
async def index_library(job: Job) -> Report:
    """Every `await` here survives a kill: what has finished is not done again, what was under way is."""
    paths = await list_files(job.folder)
    gate = asyncio.Semaphore(job.width)

    async def index(path: str) -> FileIndex:
        async with gate:
            return await index_file(job.folder, path, job.pace)

    pages = await asyncio.gather(*(index(path) for path in paths))
    review = await request_review(len(pages))
    await asyncio.sleep(job.pause)
    approved = await approval.receive()
    return Report(await summarise(pages), review, approved.by)


def review_of(files: int) -> str:
    """What the service says in the end."""
    return f"reviewed {files:,} files"
