//! What WhatsApp's users do with their phones, seen from the server (overview §3.2; RO 1.0.3 §1.1).

use wa_binary::{Jid, Node};

use crate::media::{Class, Described, generated};
use crate::phone::{By, MediaWritten, Written};
use crate::world::World;

impl World {
    /// A phone writes: takes a bundle of the account if it has no session. Gives the message's id.
    pub(crate) fn phone_writes(&mut self, phone: &str, to: &Jid, written: &Written) -> Option<String> {
        let (_, number) = to.as_interop()?;
        let made = self.made(written)?;
        let written = made.as_ref().unwrap_or(written);
        let account = self.accounts.get_mut(&number).filter(|account| account.login == *to)?;
        let from = Jid::phone(phone).ok()?;
        let message = self.phones.get_mut(phone)?.write_to(account, written, self.now, &mut self.rng)?;
        let id = message.attr_str("id")?.to_owned();
        self.deliver(number, message.with_attr("from", from));
        self.announce_low_prekeys(number);
        Some(id)
    }

    /// A file of somebody's own at the media host; what a message says of it.
    pub(crate) fn host(&mut self, plain: &[u8], class: Class) -> Described {
        let prefix = self.profile.media.whatsapp_path_prefix.clone();
        self.media.keep(plain, class, &prefix, &mut self.rng)
    }

    /// A file that is made for a message, at the media host; nothing for what is no file; `None` if it cannot be made.
    #[expect(clippy::option_option, reason = "not made, and nothing to make, are two things")]
    fn made(&mut self, written: &Written) -> Option<Option<Written>> {
        let prefix = self.profile.media.whatsapp_path_prefix.clone();
        let file = match written {
            Written::Picture(wanted) => {
                let jpeg = generated::picture(wanted.width, wanted.height)?;
                let file = self.media.keep(&jpeg, Class::Image, &prefix, &mut self.rng);
                MediaWritten::new("image", "image/jpeg", file).sized(wanted)
            }
            Written::Voice { seconds } => {
                let ogg = generated::voice(*seconds)?;
                let file = self.media.keep(&ogg, Class::Audio, &prefix, &mut self.rng);
                MediaWritten::new("voice", "audio/ogg; codecs=opus", file).lasting(*seconds)
            }
            Written::Media(file) => file.clone(),
            _ => return Some(None),
        };
        Some(Some(Written::Media(file.sent(self.now, &self.profile.media.whatsapp_origin))))
    }

    /// A phone tells what became of messages: one receipt for all.
    pub(crate) fn phone_marks(&mut self, phone: &str, to: &Jid, ids: &[String], kind: &str) -> Option<()> {
        let (_, number) = to.as_interop()?;
        let (first, more) = ids.split_first()?;
        let receipt = Node::new("receipt").with_attr("from", Jid::phone(phone).ok()?);
        let receipt = receipt.with_attr("id", &**first).with_attr("type", kind).with_attr("t", self.now);
        let items = more.iter().map(|id| Node::new("item").with_attr("id", &**id));
        let list = Node::new("list").with_children(items.collect::<Vec<_>>());
        self.deliver(number, if more.is_empty() { receipt } else { receipt.with_child(list) });
        Some(())
    }

    /// What a phone's user is doing is shown to those who are connected.
    pub(crate) fn phone_types(&mut self, phone: &str, to: &Jid, state: Node) -> Option<()> {
        let (_, number) = to.as_interop()?;
        let connection = self.accounts.get(&number)?.connection?;
        let chatstate = Node::new("chatstate").with_attr("from", Jid::phone(phone).ok()?).with_child(state);
        self.tell_typing(&chatstate, By::Phone, to);
        self.send(connection, &chatstate);
        Some(())
    }

    /// A phone's user pings an account. What a third party is sent then is assumed: the form that WhatsApp's own users get
    /// (observed), from the user instead of the server.
    pub(crate) fn phone_pings(&mut self, phone: &str, to: &Jid) -> Option<()> {
        let (_, number) = to.as_interop()?;
        self.accounts.get(&number)?;
        let ping = Node::new("ping").with_attr("display_name", phone);
        let notification = self.notification(&Jid::phone(phone).ok()?, "w:interop").with_child(ping);
        self.deliver(number, notification);
        Some(())
    }

    /// A phone has another identity, or another device: every account is told.
    pub(crate) fn phone_changed(&mut self, phone: &str, kind: &'static str, change: &Node) -> Option<()> {
        let from = Jid::phone(phone).ok()?;
        for number in self.accounts.keys().copied().collect::<Vec<_>>() {
            let notification = self.notification(&from, kind).with_child(change.clone());
            self.deliver(number, notification);
        }
        Some(())
    }

    /// Phones that were away and are back read what waited for them, if it is not older than 30 days.
    pub(crate) fn bring_phones_back(&mut self) {
        let now = self.now;
        let back = self.phones.iter_mut().filter(|(_, phone)| !phone.is_away(now));
        let waiting: Vec<(Jid, Node)> = back.flat_map(|(_, phone)| phone.take_waiting(now)).collect();
        for (login, node) in waiting {
            let Some((_, number)) = login.as_interop() else { continue };
            let Some(to) = node.attr("to").and_then(wa_binary::AttrValue::to_jid) else { continue };
            self.give_to_phone(number, &to, &login, &node);
        }
        self.open_arrivals();
    }
}
