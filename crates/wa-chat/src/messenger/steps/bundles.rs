//! Bundles of a user's devices: sessions begin and what waited goes out (seed §3.1).

use wa_binary::Jid;
use wa_signal::Trust;
use wa_stanza::{FetchedUser, Iq, IqKind, PrekeyBundles};

use crate::key::Key;
use crate::messenger::bundle::signal_bundle;
use crate::messenger::conversation::{Conversation, address};
use crate::messenger::state::draft::Draft;
use crate::messenger::state::view::Stop;
use crate::messenger::steps::Step;
use crate::{Event, NoSession};

impl Step<'_> {
    pub(super) fn receive_bundles(&mut self, user: &Jid, devices: &[Jid], iq: &Iq) -> Result<Draft, Stop> {
        self.view.need(devices.iter().flat_map(Key::of_device))?;
        let draft = Draft { fetched: Some(user.clone()), ..Draft::default() };
        let mut conversation = Conversation::load(self, &address(user, 0), draft)?;
        let bundles = read_bundles(iq);
        for device in devices {
            let begun = bundles.of(device).and_then(|bundle| self.begin(&mut conversation, device, &bundle));
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
        bundle: &wa_stanza::Bundle,
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

/// The bundles of an answer, read once.
struct Bundles(Result<Vec<FetchedUser>, NoSession>);

impl Bundles {
    fn of(&self, device: &Jid) -> Result<wa_stanza::Bundle, NoSession> {
        let users = self.0.as_ref().map_err(|why| *why)?;
        let user = users.iter().find(|user| user.jid == *device).ok_or(NoSession::Unreadable)?;
        user.bundle.as_ref().copied().map_err(|error| NoSession::Refused(error.code))
    }
}

fn read_bundles(iq: &Iq) -> Bundles {
    Bundles(match &iq.kind {
        IqKind::Error(error) => Err(NoSession::Refused(error.code)),
        _ => PrekeyBundles::try_from(iq).map(|read| read.users).map_err(|_| NoSession::Unreadable),
    })
}
