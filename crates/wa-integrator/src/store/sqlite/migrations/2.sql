-- A wake-up has a number of its own, so that one that is settled late is not taken for another of the same user.
ALTER TABLE outbox ADD COLUMN id INTEGER NOT NULL DEFAULT 0;
UPDATE outbox SET id = random();
-- The oldest program that may still use these tables.
CREATE TABLE compatible (since INTEGER NOT NULL) STRICT;
INSERT INTO compatible VALUES (2);
