"""`aion demo`: sets the scene, runs the demo, prints the outcome, and fails when a proof does."""

from __future__ import annotations

import os
import random
import shlex
import sysconfig
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import msgspec

from aion._compose import open_store
from aion._core.duration import to_micros
from aion.cli.options import json_option, open_reader
from aion.cli.output import escape, print_json
from aion.demo.driver import DemoFailed, Driver, Story, plan_kills
from aion.demo.indexing import list_python_files
from aion.demo.proof import Check, compute_directly, prove
from aion.demo.show import make_show, outcome_data, print_outcome, timeline
from aion.demo.workflow import Job, index_library
from aion.errors import InvalidInput, NotFound, StoreError, StoreLocked

WIDTH = 32
FILES_MAX = 5_000
"""More would not fit into one run's history and one value; the demo is about kills, not about size."""

FORMER_ENGINE_SECONDS = 15.0

FEW_FILES = 200
SECONDS_MIN = 1.5
"""Few files are indexed in a blink, with no time to kill anything: their steps are slowed down to take this long."""


@dataclass(frozen=True, slots=True)
class Scene:
    """All that the demo is given."""

    store: str
    kept: bool
    id: str
    job: Job
    files: int
    seed: int
    resumed: bool


@click.command()
@click.option("--store", metavar="URL", help="Keep the store, to look at later; else it is in a temporary folder.")
@click.option("--folder", metavar="PATH", help="What to index.  [default: Python's own standard library]")
@click.option("--pause", metavar="DURATION", default="2s", show_default=True, help="The durable pause.")
@click.option("--seed", type=click.IntRange(0), help="Repeat the kill moments of an earlier demo, which printed it.")
@json_option
def demo(store: str | None, folder: str | None, pause: str, seed: int | None, as_json: bool) -> None:
    """Watch a workflow survive two kills, with a proof at the end.

    It indexes real source files, one recorded step each, while its engine process is killed twice with SIGKILL at
    random moments. At the end the result is compared with a computation without an engine, and the history with what
    must never happen. The exit code is 1 if any of it does not hold.
    """
    with tempfile.TemporaryDirectory(prefix="aion-demo-") as scratch:
        scene = set_scene(store, folder, pause, seed, scratch)
        story = play(scene, Path(scratch), as_json)
        if not as_json:
            click.echo("Now the same without an engine, to compare ...")
        began = time.monotonic()
        direct = compute_directly(scene.job)
        seconds = time.monotonic() - began
        checks = prove(story, scene.job, direct)
    moments = timeline(story)
    if as_json:
        print_json(outcome_data(story, moments, checks) | _scene_data(scene) | {"direct_seconds": round(seconds, 3)})
    else:
        print_outcome(moments, checks)
        _print_last_words(scene, checks, story, seconds)
    if not all(check.holds for check in checks):
        click.get_current_context().exit(1)


