//! What is written down of conversations as stanzas pass: who said what to whom, and how far it came.

use bytes::Bytes;
use serde_json::json;
use wa_binary::{AttrValue, Jid, Node, Str};

use crate::news::News;
use crate::phone::{By, Content};
use crate::world::World;

impl World {
    /// A message between a phone and an account has come to the server.
    pub(crate) fn say(&mut self, phone: &Jid, login: &Jid, id: &Str, by: By, content: Content) {
        let Some(number) = phone.user() else { return };
        let Some(phone) = self.phones.get_mut(&*number) else { return };
        phone.chats.say(login, id, by, self.now, content);
        self.tell_chat(&number, login, "message");
    }

    /// A phone's message, or its receipt, is put into an account's mailbox.
    pub(crate) fn note_delivery(&mut self, login: &Jid, node: &Node) {
        let Some(from) = node.attr("from").and_then(AttrValue::to_jid) else { return };
        let (Some(number), Some(id)) = (from.user(), node.attr_str("id").map(Str::from)) else { return };
        let Some(phone) = self.phones.get_mut(&*number) else { return };
        match node.tag() {
            "message" => {
                let content =
                    phone.written(login, &id).map(|plain| Content::Plain(Bytes::copy_from_slice(plain)));
                phone.chats.say(login, &id, By::Phone, self.now, content.unwrap_or(Content::Sealed));
                self.tell_chat(&number, login, "message");
            }
            "receipt" => {
                let kind = node.attr_str("type").unwrap_or("delivery");
                let more = node.child("list").map(Node::children).unwrap_or_default();
                for id in std::iter::once(node).chain(more).filter_map(|it| it.attr_str("id")) {
                    phone.chats.mark(login, id, By::User, kind, self.now);
                }
                self.tell_chat(&number, login, "mark");
            }
            _ => {}
        }
    }

    /// Somebody types, records, or has stopped.
    pub(crate) fn tell_typing(&mut self, chatstate: &Node, by: By, login: &Jid) {
        let address = chatstate.attr(if by == By::User { "to" } else { "from" });
        let phone = address.and_then(AttrValue::to_jid).and_then(|jid| Some(jid.user()?.into_owned()));
        let (Some(phone), [state]) = (phone, chatstate.children()) else { return };
        let state = if state.attr_str("media").is_some() { "recording" } else { state.tag() };
        let by = if by == By::User { "user" } else { "phone" };
        let about = json!({ "kind": "typing", "by": by, "state": state });
        self.news.tell(|| News::Chat { phone, login: login.to_string(), about });
    }

    /// Watchers are told that a conversation has something new.
    pub(crate) fn tell_chat(&mut self, phone: &str, login: &Jid, kind: &'static str) {
        let news = || News::Chat {
            phone: phone.to_owned(),
            login: login.to_string(),
            about: json!({ "kind": kind }),
        };
        self.news.tell(news);
    }
}
