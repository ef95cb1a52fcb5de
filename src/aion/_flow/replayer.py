"""A history against the code: the recorded inputs are applied, the commands must fit the recorded ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from aion._core import events as ev
from aion._core.commands import describe
from aion._flow.loop import WorkflowLoop
from aion._flow.stepper import Stepper, reacts
from aion.errors import NonDeterminism


class Recorded(NamedTuple):
    """A decoded event with its place, its time and the bytes of history up to and including it."""

    seq: int
    time: int
    size: int
    event: ev.AnyEvent


_FROM_CODE = (ev.WorkflowCompleted, ev.WorkflowFailed, ev.WorkflowCancelled)
_COMMANDED = frozenset(ev.COMMANDED)


def replay(stepper: Stepper, history: Sequence[Recorded]) -> None:
    """Bring the code to the end of a history. Afterwards it is live.

    Raises:
        NonDeterminism: the code does something else than the history records, or something more, or less.
    """
    loop = stepper.loop
    index = 0
    while index < len(history):
        seq, time, size, event = history[index]
        index += 1
        if not reacts(event):
            if type(event) in _FROM_CODE:
                raise NonDeterminism(describe(event), "nothing: the code still waits", seq)
            continue
        expected: list[tuple[int, ev.AnyEvent]] = []
        ended: Recorded | None = None
        while index < len(history) and not reacts(history[index].event):
            recorded = history[index]
            index += 1
            if type(recorded.event) in _COMMANDED:
                expected.append((recorded.seq, recorded.event))
            elif type(recorded.event) in _FROM_CODE:
                ended = recorded
        loop.expected = expected
        loop.position = 0
        stepper.react(event, time, seq, size)
        _compare(stepper, loop, expected, ended)
    loop.expected = None


def _compare(
    stepper: Stepper, loop: WorkflowLoop, expected: list[tuple[int, ev.AnyEvent]], ended: Recorded | None
) -> None:
    """One input was replayed: did the code do all of what is recorded after it, and no more?"""
    if loop.divergence is not None:
        seq, recorded, attempted = loop.divergence
        raise NonDeterminism(recorded, attempted, seq)
    if loop.position < len(expected):
        seq, missing = expected[loop.position]
        raise NonDeterminism(describe(missing), _outcome_text(stepper), seq)
    if ended is None:
        if stepper.outcome is not None:
            seq = (expected[-1][0] if expected else stepper.history_length) + 1
            raise NonDeterminism("nothing more here: the run went on", _outcome_text(stepper), seq)
    elif not _same_end(ended.event, stepper.outcome):
        raise NonDeterminism(describe(ended.event), _outcome_text(stepper), ended.seq)


def _same_end(recorded: ev.AnyEvent, reached: ev.AnyEvent | None) -> bool:
    """Whether the code ended as recorded. Texts of errors may change with the code; results may not."""
    if type(recorded) is not type(reached):
        return False
    if isinstance(recorded, ev.WorkflowCompleted) and isinstance(reached, ev.WorkflowCompleted):
        return bytes(recorded.result) == bytes(reached.result)
    if isinstance(recorded, ev.WorkflowFailed) and isinstance(reached, ev.WorkflowFailed):
        return recorded.error.type == reached.error.type
    return True


def _outcome_text(stepper: Stepper) -> str:
    if stepper.outcome is None:
        return "nothing: the code waits for something else"
    text = describe(stepper.outcome)
    if isinstance(stepper.outcome, ev.WorkflowFailed):
        error = stepper.outcome.error
        text += f" with {error.type}: {error.message}" + (f"\n{error.traceback}" if error.traceback else "")
    return text