def set_scene(store: str | None, folder: str | None, pause: str, seed: int | None, scratch: str) -> Scene:
    """Look at what was asked for before anything starts.

    Raises:
        InvalidInput: the folder holds no files, or too many; the store is not one that two processes can see.
        NotFound: there is no such folder.
    """
    place = os.path.realpath(folder or sysconfig.get_path("stdlib"))
    if not os.path.isdir(place):
        raise NotFound(f"there is no folder {folder!r}")
    files = len(list_python_files(place))
    if files == 0:
        raise InvalidInput(f"folder {place!r} holds no Python files: name one that does with --folder")
    if files > FILES_MAX:
        raise InvalidInput(f"folder {place!r} holds {files:,} Python files, the demo takes at most {FILES_MAX:,}")
    width = min(WIDTH, max(1, files // 8))
    pace = SECONDS_MIN * width / files if files < FEW_FILES else 0.0
    job = Job(place, width, to_micros(pause, "--pause") / 1_000_000, round(pace, 3))
    seed = random.SystemRandom().randrange(1_000_000) if seed is None else seed
    url = store or f"sqlite:///{os.path.join(scratch, 'demo.db')}"
    if url == "memory:":
        raise InvalidInput("store 'memory:' does not survive a kill, which is what the demo is about: name a file")
    interrupted = _interrupted(url, place) if store else None
    if interrupted is not None:
        id, job = interrupted
        return Scene(url, True, id, job, files, seed, resumed=True)
    return Scene(url, store is not None, f"index-{seed}-{os.getpid()}", job, files, seed, resumed=False)


def _interrupted(url: str, place: str) -> tuple[str, Job] | None:
    """A demo of this folder that was interrupted in this store, and its job: it goes on instead of a new one."""
    try:
        reader = open_reader(url, "default")
    except StoreError:
        # It is not there yet, or cannot be used; whoever opens it for writing says which.
        return None
    with reader:
        for run in reader.list(f'status = "running" and type = "{index_library.name}"'):
            job = msgspec.convert(reader.history(run.id)[0].data["input"], Job)
            if job.folder == place:
                return run.id, job
    return None


def play(scene: Scene, scratch: Path, as_json: bool) -> Story:
    """Run the demo on the scene.

    Raises:
        DemoFailed: it did not come to its end, or the run has no result.
    """
    _make_store(scene.store)
    if not as_json:
        click.echo(
            f"Indexing {scene.files:,} Python files of {escape(scene.job.folder)}\n"
            f"{scene.job.width} at a time, through two kills at random moments (--seed {scene.seed})"
        )
        if scene.resumed:
            click.echo(f"(going on with {escape(scene.id)}, which was interrupted in this store)")
        if scene.job.pace:
            click.echo(f"(these are few: each step takes {scene.job.pace:g} s longer, so that there is work to kill)")
    with open_reader(scene.store, "default") as reader, make_show(scene.files, as_json) as show:
        driver = Driver(scene.store, scene.id, scene.job, scene.files, reader, scratch / "engine.log")
        story = driver.run(plan_kills(scene.seed), show.listen)
    ended = story.record.ended
    assert ended is not None
    if ended.type != "WorkflowCompleted":
        error = ended.data.get("error", {})
        raise DemoFailed(f"the run ended as {ended.type}: {error.get('type')}: {error.get('message')}")
    return story


def _make_store(url: str) -> None:
    """Make the file before anybody reads it; an error about it is told here, not by a child.

    The engine of a demo that was just interrupted may still be finishing its steps; it is waited for.
    """
    give_up_at = time.monotonic() + FORMER_ENGINE_SECONDS
    while True:
        try:
            open_store(url).close()
        except StoreLocked:
            if time.monotonic() > give_up_at:
                raise
            time.sleep(0.1)
        else:
            return


def _print_last_words(scene: Scene, checks: list[Check], story: Story, seconds: float) -> None:
    record = story.record
    result: Any = record.ended.data["result"]["summary"] if record.ended else {}
    click.echo(
        f"\n{result['files']:,} files: {result['lines']:,} lines, {result['functions']:,} functions, "
        f"{result['classes']:,} classes, {result['names']:,} public names\n"
        f"(without an engine, in one go: {seconds:.1f} s)"
    )
    failed = sum(not check.holds for check in checks)
    click.echo(f"{failed} of {len(checks)} claims do NOT hold" if failed else f"all {len(checks)} claims hold")
    store = scene.store if scene.kept else "sqlite:///demo.db"
    if scene.kept:
        click.echo("\nLook further:")
    else:
        click.echo(f"\nLook further, after a demo that keeps its store (aion demo --store {store}):")
    click.echo(f"  aion list --store {shlex.quote(store)}")
    click.echo(f"  aion history {scene.id if scene.kept else 'ID'} --store {shlex.quote(store)}")


def _scene_data(scene: Scene) -> dict[str, Any]:
    return {
        "id": scene.id,
        "seed": scene.seed,
        "folder": scene.job.folder,
        "store": scene.store if scene.kept else None,
    }
