"""Taking a flush apart into the parts of its runs, for when one of them may be refused."""

from __future__ import annotations

from collections.abc import Callable

from aion.stores.base import Flush


def split_by_run(flush: Flush) -> dict[int, Flush]:
    """The part of each run as a flush of its own, in ascending order of the runs; rows keep their order."""
    parts: dict[int, Flush] = {}

    def part(run: int) -> Flush:
        found = parts.get(run)
        if found is None:
            found = parts[run] = Flush(flush.shard, flush.owner, flush.epoch)
        return found

    _rows_by_run(flush, part)
    for run in flush.busy:
        part(run).busy.append(run)
    for run in flush.idle:
        part(run).idle.append(run)
    for run in flush.closing:
        part(run).closing.append(run)
    return dict(sorted(parts.items()))


def _rows_by_run(flush: Flush, part: Callable[[int], Flush]) -> None:
    for new in flush.new_runs:
        part(new.run).new_runs.append(new)
    for head in flush.heads:
        part(head.run).heads.append(head)
    for event in flush.events:
        part(event.run).events.append(event)
    for status in flush.statuses:
        part(status.run).statuses.append(status)
    for timer in flush.timers:
        part(timer.run).timers.append(timer)
    for key in flush.timers_gone:
        part(key[1]).timers_gone.append(key)
    for row in flush.inbox:
        part(row.run).inbox.append(row)
    for gone in flush.inbox_gone:
        part(gone[0]).inbox_gone.append(gone)
    for request in flush.requests:
        part(request[0]).requests.append(request)
