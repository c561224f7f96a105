//! The conversations of a phone: what was said in them, by whom, and how far it came.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher, RandomState};

use bytes::Bytes;
use serde_json::{Value, json};
use wa_binary::{Jid, Str};

use crate::phone::content::describe;

/// Messages that a phone remembers, in all its conversations.
const MAX_SAID: usize = 10_000;

/// Bytes of their contents.
const MAX_BYTES: usize = 16 << 20;

/// Whose message it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum By {
    Phone,
    User,
}

/// One message of a conversation.
#[derive(Clone, Debug)]
struct Said {
    login: Jid,
    id: Str,
    at: u64,
    by: By,
    /// The decrypted protobuf, once there is one; the text of a message that was never encrypted.
    content: Content,
    delivered: Option<u64>,
    read: Option<u64>,
    played: Option<u64>,
    /// How often it was asked for again.
    retries: u64,
}

#[derive(Clone, Debug)]
pub(crate) enum Content {
    /// Not read yet, or it cannot be decrypted.
    Sealed,
    /// The decrypted protobuf.
    Plain(Bytes),
    /// Text in the clear, as in the overview's example.
    Clear(String),
}

/// All that was said, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Chats {
    said: VecDeque<Said>,
    /// The number of the first that is kept.
    first: u64,
    bytes: usize,
    /// By the hash of login, id and whose it is; what is found is compared.
    numbers: HashMap<u64, u64>,
    hasher: RandomState,
}

impl Chats {
    /// A message has come to the server; one that comes again stays where it is.
    pub(crate) fn say(&mut self, login: &Jid, id: &Str, by: By, at: u64, content: Content) {
        if self.place(login, id, by).is_some() {
            return;
        }
        let key = self.key(login, id, by);
        let number = self.first + u64::try_from(self.said.len()).unwrap_or(u64::MAX);
        self.numbers.insert(key, number);
        self.bytes += content.len();
        self.said.push_back(Said {
            login: login.clone(),
            id: id.clone(),
            at,
            by,
            content,
            delivered: None,
            read: None,
            played: None,
            retries: 0,
        });
        while self.said.len() > MAX_SAID || (self.bytes > MAX_BYTES && self.said.len() > 1) {
            self.forget_first();
        }
    }

    fn forget_first(&mut self) {
        let Some(gone) = self.said.pop_front() else { return };
        self.bytes -= gone.content.len();
        let key = self.key(&gone.login, &gone.id, gone.by);
        if self.numbers.get(&key) == Some(&self.first) {
            self.numbers.remove(&key);
        }
        self.first += 1;
    }

    /// A message was read by a device.
    pub(crate) fn open(&mut self, login: &Jid, id: &str, content: Content) {
        let (length, Some(said)) = (content.len(), self.find(login, id, By::User)) else { return };
        if !matches!(said.content, Content::Sealed) {
            return;
        }
        said.content = content;
        self.bytes += length;
    }

    /// A receipt says how far a message came.
    pub(crate) fn mark(&mut self, login: &Jid, id: &str, by: By, kind: &str, at: u64) {
        let Some(said) = self.find(login, id, by) else { return };
        let (delivered, read, played) = (&mut said.delivered, &mut said.read, &mut said.played);
        let marks = match kind {
            "retry" => return said.retries += 1,
            "delivery" => vec![delivered],
            "read" => vec![delivered, read],
            "played" => vec![delivered, read, played],
            _ => return,
        };
        marks.into_iter().for_each(|mark| _ = mark.get_or_insert(at));
    }

    fn key(&self, login: &Jid, id: &str, by: By) -> u64 {
        self.hasher.hash_one((login, id, by == By::Phone))
    }

    fn place(&self, login: &Jid, id: &str, by: By) -> Option<usize> {
        let number = self.numbers.get(&self.key(login, id, by))?;
        let place = usize::try_from(number.checked_sub(self.first)?).ok()?;
        let said = self.said.get(place)?;
        (said.login == *login && *said.id == *id && said.by == by).then_some(place)
    }

    fn find(&mut self, login: &Jid, id: &str, by: By) -> Option<&mut Said> {
        let place = self.place(login, id, by)?;
        self.said.get_mut(place)
    }

    /// The decrypted protobuf of a message, in either direction.
    pub(crate) fn plain(&self, login: &Jid, id: &str, by: By) -> Option<&[u8]> {
        match &self.said.get(self.place(login, id, by)?)?.content {
            Content::Plain(plain) => Some(plain),
            Content::Sealed | Content::Clear(_) => None,
        }
    }

    /// The newest messages of a conversation, oldest first: at most so many, and only those before a number.
    pub(crate) fn with(&self, login: &Jid, before: Option<u64>, most: usize) -> Vec<Value> {
        let numbered = (self.first..).zip(&self.said).filter(|(_, said)| said.login == *login);
        let wanted: Vec<_> = numbered.filter(|(number, _)| before.is_none_or(|it| *number < it)).collect();
        let newest = wanted.get(wanted.len().saturating_sub(most)..).unwrap_or_default();
        newest.iter().map(|(number, said)| said.shown(*number)).collect()
    }

