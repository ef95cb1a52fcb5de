"""What the SQLite store reads, as SQL. None of it looks at more rows than it returns, save for `LIST`.

`LIST` walks the index of start times and passes over what the filter does not match.
"""

from __future__ import annotations

from aion.stores.base import EventRow, InboxRow, RunRecord, TimerRow
from aion.stores.sqlite.reader import Packed

_RECORD = (
    "runs.run AS run, namespace, workflow_id, chain, run_id, type, version, parent, started, attributes, summary, "
    "status, closed, blocked_reason, blocked_code, seq, time, digest, size"
)

FIND = f"SELECT {_RECORD} FROM runs JOIN heads ON heads.run = runs.run WHERE namespace = ? AND workflow_id = ? "
FIND_NEWEST = FIND + "ORDER BY chain DESC LIMIT 1"
FIND_RUN = FIND + "AND run_id = ? ORDER BY chain DESC LIMIT 1"

FIND_REQUEST = "SELECT answer FROM requests WHERE namespace = ? AND workflow_id = ? AND request_id = ?"


def _records(query: str) -> Packed[RunRecord]:
    return Packed(RunRecord._make, RunRecord._fields, query, blobs=("attributes", "digest"))


RECORDS = _records(
    f"SELECT {_RECORD} FROM runs JOIN heads ON heads.run = runs.run "
    "WHERE runs.run IN (SELECT value FROM json_each(?)) ORDER BY runs.run LIMIT ?"
)

# Left to itself, SQLite might as well walk the runs, of which nearly all are not blocked.
BLOCKED = _records(
    f"SELECT {_RECORD} FROM runs INDEXED BY runs_blocked JOIN heads ON heads.run = runs.run "
    "WHERE status = 'blocked' AND runs.run > ? ORDER BY runs.run LIMIT ?"
)

_FILTER = (
    "(?3 IS NULL OR namespace = ?3) "
    "AND (?4 IS NULL OR status IN (SELECT value FROM json_each(?4))) "
    "AND (?5 IS NULL OR type IN (SELECT value FROM json_each(?5)))"
)

# In two halves, because SQLite would look for (started, run) > (?, ?) by its first column only, and all
# runs that were started together share that.
LIST = _records(
    f"SELECT {_RECORD} FROM (SELECT run AS found FROM runs WHERE started = ?1 AND run > ?2 AND {_FILTER} "
    f"UNION ALL SELECT run FROM (SELECT run, started FROM runs WHERE started > ?1 AND {_FILTER} "
    "ORDER BY started, run LIMIT ?6) LIMIT ?6) CROSS JOIN runs ON runs.run = found "
    "JOIN heads ON heads.run = runs.run ORDER BY started, runs.run LIMIT ?6"
)

HISTORY = Packed(
    EventRow._make,
    EventRow._fields,
    "SELECT run, seq, type, time, digest, data FROM events WHERE run = ? AND seq >= ? ORDER BY seq LIMIT ?",
    blobs=("digest", "data"),
)

INBOX = Packed(
    InboxRow._make,
    InboxRow._fields,
    "SELECT run, id, kind, data FROM inbox WHERE run = ? AND id > ? ORDER BY id LIMIT ?",
    blobs=("data",),
)

TIMERS_DUE = Packed(
    TimerRow._make,
    TimerRow._fields,
    "SELECT due, run, seq FROM timers WHERE due > ? AND due <= ? ORDER BY due, run, seq LIMIT ?",
)

NEXT_DUE = "SELECT min(due) FROM timers"

BUSY_RUNS = "SELECT json_group_array(run) FROM (SELECT run FROM busy WHERE run > ? ORDER BY run LIMIT ?)"

# Jumps from run to run, because one run may have thousands of rows.
INBOX_RUNS = (
    "SELECT json_group_array(run) FROM (WITH RECURSIVE waiting (run) AS ("
    "SELECT min(run) FROM inbox WHERE run > ? UNION ALL "
    "SELECT (SELECT min(inbox.run) FROM inbox WHERE inbox.run > waiting.run) FROM waiting WHERE waiting.run IS NOT NULL"
    ") SELECT waiting.run FROM waiting JOIN runs ON runs.run = waiting.run WHERE status <> 'blocked' LIMIT ?)"
)
