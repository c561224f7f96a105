-- Signing keys, users, the outbox and its dead letters, the index of hosted media.
-- leased_until: until when only the replica leased_by delivers a wake-up.
-- States of media: 0 uploading, 1 hosted, 2 to be removed, 3 an upload to be removed.
CREATE TABLE wa_integrator.key_table (generation BIGINT NOT NULL, seen_at BIGINT NOT NULL);
INSERT INTO wa_integrator.key_table VALUES (0, 0);
CREATE TABLE wa_integrator.signing_key (
  position BIGINT PRIMARY KEY,
  n TEXT NOT NULL,
  e TEXT NOT NULL,
  state TEXT NOT NULL,
  published_at BIGINT NOT NULL,
  ripe_at BIGINT NOT NULL,
  since BIGINT NOT NULL,
  private BYTEA
);
CREATE TABLE wa_integrator.known_user (identifier TEXT COLLATE "C" PRIMARY KEY, since BIGINT NOT NULL);
CREATE TABLE wa_integrator.outbox (
  sink TEXT COLLATE "C" NOT NULL,
  identifier TEXT COLLATE "C" NOT NULL,
  count BIGINT NOT NULL,
  received_at BIGINT NOT NULL,
  attempts BIGINT NOT NULL,
  due_at BIGINT NOT NULL,
  expires_at BIGINT NOT NULL,
  leased_by BIGINT NOT NULL DEFAULT 0,
  leased_until BIGINT NOT NULL DEFAULT 0,
  PRIMARY KEY (sink, identifier)
);
CREATE INDEX outbox_due ON wa_integrator.outbox (sink, due_at);
CREATE INDEX outbox_expires ON wa_integrator.outbox (expires_at);
CREATE TABLE wa_integrator.dead_letter (
  sink TEXT NOT NULL,
  identifier TEXT NOT NULL,
  count BIGINT NOT NULL,
  received_at BIGINT NOT NULL,
  attempts BIGINT NOT NULL,
  died_at BIGINT NOT NULL
);
CREATE INDEX dead_letter_died ON wa_integrator.dead_letter (died_at);
CREATE TABLE wa_integrator.media (
  id BYTEA PRIMARY KEY CHECK (octet_length(id) = 32),
  identifier TEXT NOT NULL,
  length BIGINT NOT NULL,
  digest BYTEA NOT NULL CHECK (octet_length(digest) = 32),
  state SMALLINT NOT NULL,
  created_at BIGINT NOT NULL,
  expires_at BIGINT NOT NULL
);
CREATE INDEX media_by_state ON wa_integrator.media (state, expires_at);
CREATE TABLE wa_integrator.media_usage (
  identifier TEXT COLLATE "C" NOT NULL,
  day BIGINT NOT NULL,
  bytes BIGINT NOT NULL,
  files BIGINT NOT NULL,
  PRIMARY KEY (identifier, day)
);