    /// With whom there are conversations: when something was said last, and how much.
    pub(crate) fn all(&self) -> Vec<Value> {
        let mut chats: Vec<(&Jid, u64, u64)> = Vec::new();
        let mut places: HashMap<&Jid, usize> = HashMap::new();
        for said in &self.said {
            let place = *places.entry(&said.login).or_insert_with(|| {
                chats.push((&said.login, 0, 0));
                chats.len() - 1
            });
            if let Some((_, last, count)) = chats.get_mut(place) {
                (*last, *count) = (said.at, *count + 1);
            }
        }
        let shown = chats.into_iter();
        shown
            .map(
                |(login, last, count)| json!({ "login": login.to_string(), "last": last, "messages": count }),
            )
            .collect()
    }
}

impl Content {
    fn len(&self) -> usize {
        match self {
            Self::Sealed => 0,
            Self::Plain(plain) => plain.len(),
            Self::Clear(text) => text.len(),
        }
    }
}

impl Said {
    fn shown(&self, number: u64) -> Value {
        let content = match &self.content {
            Content::Sealed => Value::Null,
            Content::Plain(plain) => describe(plain),
            Content::Clear(text) => json!({ "text": text, "encrypted": false }),
        };
        json!({
            "number": number,
            "id": &*self.id,
            "at": self.at,
            "by": if self.by == By::Phone { "phone" } else { "user" },
            "content": content,
            "delivered": self.delivered,
            "read": self.read,
            "played": self.played,
            "retries": self.retries,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn login(user: u64) -> Jid {
        Jid::interop(1, user).unwrap()
    }

    fn text(text: &str) -> Content {
        Content::Clear(text.to_owned())
    }

    #[test]
    fn a_message_is_said_once_and_marked_as_it_goes() {
        let (mut chats, a, login) = (Chats::default(), &"A".into(), &login(2));
        chats.say(login, a, By::User, 5, Content::Sealed);
        chats.say(login, a, By::Phone, 6, text("the phone's own A"));
        chats.say(login, a, By::User, 7, text("again"));
        chats.open(login, a, text("read"));
        chats.open(login, a, text("another reading"));
        chats.mark(login, a, By::User, "read", 8);
        chats.mark(login, a, By::User, "delivery", 9);
        chats.mark(login, a, By::User, "nothing", 9);
        chats.mark(login, a, By::Phone, "retry", 9);
        let shown = chats.with(login, None, 10);
        assert_eq!(shown.len(), 2);
        assert_eq!((&shown[0]["content"]["text"], &shown[0]["at"]), (&json!("read"), &json!(5)));
        assert_eq!((&shown[0]["delivered"], &shown[0]["read"]), (&json!(8), &json!(8)));
        assert_eq!((&shown[1]["by"], &shown[1]["retries"]), (&json!("phone"), &json!(1)));
        assert_eq!(shown[1]["delivered"], Value::Null);
        assert_eq!(chats.with(&self::login(3), None, 10), Vec::<Value>::new());
    }

    #[test]
    fn conversations_are_paged_and_listed() {
        let mut chats = Chats::default();
        for number in 0..6 {
            chats.say(&login(2 + number % 2), &number.into(), By::User, number, text("x"));
        }
        let ids = |shown: Vec<Value>| shown.iter().map(|it| it["id"].clone()).collect::<Vec<_>>();
        assert_eq!(ids(chats.with(&login(2), None, 2)), ["2", "4"]);
        assert_eq!(ids(chats.with(&login(2), Some(4), 9)), ["0", "2"]);
        assert_eq!(chats.all()[1], json!({ "login": "1-3@interop", "last": 5, "messages": 3 }));
    }

    #[test]
    fn only_the_newest_are_kept_by_number_and_by_size() {
        let (mut chats, a) = (Chats::default(), &login(1));
        for number in 0..=MAX_SAID {
            chats.say(a, &number.to_string().into(), By::User, 0, text("x"));
        }
        assert_eq!((chats.said.len(), chats.numbers.len(), chats.bytes), (MAX_SAID, MAX_SAID, MAX_SAID));
        chats.mark(a, "0", By::User, "read", 1);
        chats.mark(a, "1", By::User, "read", 1);
        assert_eq!(chats.with(a, None, MAX_SAID)[0]["read"], 1, "numbers still fit");
        chats.say(&login(2), &"long".into(), By::Phone, 0, Content::Plain(vec![0; MAX_BYTES].into()));
        assert_eq!((chats.said.len(), chats.numbers.len(), chats.bytes), (1, 1, MAX_BYTES));
    }
}
