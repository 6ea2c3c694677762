-- An append touches few pages, however many users append at once. Rows lie in the order of their
-- appends, those of all users together; names begin with ids that grow with time, so that their
-- index grows at its end. By user they are found through `ledger_index`, whose entries are written
-- many at a time: until then the numbers of a user's newest rows are in `ledgers.recent`, 8 bytes
-- each, big-endian, oldest first.
ALTER TABLE ledgers RENAME TO old_ledgers;
ALTER TABLE ledger_rows RENAME TO old_ledger_rows;
DROP INDEX ledgers_by_due;
DROP INDEX ledger_rows_by_id;

-- With a rowid: a head may be longer than the quarter of a page that a row has without one.
CREATE TABLE ledgers (
    user BLOB NOT NULL UNIQUE,
    version INTEGER NOT NULL,
    due_at_ms INTEGER,
    recent BLOB NOT NULL,
    head BLOB NOT NULL
) STRICT;
CREATE INDEX ledgers_by_due ON ledgers (due_at_ms) WHERE due_at_ms IS NOT NULL;

CREATE TABLE ledger_rows (
    n INTEGER PRIMARY KEY,
    user BLOB NOT NULL,
    seq INTEGER NOT NULL,
    id TEXT NOT NULL,
    bytes BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX ledger_rows_by_id ON ledger_rows (id, user);

CREATE TABLE ledger_index (
    user BLOB NOT NULL,
    seq INTEGER NOT NULL,
    n INTEGER NOT NULL,
    PRIMARY KEY (user, seq)
) STRICT, WITHOUT ROWID;

INSERT INTO ledgers SELECT user, version, due_at_ms, x'', head FROM old_ledgers;
INSERT INTO ledger_rows SELECT NULL, user, seq, id, bytes FROM old_ledger_rows ORDER BY id;
INSERT INTO ledger_index SELECT user, seq, n FROM ledger_rows;
DROP TABLE old_ledgers;
DROP TABLE old_ledger_rows;
