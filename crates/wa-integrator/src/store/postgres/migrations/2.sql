-- A wake-up has a number of its own, so that one that is settled late is not taken for another of the same user. A program
-- that knows nothing of it goes on with these tables: its wake-ups get a number all the same.
CREATE SEQUENCE wa_integrator.outbox_id;
ALTER TABLE wa_integrator.outbox
  ADD COLUMN id BIGINT NOT NULL DEFAULT nextval('wa_integrator.outbox_id');
CREATE INDEX dead_letter_identifier ON wa_integrator.dead_letter (identifier);
CREATE INDEX media_identifier ON wa_integrator.media (identifier);
-- The oldest program that may still use these tables.
ALTER TABLE wa_integrator.version ADD COLUMN min_compatible BIGINT NOT NULL DEFAULT 1;
