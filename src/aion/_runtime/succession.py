"""When the engine thread fails: its successor goes on from the store, or everybody learns that there is none."""

from __future__ import annotations

import logging
import queue
from typing import TYPE_CHECKING

from aion._runtime.turn import Turn
from aion.errors import AionError, StoreError

if TYPE_CHECKING:
    from aion._runtime.scheduler import Scheduler

_log = logging.getLogger("aion.engine")


def take_over(new: Scheduler, old: Scheduler) -> None:
    """Let `new` go on where `old` stopped: with its queue, its running attempts, and what only it knew."""
    # What was durable before it failed is still made known.
    old.answers.send()
    old.committer.close()
    new.adopt(old)
    error = StoreError("the engine had to restart itself; whether this call took effect is unknown: ask again")
    for turn in old.turns_under_way():
        if turn.opening is not None:
            new.front.start_failed(turn.run, turn.opening.reply, error, turn)
        else:
            new.again.keep_turn(turn, error)
    for run in list(old.residency.runs.values()):
        if run.opening is not None:
            new.front.start_failed(run, run.opening.reply, error)
        for delivery in run.queue:
            new.again.keep_delivery(run.run, delivery, error)
        for query in run.queries or ():
            new.submit(query)
        try:
            old.residency.drop(run)
        except BaseException:  # noqa: BLE001 - it may be this very run that brought the old one down
            _log.exception("the code of run %s could not be ended", run.run_id)
    for number, kept in old.again.take():
        new.again.keep(number, kept)
    new.again.soon()
    # At once: the successor may fail before its first pass is over.
    new.answers.send()


def give_up(scheduler: Scheduler, error: AionError) -> None:
    """Nothing can go on: everybody who waits learns why."""
    answers = scheduler.answers
    turns: list[Turn] = scheduler.turns_under_way()
    for turn in turns:
        if turn.opening is not None:
            answers.fail(turn.opening.reply, error)
        for delivery in (*turn.taken, *(refused for refused, _ in turn.refused)):
            answers.fail(delivery.reply, error)
    for run in list(scheduler.residency.runs.values()):
        if run.opening is not None:
            answers.fail(run.opening.reply, error)
        for waiting in (*run.queue, *(run.queries or ())):
            answers.fail(waiting.reply, error)
    for _, kept in scheduler.again.take():
        if kept is not None:
            answers.fail(kept.reply, error)
    scheduler.front.fail_all(error)
    while True:
        try:
            request = scheduler.inbox.get_nowait()
        except queue.Empty:
            break
        answers.fail(getattr(request, "reply", None), error)
    answers.send()
