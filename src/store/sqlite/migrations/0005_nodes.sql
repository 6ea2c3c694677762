-- Where other nodes reach an incarnation, and how often it has beaten.
ALTER TABLE incarnations ADD COLUMN address TEXT;
ALTER TABLE incarnations ADD COLUMN beat INTEGER NOT NULL DEFAULT 0;
