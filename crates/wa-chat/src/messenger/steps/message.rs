//! A message comes: ciphertext to inbox, each message once, acked only after its commit (overview §3.2).

use bytes::Bytes;
use wa_binary::Jid;
use wa_signal::{Decrypted, PreKeyMessage, Prekeys, SessionRecord, SignalMessage, Trust};
use wa_stanza::{Ack, Enc, EncKind, Message, Receipt, ReceiptKind};

use crate::Undecryptable;
use crate::content::unpad;
use crate::key::Key;
use crate::messenger::conversation::{Conversation, address};
use crate::messenger::state::draft::Draft;
use crate::messenger::state::view::Stop;
use crate::messenger::steps::{Step, shortened};
use crate::messenger::vouching::is_vouched;
use crate::row::{InboxItem, Row};
use crate::store::Value;

/// Servers whose addresses are of single users.
const OF_USERS: [&str; 5] = ["s.whatsapp.net", "lid", "interop", "hosted", "hosted.lid"];

/// The element that holds the proof of a companion device.
const DEVICE_IDENTITY: &str = "device-identity";

/// A message that decrypted.
struct Opened {
    decrypted: Decrypted,
    /// It began a session, which proves its sender's identity anew.
    is_new: bool,
    /// What remembers that, where no one-time prekey is used up by it.
    begun: Option<Key>,
}

