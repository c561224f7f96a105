//! Virtual phones: WhatsApp users with Signal identities of their own, who answer a text (overview §3).

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use bytes::Bytes;
use prost::Message as _;
use rand_core::CryptoRng;
use serde_json::Value;
use wa_binary::{Jid, Node, Str};
use wa_proto::signal::PreKeySignalMessage;
use wa_signal::Bundle;

use crate::account::{Account, KEPT};
use crate::newest::Newest;
use crate::phone::chats::Chats;
use crate::phone::content::text_alone;

mod arrival;
mod chats;
mod content;
mod device;
mod kept;
mod media;
mod received;
mod tree;

pub(crate) use self::arrival::{Arrival, Delivery, SharedDevice};
pub(crate) use self::chats::{By, Content};
pub(crate) use self::content::{Wrapping, Written};
pub(crate) use self::device::{
    Device, Opened, read_bundle, read_prekey, read_signed_prekey, write_bundle, write_key,
};
pub(crate) use self::kept::PhoneState;
pub(crate) use self::media::MediaWritten;
pub(crate) use self::received::Received;
pub(crate) use self::tree::{Composed, tree};

/// Messages and receipts that a phone remembers.
const MAX_REMEMBERED: usize = 10_000;

/// How often a message is sent again.
const MAX_ANSWERED: u32 = 10;

/// One WhatsApp user, with the phone itself as device 0.
#[derive(Debug)]
pub(crate) struct Phone {
    pub(crate) devices: BTreeMap<u16, SharedDevice>,
    /// Devices that the server lists and of which it has no keys.
    pub(crate) hollow: BTreeSet<u16>,
    pub(crate) manners: Manners,
    /// How many bundles were handed out.
    pub(crate) bundles: u64,
    /// The next message to a login loses a bit on its way.
    pub(crate) spoils_next: bool,
    /// What was received, oldest first.
    pub(crate) received: VecDeque<Received>,
    /// What was said in its conversations.
    pub(crate) chats: Chats,
    /// Receipts for what was sent, oldest first.
    pub(crate) receipts: VecDeque<Receipt>,
    /// What was shown of others' typing, oldest first.
    pub(crate) typing: VecDeque<Value>,
    /// Logins that have pinged this user.
    pub(crate) reached_by: BTreeSet<String>,
    /// Logins that this user has blocked.
    pub(crate) blocked: BTreeSet<String>,
    /// What device 0 wrote, by login and id, to be sent again.
    written: Newest<(Jid, Str), (Vec<u8>, Wrapping)>,
    /// What the server told it of third parties' users, oldest first, as XML.
    pub(crate) notices: VecDeque<String>,
    /// What came while it was away: when, from whom, what.
    waiting: VecDeque<(u64, Jid, Node)>,
}

/// How a phone and its user behave.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Manners {
    /// Whether a text is answered with an echo.
    pub(crate) answers: bool,
    /// Seconds of the sandbox's clock that its user takes for it.
    pub(crate) answers_after: u64,
    /// Whether it shows that it reads and types before it answers.
    pub(crate) lively: bool,
    /// Whether it says nothing of what has arrived.
    pub(crate) silent: bool,
    /// Whether the server answers no request that names it.
    pub(crate) withheld: bool,
    /// Whether the signature over its signed prekey is another's.
    pub(crate) missigned: bool,
    /// Until when it is switched off, in Unix seconds of the sandbox's clock; messages wait for it.
    pub(crate) away_until: Option<u64>,
}

impl Default for Manners {
    fn default() -> Self {
        Self {
            answers: true,
            answers_after: 0,
            lively: false,
            silent: false,
            withheld: false,
            missigned: false,
            away_until: None,
        }
    }
}

/// A receipt from a third party's client.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct Receipt {
    pub(crate) from: String,
    pub(crate) id: String,
    pub(crate) kind: String,
    /// Whether keys for a new session came along.
    pub(crate) has_keys: bool,
}

impl Phone {
    pub(crate) fn new(number: &str, rng: &mut impl CryptoRng) -> Self {
        tracing::debug!(number, "phone");
        Self {
            devices: BTreeMap::from([(0, SharedDevice::new(Device::new(rng)))]),
            hollow: BTreeSet::new(),
            manners: Manners::default(),
            bundles: 0,
            spoils_next: false,
            received: VecDeque::new(),
            chats: Chats::default(),
            receipts: VecDeque::new(),
            typing: VecDeque::new(),
            reached_by: BTreeSet::new(),
            blocked: BTreeSet::new(),
            written: Newest::new(MAX_REMEMBERED),
            notices: VecDeque::new(),
            waiting: VecDeque::new(),
        }
    }

    /// Whether it is switched off.
    pub(crate) fn is_away(&self, now: u64) -> bool {
        self.manners.away_until.is_some_and(|until| now < until)
    }

    /// Keeps a message until it is switched on.
    pub(crate) fn wait_for(&mut self, login: &Jid, message: &Node, now: u64) {
        remember(&mut self.waiting, (now, login.clone(), message.clone()));
    }

