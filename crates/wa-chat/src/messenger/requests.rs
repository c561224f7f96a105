//! Requests to the server that are under way on this connection; an answer finds its request by the iq's id.

use std::collections::BTreeMap;

use wa_binary::Jid;
use wa_stanza::{Iq, PrekeyCount, PrekeyFetch, PrekeyUpload, WantedUser};

/// A request and what its answer needs.
#[derive(Clone, Debug)]
pub(crate) enum Request {
    /// The bundle of one peer.
    Bundle(Jid),
    /// How many one-time prekeys the server has left.
    PrekeyCount,
    /// New one-time prekeys, the last of them with this id.
    PrekeyUpload(Box<PrekeyUpload>, u32),
}

/// Requests by the id of their iq. They die with the connection.
#[derive(Debug, Default)]
pub(crate) struct Requests {
    waiting: BTreeMap<String, Request>,
    next: u64,
}

impl Requests {
    /// The iq that asks.
    pub(crate) fn ask(&mut self, request: Request) -> Iq {
        self.next += 1;
        let id = format!("req-{}", self.next);
        let iq = match &request {
            Request::Bundle(peer) => {
                let user = WantedUser { jid: peer.clone(), identity_changed: false };
                PrekeyFetch { users: vec![user] }.into_iq(&*id)
            }
            Request::PrekeyCount => PrekeyCount::request(&*id),
            Request::PrekeyUpload(upload, _) => upload.as_ref().clone().into_iq(&*id),
        };
        self.waiting.insert(id, request);
        iq
    }

    /// The request that an iq answers.
    pub(crate) fn answered(&mut self, iq: &Iq) -> Option<Request> {
        self.waiting.remove(iq.id.as_deref()?)
    }

    /// Forgets all: the connection is gone. Ids go on, so that a late answer finds nothing.
    pub(crate) fn clear(&mut self) {
        self.waiting.clear();
    }
}