impl Step<'_> {
    pub(super) fn receive_message(&mut self, message: &Message) -> Result<Draft, Stop> {
        let (mut draft, ack) = (Draft::default(), Ack::from(message));
        let Some(from) = &message.from else {
            draft.answer(None, ack);
            return Ok(draft);
        };
        let seen = |user: Jid| Key::seen(&user.without_device(), &message.id);
        let named = seen(from.clone());
        let own = [Key::account(), named.clone()];
        let mut address = self.peer(from, own.into_iter().chain(Key::of_device(from)))?;
        let names = self.new_names(message, &address)?;
        if let Some(names) = &names {
            address = self::address(&names.peer, from.device());
        }
        let address = &address;
        let seen = seen(address.clone());
        self.view.need([seen.clone()])?;
        let delivered = Receipt::for_message(message, ReceiptKind::Delivery);
        // Before its sender's two addresses were joined it was seen under the one that it names.
        if self.view.has(&seen)? || self.view.has(&named)? {
            // It was committed before, and this is the same message again.
            draft.answer(delivered, ack);
            return Ok(draft);
        }
        if message.participant.is_some() || !is_user(address) {
            return self.ask_again(message, address, Undecryptable::NotOneToOne, draft);
        }
        let mut conversation = Conversation::load(self, address, draft)?;
        let was_ready = conversation.is_ready(self);
        let opened = match self.open(message, address, &mut conversation)? {
            Ok(opened) => opened,
            Err(why) => return self.ask_again(message, address, why, conversation.draft),
        };
        if let Some(names) = names {
            conversation.take_names(self, names);
        }
        let has_sent = self.take_session(&mut conversation, address, &opened)?;
        let is_shown = self.take_in(&mut conversation, message, address, opened.decrypted);
        conversation.draft.answer(delivered.filter(|_| is_shown), ack);
        if !was_ready && !has_sent && conversation.is_ready_for(self, address) {
            // The peer has begun a session itself: what waited for its bundle needs it no longer.
            conversation.send_waiting(self)?;
        }
        Ok(conversation.finish())
    }

    /// Keeps what a message has proved of its sender's device. Says whether what waited for the user was looked at.
    fn take_session(
        &mut self,
        conversation: &mut Conversation,
        address: &Jid,
        Opened { decrypted, is_new, begun }: &Opened,
    ) -> Result<bool, Stop> {
        if *is_new {
            conversation.notice_identity(self, address, decrypted.identity);
        }
        if let Some(begun) = begun {
            let rules = &self.profile.encryption.signed_prekey;
            let life = rules.rotate_after.saturating_add(rules.keep).as_secs();
            let until = self.now.unix.saturating_add(life);
            conversation.draft.put_until(begun.clone(), Row::Seen, until);
        }
        if !conversation.is_recipient(address.device()) {
            // Nobody is written to for having written. Whether the user has such a device is the server's to say.
            conversation.doubt_devices(self);
        }
        conversation.look_after_recipients(self)
    }

    /// What an authentic message changes. Says whether it is shown.
    fn take_in(
        &self,
        conversation: &mut Conversation,
        message: &Message,
        from: &Jid,
        decrypted: Decrypted,
    ) -> bool {
        conversation.remember_seen(self, &message.id);
        // In the commit that shows the message: a death in between neither loses it nor leaves the key (X3DH §3.4).
        if let Some(used) = decrypted.used_one_time_prekey {
            conversation.draft.delete(Key::prekey(used));
        }
        let device = from.device();
        let Some(content) = unpad(decrypted.plaintext) else {
            // The ratchet moves on all the same, and sending it again would not help.
            let (why, is_hidden) = (Undecryptable::Padding, hides_failure(message));
            let what = InboxItem::Undecryptable { why, device, asked: None, is_hidden };
            conversation.put_inbox(vec![message.id.to_string()], what);
            return false;
        };
        let timestamp = message.t.unwrap_or(self.now.unix);
        let is_accepted = conversation.is_accepted(from, &decrypted.identity);
        let content = Bytes::from(content);
        let push_name = message.notify.as_deref().map(shortened);
        let waited = message.offline.is_some();
        let what = InboxItem::Message { content, timestamp, device, is_accepted, push_name, waited };
        conversation.put_inbox(vec![message.id.to_string()], what);
        true
    }

    /// Loads the keys of overtaken messages that a message needs.
    fn load_keys(
        &self,
        message: &SignalMessage,
        from: &Jid,
        session: &mut SessionRecord,
    ) -> Result<(), Stop> {
        let (peer, ids): (_, Vec<_>) = (Key::peer(from), session.blocks_for(message).collect());
        self.view.need(ids.iter().map(|id| Key::key_block(&peer, *id)))?;
        for id in ids {
            let block = self.view.key_block(&Key::key_block(&peer, id))?;
            // That a block is not whole is said by the decryption of the messages that it is about.
            let _ = session.load_block(id, block.map(Value::as_bytes));
        }
        Ok(())
    }

    /// Decrypts on a copy of the session; the outer error asks for rows, the inner one is the message's fault.
    fn open(
        &mut self,
        message: &Message,
        from: &Jid,
        conversation: &mut Conversation,
    ) -> Result<Result<Opened, Undecryptable>, Stop> {
        let [Enc { v: 2, kind, ciphertext, .. }] = message.encs.as_slice() else {
            return Ok(Err(Undecryptable::NoEnc));
        };
        let trust = conversation.trust(from);
        match kind {
            EncKind::Msg => match SignalMessage::decode(ciphertext.clone()) {
                Ok(message) => {
                    let session = conversation.session(from);
                    self.load_keys(&message, from, session)?;
                    let decrypted = session.decrypt(&message, &trust);
                    Ok(decrypted
                        .map(|decrypted| Opened { decrypted, is_new: false, begun: None })
                        .map_err(Undecryptable::from))
                }
                Err(error) => Ok(Err(error.into())),
            },
            EncKind::PkMsg => match PreKeyMessage::decode(ciphertext.clone()) {
                Ok(first) if !self.is_vouched(message, from, conversation, &first) => {
                    Ok(Err(Undecryptable::Unvouched))
                }
                Ok(first) => {
                    let session = conversation.session(from);
                    self.load_keys(first.message(), from, session)?;
                    self.open_first(&first, session, &trust)
                }
                Err(error) => Ok(Err(error.into())),
            },
            _ => Ok(Err(Undecryptable::NoEnc)),
        }
    }

    /// A message that begins a session, or is of one that was not answered yet.
    fn open_first(
        &mut self,
        message: &PreKeyMessage,
        session: &mut SessionRecord,
        trust: &Trust,
    ) -> Result<Result<Opened, Undecryptable>, Stop> {
        if session.knows(message) {
            // Our prekeys have done their work; they may be gone by now.
            let decrypted = session.decrypt_known(message, trust);
            let opened = |decrypted| Opened { decrypted, is_new: false, begun: None };
            return Ok(decrypted.map(opened).map_err(Undecryptable::from));
        }
        let view = self.view;
        // Without a one-time prekey nothing else would keep the server from giving it again, as another device's or after its
        // session is forgotten (X3DH §4.2).
        let begun = message.one_time_prekey_id.is_none().then(|| Key::begun(message.base_key()));
        if let Some(begun) = &begun {
            view.need([begun.clone()])?;
            if view.has(begun)? {
                return Ok(Err(Undecryptable::Duplicate));
            }
        }
        let signed = Key::signed_prekey(message.signed_prekey_id);
        let one_time = message.one_time_prekey_id.map(Key::prekey);
        view.need([signed.clone(), one_time.clone().unwrap_or_else(|| signed.clone())])?;
        let Some(signed) = view.prekey(&signed)? else {
            return Ok(Err(Undecryptable::NoSignedPrekey));
        };
        let one_time = match &one_time {
            Some(key) => view.prekey(key)?,
            None => None,
        };
        let prekeys = Prekeys { signed, one_time };
        let identity = &view.account()?.identity.key;
        let decrypted = session.decrypt_prekey(identity, prekeys, message, trust);
        let opened = |decrypted| Opened { decrypted, is_new: true, begun };
        Ok(decrypted.map(opened).map_err(Undecryptable::from))
    }

    /// Whether nothing speaks against a companion device being one of its account. Where the sender gives no proof there is
    /// the server's word alone.
    fn is_vouched(
        &self,
        message: &Message,
        from: &Jid,
        conversation: &Conversation,
        first: &PreKeyMessage,
    ) -> bool {
        let proof = message.children.iter().find(|child| child.tag() == DEVICE_IDENTITY);
        let (Some(proof), Some(account)) = (proof, conversation.primary_identity()) else { return true };
        let proof = proof.content().as_bytes().unwrap_or_default();
        from.device() == 0 || is_vouched(&account, proof, &first.identity)
    }
}

/// Whether an address is of a single user, and of one at all: the server itself has none before the `@`.
fn is_user(address: &Jid) -> bool {
    address.user_bytes().is_some() && OF_USERS.contains(&address.server())
}

/// Whether the sender wants nothing to be shown if a message cannot be decrypted.
pub(super) fn hides_failure(message: &Message) -> bool {
    message.encs.iter().any(|enc| enc.hide_failure)
}
