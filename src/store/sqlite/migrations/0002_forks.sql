-- What a fork began from: the session and its entry, the root session of both, the commit, and the
-- blob with the earlier turns. All but the commit are there, or none.
ALTER TABLE sessions ADD COLUMN parent BLOB;
ALTER TABLE sessions ADD COLUMN parent_seq INTEGER;
ALTER TABLE sessions ADD COLUMN project BLOB;
ALTER TABLE sessions ADD COLUMN base TEXT;
ALTER TABLE sessions ADD COLUMN turns BLOB;
