-- Names begin with ids that grow with time, so that what is appended at once is near to each other,
-- whoever it belongs to: by user, each row would touch a page of its own.
DROP INDEX ledger_rows_by_id;
CREATE UNIQUE INDEX ledger_rows_by_id ON ledger_rows (id, user);
