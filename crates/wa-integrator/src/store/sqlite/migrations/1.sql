-- Signing keys, users, the outbox and its dead letters.
CREATE TABLE key_table (generation INTEGER NOT NULL, seen_at INTEGER NOT NULL);
INSERT INTO key_table VALUES (0, 0);
CREATE TABLE signing_key (
  position INTEGER PRIMARY KEY,
  n TEXT NOT NULL,
  e TEXT NOT NULL,
  state TEXT NOT NULL,
  published_at INTEGER NOT NULL,
  ripe_at INTEGER NOT NULL,
  since INTEGER NOT NULL,
  private BLOB
) STRICT;
CREATE TABLE user (identifier TEXT PRIMARY KEY, since INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE outbox (
  sink TEXT NOT NULL,
  user TEXT NOT NULL,
  count INTEGER NOT NULL,
  received_at INTEGER NOT NULL,
  attempts INTEGER NOT NULL,
  due_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL,
  PRIMARY KEY (sink, user)
) STRICT, WITHOUT ROWID;
CREATE INDEX outbox_due ON outbox (sink, due_at);
CREATE TABLE dead_letter (
  sink TEXT NOT NULL,
  user TEXT NOT NULL,
  count INTEGER NOT NULL,
  received_at INTEGER NOT NULL,
  attempts INTEGER NOT NULL,
  died_at INTEGER NOT NULL
) STRICT;