    /// What waited for it, without what is too old by now.
    pub(crate) fn take_waiting(&mut self, now: u64) -> Vec<(Jid, Node)> {
        let waiting = std::mem::take(&mut self.waiting).into_iter();
        let young = waiting.filter(|(since, ..)| now.saturating_sub(*since) <= KEPT);
        young.map(|(_, login, message)| (login, message)).collect()
    }

    /// A user of a third party's pinged it.
    pub(crate) fn reached(&mut self, login: &Jid, notice: &Node) {
        self.reached_by.insert(login.to_string());
        remember(&mut self.notices, notice.to_string());
    }

    /// Shows the overview's example of a message, which has its text in the clear.
    pub(crate) fn show_body(&mut self, login: &Jid, id: &Str, body: &Node, now: u64) -> Option<Node> {
        let text = String::from_utf8_lossy(body.bytes().unwrap_or_default()).into_owned();
        self.chats.open(login, id, Content::Clear(text.clone()));
        remember(&mut self.received, Received::in_clear(login, id, &text));
        (!self.manners.silent).then(|| Node::new("receipt").with_attr("id", id).with_attr("t", now))
    }

    /// The keys of a device for one new session.
    pub(crate) fn bundle(&mut self, device: u16, rng: &mut impl CryptoRng) -> Option<Bundle> {
        let mut bundle = self.devices.get(&device)?.lock().bundle(rng);
        if self.manners.missigned {
            bundle.signed_prekey.signature = Device::new(rng).bundle(rng).signed_prekey.signature;
        }
        self.bundles += 1;
        Some(bundle)
    }

    /// The application is installed anew: another identity and no session; the history comes out of a backup.
    pub(crate) fn reinstall(&mut self, rng: &mut impl CryptoRng) {
        let mut device = Device::new(rng);
        match self.devices.get(&0) {
            // In the old one's place: a message that is being opened meets one of them, and either is whole.
            Some(old) => {
                let mut old = old.lock();
                device.remember(&mut old);
                *old = device;
            }
            None => drop(self.devices.insert(0, SharedDevice::new(device))),
        }
    }

    /// Shows a message that one of its devices has opened, says that it has arrived, and answers a text. What it sends is
    /// from that device.
    pub(crate) fn handle_opened(
        &mut self,
        delivery: &Delivery,
        opened: Opened,
        now: u64,
        rng: &mut impl CryptoRng,
    ) -> Vec<Node> {
        let (login, id) = (&delivery.from, &delivery.id);
        let receipt = Node::new("receipt").with_attr("id", id).with_attr("t", now);
        match opened {
            Opened::Again if self.manners.silent => Vec::new(),
            Opened::Again => vec![receipt],
            Opened::GivenUp => Vec::new(),
            Opened::Ask { count, registration, keys } => {
                remember(&mut self.received, Received::new(delivery, None));
                vec![ask_again(id, count, registration, keys.as_deref(), now).with_attr("t", now)]
            }
            Opened::Plain(plain) => {
                let plain = Bytes::from(plain);
                self.chats.open(login, id, Content::Plain(plain.clone()));
                remember(&mut self.received, Received::new(delivery, Some(plain.clone())));
                let echoes = self.manners.answers && delivery.device == 0;
                let echo = echoes.then(|| text_alone(&plain)).flatten();
                let echo = echo.map(|text| Written::Text(format!("echo: {text}")));
                let echo = echo.and_then(|echo| self.write(login, &echo, now, rng));
                let mut replies = if self.manners.silent { Vec::new() } else { vec![receipt.clone()] };
                if self.manners.lively {
                    replies.push(receipt.with_attr("type", "read"));
                    replies.push(Node::new("chatstate").with_child(Node::new("composing")));
                }
                replies.extend(echo);
                replies
            }
        }
    }

    /// A receipt for messages of this phone. A retry receipt is answered with the message again.
    pub(crate) fn handle_receipt(
        &mut self,
        account: &mut Account,
        from: &Jid,
        node: &Node,
        now: u64,
        rng: &mut impl CryptoRng,
    ) -> Option<Node> {
        let kind = node.attr_str("type").unwrap_or("delivery").to_owned();
        let more = node.child("list").map(Node::children).unwrap_or_default();
        let has_keys = node.child("keys").is_some();
        for id in std::iter::once(node).chain(more).filter_map(|it| it.attr_str("id")) {
            let receipt = Receipt { from: from.to_string(), id: id.to_owned(), kind: kind.clone(), has_keys };
            self.chats.mark(from, id, By::Phone, &kind, now);
            remember(&mut self.receipts, receipt);
        }
        node.child("retry").and_then(|retry| self.send_again(account, node, retry, now, rng))
    }

    /// What device 0 wrote under this id.
    pub(crate) fn written(&self, login: &Jid, id: &Str) -> Option<&[u8]> {
        self.written.get(&(login.clone(), id.clone())).map(|(plain, _)| plain.as_slice())
    }

