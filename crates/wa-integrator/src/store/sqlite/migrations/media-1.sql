-- States: 0 uploading, 1 hosted, 2 to be removed, 3 an upload to be removed.
CREATE TABLE media (
    id BLOB PRIMARY KEY NOT NULL CHECK (length(id) = 32),
    user TEXT NOT NULL,
    length INTEGER NOT NULL,
    digest BLOB NOT NULL CHECK (length(digest) = 32),
    state INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX media_by_state ON media (state, expires_at);
CREATE TABLE media_usage (
    user TEXT NOT NULL,
    day INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    files INTEGER NOT NULL,
    PRIMARY KEY (user, day)
) STRICT, WITHOUT ROWID;
