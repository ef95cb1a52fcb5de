"""What people see while the demo runs: a bar on a terminal, plain lines elsewhere; then the timeline and the proof."""

from __future__ import annotations

import datetime
import sys
from collections.abc import Sequence
from typing import Any

import click

from aion.cli.output import escape, is_terminal, terminal
from aion.demo.driver import Kill, Story
from aion.demo.proof import Check
from aion.demo.record import seconds_between
from aion.demo.workflow import list_files, request_review

STEPS_BETWEEN_LINES = 10
"""Without a terminal, one line each tenth of the work."""

Moment = tuple[float, str, str]
"""Seconds since the start, what happened, and figures."""


class PlainShow:
    """Lines for a log."""

    def __init__(self, files: int) -> None:
        self._files = files
        self._shown = 0

    def __enter__(self) -> PlainShow:
        return self

    def __exit__(self, *exc: object) -> None:
        """Nothing to take down."""

    def listen(self, what: str, story: Story) -> None:
        """Show what happened."""
        if what == "progress":
            self._progress(story)
        else:
            for line in news(what, story):
                self._say(story, line)

    def _progress(self, story: Story) -> None:
        done = story.record.files_done
        tenth = done * STEPS_BETWEEN_LINES // self._files
        if tenth > self._shown:
            self._shown = tenth
            self._say(story, f"{done:,} of {self._files:,} files, {len(story.record.running)} in flight")

    def _say(self, story: Story, line: str) -> None:
        click.echo(f"{elapsed(story):6.2f} s  {line}")


class SilentShow(PlainShow):
    """Nothing: the outcome is printed at the end, as JSON."""

    def listen(self, what: str, story: Story) -> None:
        """Show nothing."""


class LiveShow:
    """A progress bar, with the news scrolling by above it."""

    def __init__(self, files: int) -> None:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(complete_style="cyan", finished_style="green"),
            MofNCompleteColumn(),
            TextColumn("{task.fields[note]}", style="dim"),
            TimeElapsedColumn(),
            console=terminal(sys.stdout),
            transient=True,
        )
        self._task = self._bar.add_task("starting", total=files, note="")

    def __enter__(self) -> LiveShow:
        self._bar.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._bar.stop()

    def listen(self, what: str, story: Story) -> None:
        """Show what happened."""
        from rich.text import Text

        style = {"killed": "bold red", "recovered": "green", "ended": "bold green"}.get(what, "")
        for line in news(what, story):
            self._bar.console.print(Text(f"{elapsed(story):6.2f} s  {line}", style))
        record = story.record
        note = f"{len(record.running)} in flight" if record.running else ""
        self._bar.update(self._task, completed=record.files_done, description=stage(story), note=note)


def make_show(files: int, as_json: bool) -> PlainShow | LiveShow:
    """The show that fits where the output goes."""
    if as_json:
        return SilentShow(files)
    return LiveShow(files) if is_terminal(sys.stdout) else PlainShow(files)


def stage(story: Story) -> str:
    """What the run is at, in a few words."""
    record = story.record
    if record.approvals:
        return "summing up"
    if record.pause_over is not None:
        return "approval"
    if record.pause is not None:
        return "pause"
    if record.completion(request_review.name) is None and record.review_failures:
        return "flaky step"
    return "indexing" if record.paths else "listing"


def news(what: str, story: Story) -> list[str]:
    """One line about something that happened; none for mere progress."""
    record = story.record
    match what:
        case "started":
            return [f"engine process {story.pids[-1]} started"]
        case "killed":
            kill = story.kills[-1]
            return [f"SIGKILL to {kill.pid}: {kill.files_done:,} files done, {kill.in_flight} attempts cut off"]
        case "recovered":
            recovery = story.kills[-1].recovery(record) or 0.0
            return [f"recovered: the first new event came {recovery:.2f} s after the kill"]
        case "approved":
            return ["pause over, approval sent"]
        case "ended":
            return [f"the run has ended: {record.last_seq:,} events"]
        case _:
            return []


