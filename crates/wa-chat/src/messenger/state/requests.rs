//! Requests to the server that are under way on this connection; an answer finds its request by the iq's id.

use std::collections::BTreeMap;
use std::time::Duration;

use wa_binary::{Jid, Node};
use wa_profile::Profile;
use wa_stanza::{
    Blocklist, BlocklistChange, DeviceQuery, Iq, PrekeyCount, PrekeyFetch, PrekeyUpload,
    SignedPrekeyRotation, WantedUser,
};

use crate::messenger::conversation::address;
use crate::{Ask, NoAnswer, Ticket};

/// What the ids of requests begin with.
const PREFIX: &str = "req-";

/// How long the server may take to answer: our choice, no document names a time.
const ANSWER: Duration = Duration::from_secs(60);

/// A request and what its answer needs.
#[derive(Clone, Debug)]
pub(crate) enum Request {
    /// Which devices a user has, who is named so.
    Devices { user: Jid, named: Jid },
    /// The bundles of a user's devices.
    Bundles { user: Jid, named: Jid, devices: Vec<Jid> },
    /// How many one-time prekeys the server has left.
    PrekeyCount,
    /// New one-time prekeys, the last of them with this id.
    PrekeyUpload(Box<PrekeyUpload>, u32),
    /// A new signed prekey.
    Rotation(Box<SignedPrekeyRotation>),
    /// Something that the application wants to know or change.
    Ask(Ticket, Ask),
}

/// Requests by the number in their iq's id, the oldest first. They die with the connection.
#[derive(Debug, Default)]
pub(crate) struct Requests {
    waiting: BTreeMap<u64, Waiting>,
    next: u64,
    /// The last time that was told.
    tick: Duration,
}

#[derive(Debug)]
struct Waiting {
    request: Request,
    until: Duration,
}

impl Request {
    /// The user whose devices or bundles it fetches.
    pub(crate) fn fetched_user(&self) -> Option<&Jid> {
        match self {
            Self::Devices { user, .. } | Self::Bundles { user, .. } => Some(user),
            _ => None,
        }
    }

    fn write(&self, id: &str, profile: &Profile) -> Result<Iq, NoAnswer> {
        Ok(match self {
            Self::Devices { named, .. } => DeviceQuery { users: vec![named.clone()] }.into_iq(id),
            Self::Bundles { named, devices, .. } => {
                let wanted =
                    |jid: &Jid| WantedUser { jid: address(named, jid.device()), identity_changed: false };
                PrekeyFetch { users: devices.iter().map(wanted).collect() }.into_iq(id)
            }
            Self::PrekeyCount => PrekeyCount::request(id),
            Self::PrekeyUpload(upload, _) => upload.as_ref().clone().into_iq(id),
            Self::Rotation(rotation) => rotation.into_iq(id),
            Self::Ask(_, ask) => ask.write(id, profile)?,
        })
    }
}

impl Ask {
    fn write(&self, id: &str, profile: &Profile) -> Result<Iq, NoAnswer> {
        let chat = &profile.chat;
        let change = |jid: &Jid, block| BlocklistChange { jid: jid.clone(), block }.into_iq(id);
        Ok(match self {
            Self::Blocklist => Blocklist::request(id),
            Self::Block(jid) => change(jid, true),
            Self::Unblock(jid) => change(jid, false),
            Self::Report(report) => report.clone().into_iq(id, &*chat.report_xmlns),
            Self::Reach(jid) => {
                let form = chat.reachability.as_ref().ok_or(NoAnswer::Unsupported)?;
                let user = Node::new("user").with_attr("jid", jid);
                Iq::set(id, &*form.xmlns).with_children([Node::new(&*form.child).with_child(user)])
            }
            // Answered from rows.
            Self::Identities(_) => return Err(NoAnswer::Unsupported),
            Self::DeleteAccount => {
                Iq::set(id, &*chat.deletion.xmlns).with_children([Node::new(&*chat.deletion.child)])
            }
        })
    }
}

impl Requests {
    /// The iq that asks; none if the profile has no such request.
    pub(crate) fn ask(&mut self, request: Request, profile: &Profile) -> Result<Iq, NoAnswer> {
        self.next += 1;
        let iq = request.write(&format!("{PREFIX}{}", self.next), profile)?;
        self.waiting.insert(self.next, Waiting { request, until: self.tick + ANSWER });
        Ok(iq)
    }

    /// Sets the current tick, from which deadlines count.
    pub(crate) fn tell_time(&mut self, tick: Duration) {
        self.tick = tick;
    }

    /// Forgets the question with this ticket: it cannot be sent.
    pub(crate) fn take_back(&mut self, ticket: Ticket) {
        self.waiting.retain(|_, waiting| !matches!(waiting.request, Request::Ask(it, _) if it == ticket));
        self.free_if_empty();
    }

    /// When the oldest request has waited long enough.
    pub(crate) fn due(&self) -> Option<Duration> {
        self.waiting.first_key_value().map(|(_, waiting)| waiting.until)
    }

    /// A request that has waited long enough; an answer that comes later finds nothing.
    pub(crate) fn overdue(&mut self) -> Option<Request> {
        let oldest = self.waiting.first_entry().filter(|oldest| oldest.get().until <= self.tick)?;
        let request = oldest.remove().request;
        self.free_if_empty();
        Some(request)
    }

    /// The request that an iq answers.
    pub(crate) fn answered(&mut self, iq: &Iq) -> Option<Request> {
        let number = iq.id.as_deref()?.strip_prefix(PREFIX)?.parse().ok()?;
        let request = self.waiting.remove(&number)?.request;
        self.free_if_empty();
        Some(request)
    }

    /// An empty map keeps a node with room for eleven requests; most clients have none under way most of the time.
    fn free_if_empty(&mut self) {
        if self.waiting.is_empty() {
            self.waiting = BTreeMap::new();
        }
    }

    /// Forgets all: the connection is gone. Ids go on, so that a late answer finds nothing. Gives what the
    /// application asked and has not been answered.
    pub(crate) fn clear(&mut self) -> impl Iterator<Item = Ticket> {
        std::mem::take(&mut self.waiting).into_values().filter_map(|waiting| match waiting.request {
            Request::Ask(ticket, _) => Some(ticket),
            _ => None,
        })
    }
}
