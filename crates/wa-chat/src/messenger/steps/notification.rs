//! Notifications and chat states: what changed at the server, and what a peer is doing (overview §3; types observed).

use wa_binary::{EncodeOptions, Jid, Node};
use wa_profile::RecipientDevices;
use wa_stanza::{Ack, Chatstate, Notification, NotificationContent};

use crate::Event;
use crate::messenger::conversation::{Conversation, address, put_inbox};
use crate::messenger::state::draft::Draft;
use crate::messenger::state::view::Stop;
use crate::messenger::steps::Step;
use crate::row::{InboxEntry, InboxItem};

impl Step<'_> {
    pub(super) fn receive_notification(&mut self, notification: &Notification) -> Result<Draft, Stop> {
        let mut draft = match &notification.content {
            NotificationContent::PrekeysLeft { value } => self.doubt_prekeys(*value),
            NotificationContent::PostQuantumPrekeysLeft { .. } => Draft::default(),
            NotificationContent::IdentityChanged => self.forget_sessions(&notification.from)?,
            // The list of devices is asked for again with the next message (observed: type `devices`).
            _ if notification.kind == *"devices" => self.doubt_devices(&notification.from)?,
            _ => self.notify(notification)?,
        };
        draft.transmit(Ack::from(notification));
        Ok(draft)
    }

    /// The peer has another identity: the next message needs its new keys.
    fn forget_sessions(&self, from: &Jid) -> Result<Draft, Stop> {
        let from = self.peer(from, [])?;
        let mut conversation = Conversation::load(self, &from, Draft::default())?;
        conversation.outdate_identities();
        if self.profile.encryption.recipient_devices != RecipientDevices::PrimaryOnly {
            conversation.outdate_devices();
        }
        Ok(conversation.finish())
    }

    /// The peer has other devices than before: the next message needs the list.
    fn doubt_devices(&self, from: &Jid) -> Result<Draft, Stop> {
        let user = self.peer(from, [])?.without_device();
        let mut conversation = Conversation::load(self, &address(&user, 0), Draft::default())?;
        if self.profile.encryption.recipient_devices != RecipientDevices::PrimaryOnly {
            conversation.outdate_devices();
        }
        Ok(conversation.finish())
    }

    /// What is not modelled is shown whole.
    fn notify(&self, notification: &Notification) -> Result<Draft, Stop> {
        let (mut draft, mut counters) = (Draft::default(), self.view.counters()?);
        let node = wa_binary::encode(&Node::from(notification.clone()), &EncodeOptions::new());
        // A node that was read can be written.
        let Ok(node) = node else { return Ok(draft) };
        let what = InboxItem::Notification { node: node.into() };
        let entry = InboxEntry { peer: notification.from.clone(), ids: Vec::new(), what };
        put_inbox(&mut draft, &mut counters, entry);
        draft.put_counters(counters);
        Ok(draft)
    }

    pub(super) fn receive_chatstate(&self, state: &Chatstate) -> Result<Draft, Stop> {
        let mut draft = Draft::default();
        if let Some(from) = &state.from {
            let from = self.peer(from, [])?.without_device();
            draft.tell(Event::Typing { from, typing: state.typing });
        }
        Ok(draft)
    }
}
