-- One file is one shard with one owner. Events are only ever appended, and found through a small
-- index of integers; a clustered (run, seq) table is several times slower and larger.
-- No foreign keys, triggers or sequences: the caller numbers its rows, and `commit` proves what they rest on.

CREATE TABLE shards (
    shard INTEGER PRIMARY KEY,
    owner TEXT,
    epoch INTEGER NOT NULL,
    until INTEGER NOT NULL
);
INSERT INTO shards VALUES (0, NULL, 0, 0);

CREATE TABLE runs (
    run INTEGER PRIMARY KEY,
    namespace TEXT NOT NULL,
    workflow_id TEXT NOT NULL,
    chain INTEGER NOT NULL,
    run_id TEXT NOT NULL,
    type TEXT NOT NULL,
    version TEXT,
    parent TEXT,
    started INTEGER NOT NULL,
    attributes BLOB NOT NULL,
    summary TEXT,
    status TEXT NOT NULL,
    closed INTEGER,
    blocked_reason TEXT,
    blocked_code TEXT
);
CREATE UNIQUE INDEX runs_by_id ON runs (namespace, workflow_id, chain);
CREATE INDEX runs_by_start ON runs (started, run);
CREATE INDEX runs_blocked ON runs (run) WHERE status = 'blocked';

CREATE TABLE heads (
    run INTEGER PRIMARY KEY,
    seq INTEGER NOT NULL,
    time INTEGER NOT NULL,
    digest BLOB NOT NULL,
    size INTEGER NOT NULL
);

CREATE TABLE events (
    id INTEGER PRIMARY KEY,
    run INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    type TEXT NOT NULL,
    time INTEGER NOT NULL,
    digest BLOB NOT NULL,
    data BLOB NOT NULL
);
CREATE UNIQUE INDEX events_by_run ON events (run, seq);

CREATE TABLE timers (
    due INTEGER NOT NULL,
    run INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    PRIMARY KEY (due, run, seq)
) WITHOUT ROWID;

CREATE TABLE inbox (
    run INTEGER NOT NULL,
    id INTEGER NOT NULL,
    kind TEXT NOT NULL,
    data BLOB NOT NULL,
    PRIMARY KEY (run, id)
) WITHOUT ROWID;

CREATE TABLE busy (
    run INTEGER PRIMARY KEY
);

CREATE TABLE requests (
    namespace TEXT NOT NULL,
    workflow_id TEXT NOT NULL,
    request_id TEXT NOT NULL,
    answer BLOB NOT NULL,
    PRIMARY KEY (namespace, workflow_id, request_id)
) WITHOUT ROWID;