def elapsed(story: Story) -> float:
    """Seconds since the demo began, by the newest thing that is known."""
    assert story.started is not None
    return seconds_between(story.started, datetime.datetime.now(datetime.UTC))


def timeline(story: Story) -> list[Moment]:
    """What happened when, by the times that are recorded."""
    record = story.record
    assert story.started is not None
    moments: list[tuple[datetime.datetime, str, str]] = [(story.started, "start", f"engine process {story.pids[0]}")]
    listed = record.completion(list_files.name)
    if listed is not None:
        moments.append((listed.time, "listed", f"{len(record.results[listed.data['id']]):,} files"))
    for kill, pid in zip(story.kills, story.pids[1:], strict=False):
        moments += _kill_moments(kill, pid, story)
    indexed = [event.time for event in record.events if event.type == "ActivityCompleted"]
    if record.review_failures:
        last_file = max(time for time in indexed if time <= record.review_failures[0].time)
        moments.append((last_file, "indexed", f"{record.files_done:,} files"))
    for failure in record.review_failures:
        again = failure.data.get("retry_in", 0) / 1_000_000
        error = failure.data["error"]["type"]
        moments.append(
            (failure.time, "flaky step", f"attempt {failure.data.get('attempt', 1)}: {error}, again in {again:.2f} s")
        )
    if record.pause is not None:
        moments.append((record.pause.time, "pause", f"{record.pause.data['delay'] / 1_000_000:g} s, durable"))
    if story.approved is not None:
        moments.append((story.approved, "approval", "sent by the driver"))
    if record.ended is not None:
        moments.append((record.ended.time, "end", record.ended.type))
    moments.sort(key=lambda moment: moment[0])
    return [(seconds_between(story.started, time), what, detail) for time, what, detail in moments]


def _kill_moments(kill: Kill, pid: int, story: Story) -> list[tuple[datetime.datetime, str, str]]:
    assert kill.at is not None
    first = story.record.first_after(kill.last_seq)
    figures = f"SIGKILL to {kill.pid} with {kill.files_done:,} files done and {kill.in_flight} attempts in flight"
    moments = [(kill.at, "kill", figures)]
    if first is not None:
        recovery = kill.recovery(story.record) or 0.0
        moments.append((first.time, "recovery", f"first new event {recovery:.2f} s after the kill, by process {pid}"))
    return moments


def print_outcome(moments: Sequence[Moment], checks: Sequence[Check]) -> None:
    """The timeline and the proof."""
    click.echo("\nTimeline, in seconds")
    for at, what, detail in moments:
        click.echo(f"{at:8.2f}  {what:<10}  {escape(detail)}")
    click.echo("\nProof")
    width = max(len(check.claim) for check in checks)
    for check in checks:
        mark = "ok  " if check.holds else "FAIL"
        line = f"{mark}  {check.claim.ljust(width)}  {check.detail}"
        if is_terminal(sys.stdout):
            _print_coloured(escape(line), "green" if check.holds else "bold red")
        else:
            click.echo(escape(line))


def _print_coloured(line: str, style: str) -> None:
    from rich.text import Text

    text = Text(line)
    text.stylize(style, 0, 4)
    terminal(sys.stdout).print(text, soft_wrap=True)


def outcome_data(story: Story, moments: Sequence[Moment], checks: Sequence[Check]) -> dict[str, Any]:
    """The whole outcome for programs."""
    record = story.record
    return {
        "ok": all(check.holds for check in checks),
        "seconds": round(moments[-1][0], 3),
        "files": record.files_done,
        "events": record.last_seq,
        "attempts": record.hand_outs,
        "attempts_lost": story.cut_off_before + sum(kill.in_flight for kill in story.kills),
        "attempts_handed_out_again": record.handed_out_again,
        "recovery_seconds": [kill.recovery(record) for kill in story.kills],
        "timeline": [{"at": round(at, 3), "what": what, "detail": detail} for at, what, detail in moments],
        "proof": [{"claim": c.claim, "holds": c.holds, "detail": c.detail} for c in checks],
        "result": None if record.ended is None else record.ended.data.get("result"),
    }
