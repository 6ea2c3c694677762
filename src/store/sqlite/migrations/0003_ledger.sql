-- Ledgers of credits, one a user. `version` is raised by every append; `head` is the fold of its rows.
CREATE TABLE ledgers (
    user BLOB PRIMARY KEY,
    version INTEGER NOT NULL,
    due_at_ms INTEGER,
    head BLOB NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX ledgers_by_due ON ledgers (due_at_ms) WHERE due_at_ms IS NOT NULL;

CREATE TABLE ledger_rows (
    user BLOB NOT NULL,
    seq INTEGER NOT NULL,
    id TEXT NOT NULL,
    bytes BLOB NOT NULL,
    PRIMARY KEY (user, seq)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX ledger_rows_by_id ON ledger_rows (user, id);
