-- Facts about the file itself.
CREATE TABLE marks (
    name TEXT PRIMARY KEY
) STRICT, WITHOUT ROWID;

-- Lives of this node's journal. Records before `dropped` are gone: their entries are in segments.
CREATE TABLE incarnations (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    dropped INTEGER NOT NULL DEFAULT 0,
    sealed INTEGER NOT NULL DEFAULT 0,
    recovered INTEGER NOT NULL DEFAULT 0
) STRICT;

-- The journal's records. id = incarnation << 40 | offset, so that an append always goes to the end
-- of the table and no index is needed.
CREATE TABLE records (
    id INTEGER PRIMARY KEY,
    bytes BLOB NOT NULL
) STRICT;

CREATE TABLE segments (
    session BLOB NOT NULL,
    first INTEGER NOT NULL,
    last INTEGER NOT NULL,
    bytes BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX segments_by_session ON segments (session, first, last);

CREATE TABLE snapshots (
    session BLOB NOT NULL,
    seq INTEGER NOT NULL,
    bytes BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX snapshots_by_session ON snapshots (session);

-- Git objects. `length` is that of the contents; `bytes` are a zlib stream where `packed` is 1.
CREATE TABLE objects (
    project BLOB NOT NULL,
    oid BLOB NOT NULL,
    kind TEXT NOT NULL,
    length INTEGER NOT NULL,
    packed INTEGER NOT NULL,
    bytes BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX objects_by_project ON objects (project, oid);

CREATE TABLE sessions (
    session BLOB PRIMARY KEY,
    user BLOB NOT NULL,
    cid BLOB NOT NULL,
    title TEXT NOT NULL,
    created_at_ms INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    owner INTEGER,
    seq INTEGER NOT NULL,
    status TEXT NOT NULL,
    head TEXT
) STRICT, WITHOUT ROWID;
CREATE INDEX sessions_by_user ON sessions (user, created_at_ms, session);
CREATE INDEX sessions_by_owner ON sessions (owner, session) WHERE owner IS NOT NULL;

CREATE TABLE documents (
    kind TEXT NOT NULL,
    key TEXT NOT NULL,
    version INTEGER NOT NULL,
    bytes BLOB NOT NULL,
    PRIMARY KEY (kind, key)
) STRICT, WITHOUT ROWID;
