//! What a messenger holds between two steps: loaded rows, the open batch, cursors, what is unanswered.

pub(super) mod batch;
pub(super) mod cursor;
pub(super) mod draft;
pub(super) mod events;
pub(super) mod refill;
pub(super) mod requests;
pub(super) mod unacked;
pub(super) mod view;