    /// The first time in the same session, since a bit may have been lost; from then on, or with keys, in a new one.
    fn send_again(
        &mut self,
        account: &mut Account,
        receipt: &Node,
        retry: &Node,
        now: u64,
        rng: &mut impl CryptoRng,
    ) -> Option<Node> {
        let login = account.login.clone();
        let id = Str::from(retry.attr_str("id")?);
        let count: u32 = retry.attr_str("count")?.parse().ok()?;
        if count > MAX_ANSWERED {
            return None;
        }
        let (plain, wrapping) = self.written.get(&(login.clone(), id.clone()))?.clone();
        let bundle = match receipt.child("keys") {
            Some(keys) => Some(read_bundle(receipt.child("registration")?, keys)?),
            None => (count > 1).then(|| account.take_bundle()),
        };
        let mut device = self.devices.get(&0)?.lock();
        if let Some(bundle) = bundle {
            device.begin(&login, &bundle, now, rng)?;
        }
        let sealed = device.seal(&login, &plain, now, rng)?;
        drop(device);
        Some(self.message(&id, &wrapping, sealed, Some(count), now))
    }

    /// Writes to an account, taking a bundle of it when there is no session.
    pub(crate) fn write_to(
        &mut self,
        account: &mut Account,
        written: &Written,
        now: u64,
        rng: &mut impl CryptoRng,
    ) -> Option<Node> {
        let login = account.login.clone();
        let mut device = self.devices.get(&0)?.lock();
        if device.needs_bundle(&login, now) {
            device.begin(&login, &account.take_bundle(), now, rng)?;
        }
        drop(device);
        self.write(&login, written, now, rng)
    }

    fn write(&mut self, login: &Jid, written: &Written, now: u64, rng: &mut impl CryptoRng) -> Option<Node> {
        let (plain, wrapping) = written.encode(login)?;
        let sealed = self.devices.get(&0)?.lock().seal(login, &plain, now, rng)?;
        let mut id = [0; 8];
        rng.fill_bytes(&mut id);
        let id = Str::from(hex::encode_upper(id));
        self.written.get_or_insert((login.clone(), id.clone()), (plain, wrapping.clone()));
        Some(self.message(&id, &wrapping, sealed, None, now))
    }

    fn message(
        &mut self,
        id: &str,
        wrapping: &Wrapping,
        (kind, bytes): (&'static str, bytes::Bytes),
        count: Option<u32>,
        now: u64,
    ) -> Node {
        let bytes = if std::mem::take(&mut self.spoils_next) { spoilt(kind, &bytes) } else { bytes.to_vec() };
        let enc = Node::new("enc").with_attr("v", "2").with_attr("type", kind);
        let enc = enc.with_attr_opt("mediatype", wrapping.mediatype);
        let enc = enc.with_attr_opt("decrypt-fail", wrapping.hides.then_some("hide"));
        let enc = enc.with_attr_opt("count", count).with_bytes(bytes);
        let message = Node::new("message").with_attr("id", id).with_attr("t", now);
        let message = message.with_attr("type", wrapping.kind).with_attr("notify", "phone");
        message.with_attr_opt("edit", wrapping.edit).with_child(enc)
    }

    /// What a third party's user is doing is shown.
    pub(crate) fn handle_chatstate(&mut self, from: &Jid, node: &Node) {
        let [state] = node.children() else { return };
        let shown = serde_json::json!({
            "from": from.to_string(),
            "state": state.tag(),
            "media": state.attr_str("media"),
        });
        remember(&mut self.typing, shown);
    }
}

/// A message whose authentication fails: the last byte of its MAC is another.
fn spoilt(kind: &str, bytes: &bytes::Bytes) -> Vec<u8> {
    let flip = |bytes: &[u8]| {
        let mut bytes = bytes.to_vec();
        if let Some(last) = bytes.last_mut() {
            *last ^= 1;
        }
        bytes
    };
    let outer = bytes.split_first().and_then(|(version, body)| {
        Some((*version, PreKeySignalMessage::decode(body).ok().filter(|_| kind == "pkmsg")?))
    });
    let Some((version, mut outer)) = outer else { return flip(bytes) };
    outer.message = outer.message.map(|inner| flip(&inner).into());
    [vec![version], outer.encode_to_vec()].concat()
}

/// A retry receipt.
pub(crate) fn ask_again(id: &str, count: u32, registration: u32, keys: Option<&Bundle>, now: u64) -> Node {
    let retry = Node::new("retry").with_attr("count", count).with_attr("id", id);
    let retry = retry.with_attr("t", now).with_attr("v", "1").with_attr("error", "0");
    let registration = Node::new("registration").with_bytes(registration.to_be_bytes().to_vec());
    let keys = keys.map(|keys| Node::new("keys").with_children(write_bundle(keys, false)));
    let receipt = Node::new("receipt").with_attr("id", id).with_attr("type", "retry");
    receipt.with_children([retry, registration].into_iter().chain(keys))
}

/// Keeps the newest.
fn remember<T>(items: &mut VecDeque<T>, item: T) {
    if items.len() == MAX_REMEMBERED {
        items.pop_front();
    }
    items.push_back(item);
}
