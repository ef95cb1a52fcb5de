"""The driver: starts the engine process, watches the store read-only, kills the process, and starts it again."""

from __future__ import annotations

import datetime
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import msgspec

from aion._runtime.reader import RunReader
from aion.demo.engine import APPROVE
from aion.demo.record import Record, seconds_between
from aion.demo.workflow import Job
from aion.errors import AionError, NotFound

POLL_SECONDS = 0.03
STALL_SECONDS = 60.0
"""Nothing recorded for this long means that something is wrong."""

# The share of files done at which a kill is due is drawn from here; so is a moment more, in seconds.
KILL_WINDOWS = ((0.15, 0.45), (0.55, 0.85))
KILL_DELAY = (0.0, 0.05)


class DemoFailed(AionError):
    """The demo could not be carried through; the message says at what it stopped."""

    code = "demo_failed"


@dataclass
class Kill:
    """One SIGKILL: when it was due, and what the store said just after it."""

    share: float
    delay: float
    pid: int = 0
    at: datetime.datetime | None = None
    files_done: int = 0
    in_flight: int = 0
    last_seq: int = 0

    def recovery(self, record: Record) -> float | None:
        """Seconds from the kill to the first event that was recorded after it."""
        first = record.first_after(self.last_seq)
        return None if first is None or self.at is None else seconds_between(self.at, first.time)


@dataclass
class Story:
    """What happened: the record of the run, the kills, and what the driver did when."""

    record: Record = field(default_factory=Record)
    kills: list[Kill] = field(default_factory=list)
    pids: list[int] = field(default_factory=list)
    cut_off_before: int = 0
    """Attempts that were cut off before this driver began, when it goes on with an interrupted demo."""
    resumed: bool = False
    started: datetime.datetime | None = None
    approved: datetime.datetime | None = None


Listener = Callable[[str, Story], None]
"""Called with what just happened: `"started"`, `"progress"`, `"killed"`, `"recovered"`, `"approved"`, `"ended"`."""


class Driver:
    """One demo, from the first start of the engine to the end of the run."""

    def __init__(self, store: str, id: str, job: Job, files: int, reader: RunReader, log: Path) -> None:
        self._command = [
            *(sys.executable, "-P", "-W", "ignore", "-m", "aion.demo.engine"),
            *(store, id, msgspec.json.encode(job).decode()),
        ]
        self._id = id
        self._files = files
        self._reader = reader
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None
        self._waits_for_recovery: Kill | None = None
        self.story = Story()

    def run(self, kills: list[Kill], listen: Listener) -> Story:
        """Carry the run to its end, through all kills.

        Raises:
            DemoFailed: the engine ended by itself, or nothing is recorded any more.
        """
        story = self.story
        pending = list(kills)
        story.started = now()
        story.resumed = self._read() > 0
        story.cut_off_before = story.record.handed_out_again + len(story.record.running)
        try:
            self._start(listen)
            stalled_at = time.monotonic() + STALL_SECONDS
            while story.record.ended is None:
                if self._read():
                    stalled_at = time.monotonic() + STALL_SECONDS
                    listen("progress", story)
                elif time.monotonic() > stalled_at:
                    raise DemoFailed(f"nothing was recorded for {STALL_SECONDS:g} s; {self._last_words()}")
                self._recovered(listen)
                if pending and self._is_due(pending[0]):
                    self._kill(pending, listen)
                self._approve(listen)
                self._check_alive()
                time.sleep(POLL_SECONDS)
            listen("ended", story)
            assert self._process is not None
            self._process.wait(timeout=STALL_SECONDS)
            return story
        finally:
            self._end()

    # ── the engine process ───────────────────────────────────────────────────────────────────────

    def _start(self, listen: Listener) -> None:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=log,
                env=os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
                # Ctrl-C is for the driver, which ends the engine itself.
                start_new_session=True,
            )
        self.story.pids.append(self._process.pid)
        listen("started", self.story)

    def _kill(self, pending: list[Kill], listen: Listener) -> None:
        kill = pending[0]
        process = self._process
        assert process is not None
        time.sleep(kill.delay)
        kill.at = now()
        process.send_signal(signal.SIGKILL)
        process.wait()
        _close(process.stdin)
        # What the dead process left: nobody can add to it, so these are the attempts that the kill cut off.
        self._read()
        record = self.story.record
        kill.pid, kill.files_done, kill.last_seq = process.pid, record.files_done, record.last_seq
        kill.in_flight = len(record.running)
        self.story.kills.append(kill)
        self._waits_for_recovery = kill
        # One that met no work proves little: it counts, and another follows.
        pending[:1] = [] if kill.in_flight else [Kill(kill.share, kill.delay)]
        listen("killed", self.story)
        if record.ended is None:
            self._start(listen)

    def _is_due(self, kill: Kill) -> bool:
        record = self.story.record
        return (
            self._waits_for_recovery is None
            and len(record.paths) > 0
            and record.files_done >= kill.share * self._files
            and len(record.running) > 0
        )

    def _recovered(self, listen: Listener) -> None:
        kill = self._waits_for_recovery
        if kill is not None and kill.recovery(self.story.record) is not None:
            self._waits_for_recovery = None
            listen("recovered", self.story)

    def _approve(self, listen: Listener) -> None:
        """The pause is over: send the approval, once; the engine that takes it lives until the end."""
        story = self.story
        if story.record.pause_over is None or story.approved is not None:
            return
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.write(APPROVE)
        self._process.stdin.flush()
        story.approved = now()
        listen("approved", story)

    def _check_alive(self) -> None:
        assert self._process is not None
        if self._process.poll() is not None and self._read() == 0 and self.story.record.ended is None:
            raise DemoFailed(f"the engine ended by itself (exit code {self._process.returncode}): {self._last_words()}")
        if self.story.record.blocked is not None:
            raise DemoFailed(f"the run is blocked: {self.story.record.blocked.data.get('message', '')}")

    def _end(self) -> None:
        process = self._process
        if process is not None:
            if process.poll() is None:
                process.kill()
                process.wait()
            _close(process.stdin)

    def _last_words(self) -> str:
        lines = self._log.read_text("utf-8", "replace").strip().splitlines() if self._log.exists() else []
        return f"it said: {lines[-1]}" if lines else "it said nothing"

    # ── the store ────────────────────────────────────────────────────────────────────────────────

    def _read(self) -> int:
        """Take what was recorded since the last look; how many events that are."""
        record = self.story.record
        try:
            events = self._reader.history(self._id, from_seq=record.last_seq + 1)
        except NotFound:
            # The engine has not got that far.
            return 0
        record.feed(events)
        return len(events)


def plan_kills(seed: int) -> list[Kill]:
    """Two kills at random moments, the same for the same seed as far as the machine keeps pace."""
    chance = random.Random(seed)
    return [Kill(chance.uniform(*window), chance.uniform(*KILL_DELAY)) for window in KILL_WINDOWS]


def now() -> datetime.datetime:
    """The time, on the clock that events are stamped with."""
    return datetime.datetime.now(datetime.UTC)


def _close(pipe: IO[bytes] | None) -> None:
    if pipe is not None:
        try:
            pipe.close()
        except BrokenPipeError:
            # The process at the other end is gone, and so is whatever we had not written.
            pass
