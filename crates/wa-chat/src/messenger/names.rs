//! Users with two addresses, a phone number and an internal one: one peer, one lane and one set of sessions, whichever of
//! the two a stanza names (RO 1.0.3 §1.1 refers to the internal one; attributes observed).
//!
//! Everything of a user is kept under the address that was used first. That two addresses are of one user is the server's
//! word: it is taken only with a message that decrypts, and told before anything is encrypted for the user. Of two that were
//! both used before each stays a peer of its own.

use wa_binary::Jid;
use wa_profile::{Profile, UserAddress};
use wa_stanza::Message;

use crate::IdentityPolicy;
use crate::key::Key;
use crate::messenger::conversation::{Conversation, address};
use crate::messenger::state::view::{Stop, View};
use crate::messenger::steps::Step;
use crate::row::{InboxItem, Names, Row, Standing};

const PHONE: &str = "s.whatsapp.net";
const INTERNAL: &str = "lid";

/// Whether users of this address's server may have another address.
fn may_have_names(user: &Jid) -> bool {
    matches!(user.server(), PHONE | INTERNAL)
}

impl Names {
    /// The address that stanzas name.
    fn preferred(&self, profile: &Profile) -> &Jid {
        let is_internal = profile.encryption.user_address == UserAddress::Internal;
        if (self.peer.server() == INTERNAL) == is_internal { &self.peer } else { &self.other }
    }
}

impl View {
    /// The address under which everything of a user is kept, if the rows that say so are loaded.
    pub(super) fn known_peer(&self, user: &Jid) -> Option<Jid> {
        let has_names = self.counters().is_ok_and(|counters| counters.has_names);
        if !has_names || !may_have_names(user) {
            return self.counters().is_ok().then(|| user.clone());
        }
        let names = self.names(&Key::names(user)).ok()?;
        Some(names.map_or_else(|| user.clone(), |names| names.peer))
    }
}

impl Step<'_> {
    /// The address under which everything of a user's device is kept. What the step needs besides is asked for at once.
    pub(super) fn peer(&self, device: &Jid, own: impl IntoIterator<Item = Key>) -> Result<Jid, Stop> {
        self.view.need([Key::counters()].into_iter().chain(own))?;
        let names = self.names(device)?;
        Ok(names.map_or_else(|| device.clone(), |names| address(&names.peer, device.device())))
    }

    /// The address of a peer that stanzas name.
    pub(super) fn named(&self, peer: &Jid) -> Result<Jid, Stop> {
        let names = self.names(peer)?;
        Ok(names.map_or_else(|| peer.clone(), |names| names.preferred(self.profile).clone()))
    }

    fn names(&self, device: &Jid) -> Result<Option<Names>, Stop> {
        if !self.view.counters()?.has_names || !may_have_names(device) {
            return Ok(None);
        }
        let key = Key::names(&device.clone().without_device());
        self.view.need([key.clone()])?;
        self.view.names(&key)
    }

    /// The names of a message's sender, if the server tells of another address than the known ones. Which of the two was used
    /// before decides under which the user is kept.
    pub(super) fn new_names(&self, message: &Message, from: &Jid) -> Result<Option<Names>, Stop> {
        let Some(other) = message.other_from.clone().map(Jid::without_device) else { return Ok(None) };
        let user = from.clone().without_device();
        let is_pair = may_have_names(&user) && may_have_names(&other) && user.server() != other.server();
        if !is_pair || self.names(&user)?.is_some() || self.names(&other)?.is_some() {
            return Ok(None);
        }
        Ok(match (self.is_used(&user)?, self.is_used(&other)?) {
            (true, true) => None,
            (false, true) => Some(Names { peer: other, other: user }),
            (_, false) => Some(Names { peer: user, other }),
        })
    }

    /// Whether there are rows of a user.
    fn is_used(&self, user: &Jid) -> Result<bool, Stop> {
        let [session, identity] = Key::of_device(&address(user, 0));
        let rows = [Key::devices(user), session, identity];
        self.view.need(rows.clone())?;
        for row in &rows {
            if self.view.has(row)? {
                return Ok(true);
            }
        }
        Ok(!self.view.waiting(user)?.is_empty())
    }
}

impl Conversation {
    /// The user has two addresses from now on. Where the application is asked about identities it has accepted those of one
    /// address alone.
    pub(super) fn take_names(&mut self, step: &Step<'_>, names: Names) {
        for user in [&names.peer, &names.other] {
            self.draft.put(Key::names(user), Row::Names(names.clone()));
        }
        self.counters.has_names = true;
        self.named = names.preferred(step.profile).clone();
        self.put_inbox(Vec::new(), InboxItem::Named { other: names.other });
        self.announce_again(step.policy == IdentityPolicy::Hold, Standing::Told);
        self.draft.announces = Some(self.user.clone());
    }
}
