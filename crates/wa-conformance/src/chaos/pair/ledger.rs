//! What is known outside the client, and must agree with it in the end.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use wa_interop::chat::{EventId, Ticket};

use crate::chaos::pair::backup::Doubts;

/// What the application and the phone's user know, whatever crashes.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    /// Texts that the application wants sent, in order; the flag: accepted.
    pub(super) sent: Vec<(String, bool)>,
    /// Commands under way in this incarnation.
    pub(super) sending: BTreeMap<Ticket, usize>,
    pub(super) confirming: BTreeMap<Ticket, EventId>,
    /// Texts that the phone wrote, in order, and their ids.
    pub(super) written: Vec<(String, Value)>,
    /// Message events by their ids, as first shown.
    pub(super) shown: BTreeMap<EventId, String>,
    pub(super) order: Vec<EventId>,
    pub(super) confirmed: BTreeSet<EventId>,
    /// Ids of messages that were shown and not read, on their way to being read, and read.
    pub(super) unread: Vec<String>,
    pub(super) marking: BTreeMap<Ticket, String>,
    pub(super) marked: BTreeSet<String>,
    /// What a copy that was put back has made unknowable.
    pub(super) doubts: Doubts,
    /// The phone has had its mishap.
    pub(super) mishap: bool,
    /// Nothing goes wrong any more.
    pub(super) at_rest: bool,
    pub(super) crashes: u32,
}

/// What a schedule amounted to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Texts to the phone.
    pub sent: usize,
    /// Texts from the phone.
    pub received: usize,
    /// Texts that reached the phone while faults still happened.
    pub amid_faults: usize,
    /// How often the client was dropped.
    pub crashes: u32,
}

impl std::ops::AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.sent += other.sent;
        self.received += other.received;
        self.amid_faults += other.amid_faults;
        self.crashes += other.crashes;
    }
}
