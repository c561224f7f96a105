//! Bundles of a user's devices: sessions begin and what waited goes out (overview §3.1).

use std::collections::BTreeMap;

use wa_binary::Jid;
use wa_signal::Trust;
use wa_stanza::{FetchedBundle, FetchedUser, Iq, IqKind, PrekeyBundles};

use crate::key::Key;
use crate::messenger::bundle::signal_bundle;
use crate::messenger::conversation::{Conversation, address};
use crate::messenger::state::draft::Draft;
use crate::messenger::state::view::Stop;
use crate::messenger::steps::Step;
use crate::{Event, NoSession};

impl Step<'_> {
    pub(super) fn receive_bundles(
        &mut self,
        user: &Jid,
        named: &Jid,
        devices: &[Jid],
        iq: &Iq,
    ) -> Result<Draft, Stop> {
        self.view.need(devices.iter().flat_map(Key::of_device))?;
        let draft = Draft { fetched: Some(user.clone()), ..Draft::default() };
        let mut conversation = Conversation::load(self, &address(user, 0), draft)?;
        for device in devices {
            // It may be on the list no more.
            conversation.add(self, device)?;
        }
        let bundles = Bundles::read(iq);
        for device in devices {
            if conversation.has_session(self, device) {
                continue;
            }
            let bundle = bundles.of(&address(named, device.device()));
            let begun = bundle.and_then(|bundle| self.begin(&mut conversation, device, &bundle));
            match begun {
                Ok(()) => {}
                // A companion whose keys are not to be had gets nothing; a user without keys gets nothing at all.
                Err(NoSession::Refused(_) | NoSession::Unreadable | NoSession::Bundle(_))
                    if device.device() != 0 =>
                {
                    conversation.forget_device(device.device());
                }
                Err(why) => {
                    conversation.draft.tell(Event::NoSession { peer: user.clone(), why });
                    return Ok(conversation.finish());
                }
            }
        }
        self.go_on(conversation)
    }

    fn begin(
        &mut self,
        conversation: &mut Conversation,
        device: &Jid,
        bundle: &wa_stanza::FetchedBundle,
    ) -> Result<(), NoSession> {
        let Ok(account) = self.view.account() else { return Err(NoSession::Unreadable) };
        let (session, read) = (conversation.session(device), signal_bundle(bundle));
        session.establish(&account.identity.key, &read, &Trust::Any, self.now.unix, &mut self.rng)?;
        conversation.notice_identity(self, device, read.identity);
        if bundle.post_quantum {
            conversation.notice_post_quantum(device);
        }
        Ok(())
    }
}

/// What the server says of each device that was asked for, read once.
struct Bundles(Result<BTreeMap<Jid, Result<FetchedBundle, NoSession>>, NoSession>);

impl Bundles {
    fn read(iq: &Iq) -> Self {
        if let IqKind::Error(error) = &iq.kind {
            return Self(Err(NoSession::Refused(error.code)));
        }
        let Ok(read) = PrekeyBundles::try_from(iq) else { return Self(Err(NoSession::Unreadable)) };
        let bundle =
            |user: FetchedUser| (user.jid, user.bundle.map_err(|error| NoSession::Refused(error.code)));
        // The first word on a device counts.
        Self(Ok(read.users.into_iter().rev().map(bundle).collect()))
    }

    fn of(&self, device: &Jid) -> Result<FetchedBundle, NoSession> {
        let users = self.0.as_ref().map_err(|why| *why)?;
        *users.get(device).ok_or(NoSession::Unreadable)?
    }
}
