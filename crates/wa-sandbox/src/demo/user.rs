//! A demonstration user: a third party's client in one file, which speaks with the sandbox as every client does
//! (overview §1 to §3).
//!
//! It says with receipts what it has decrypted, asks again for what it could not, and writes what it is told to. It is for
//! looking at: it keeps nothing, has no queue, and writes to the first device of a phone only.

use std::collections::{HashMap, VecDeque};

use bytes::{Bytes, BytesMut};
use prost::Message as _;
use rand::rngs::SysRng;
use rand_core::{Rng, UnwrapErr};
use wa_binary::{AttrValue, EncodeOptions, Jid, Limits, Node};
use wa_keys::{PrivateKey, PublicKey};
use wa_noise::{Dialect, ExpectServerHello, FrameDecoder, MAX_FRAME, Setup, Transport, TrustRoot};
use wa_profile::{NoiseDialect, Profile, ProtocolVersion, VersionAtLogin};
use wa_proto::handshake::{AppVersion, ClientPayload, InteropData, UserAgent};
use wa_signal::Bundle;

use crate::phone::{Device, Opened, Wrapping, Written, ask_again, read_bundle, write_bundle, write_key};

/// One-time prekeys that it uploads at once.
const PREKEYS: usize = 30;

/// Messages that it can send again.
const MAX_WRITTEN: usize = 1000;

/// Stanzas of its mailbox that it fetches at once.
const BATCH: u64 = 100;

/// A user's keys, sessions and connection. A value: bytes in, bytes out.
pub(crate) struct User {
    login: Option<Jid>,
    noise: PrivateKey,
    device: Device,
    profile: Profile,
    line: Option<Line>,
    /// The server has taken its login.
    is_welcome: bool,
    outputs: Vec<Bytes>,
    next_id: u64,
    /// What is to be written once keys have come, by the request's id.
    waiting: HashMap<String, (Jid, String, Written)>,
    /// What it wrote, to be sent again.
    written: VecDeque<(String, Vec<u8>, Wrapping)>,
    /// Stanzas of its mailbox that came since it fetched last.
    fetched: u64,
}

/// A demonstration user's connection to chatd.
struct Line {
    frames: FrameDecoder,
    stage: Stage,
}

enum Stage {
    /// Its hello is sent; what is to be said next.
    Hello {
        hello: Box<ExpectServerHello>,
        root: TrustRoot,
        payload: Vec<u8>,
    },
    Open(Box<Transport>),
}

/// Why a connection ends.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Ended(pub(crate) String);

fn ended(error: impl ToString) -> Ended {
    Ended(error.to_string())
}

fn rng() -> UnwrapErr<SysRng> {
    UnwrapErr(SysRng)
}

impl User {
    pub(crate) fn new(profile: Profile) -> Self {
        Self {
            login: None,
            noise: PrivateKey::generate(&mut rng()),
            device: Device::new(&mut rng()),
            profile,
            line: None,
            is_welcome: false,
            outputs: Vec::new(),
            next_id: 0,
            waiting: HashMap::new(),
            written: VecDeque::new(),
            fetched: 0,
        }
    }

    /// What its enlistment says: the authkey, and the keys that phones begin sessions with.
    pub(crate) fn keys(&mut self) -> (PublicKey, Bundle) {
        (self.noise.public_key(), self.device.bundle(&mut rng()))
    }

    pub(crate) fn enlisted(&mut self, login: Jid) {
        self.login = Some(login);
    }

    pub(crate) fn has_line(&self) -> bool {
        self.line.is_some()
    }

    pub(crate) fn is_connected(&self) -> bool {
        self.line.is_some() && self.is_welcome
    }

    /// Frames that are to be sent.
    pub(crate) fn take_outputs(&mut self) -> Vec<Bytes> {
        std::mem::take(&mut self.outputs)
    }

    pub(crate) fn disconnect(&mut self) {
        self.line = None;
        self.is_welcome = false;
        self.waiting.clear();
    }

    /// Begins a connection: the prologue and the first message of the handshake.
    pub(crate) fn connect(&mut self, root: [u8; 32], token: &str) -> Result<(), Ended> {
        let dialect = match self.profile.chat.dialect {
            NoiseDialect::Strict => Dialect::Strict,
            _ => Dialect::WhatsApp,
        };
        let prologue = Bytes::copy_from_slice(&self.profile.chat.prologue);
        let static_key = PrivateKey::from_bytes(*self.noise.as_bytes());
        let setup = Setup { prologue: prologue.clone(), dialect, static_key };
        let (hello, first) = ExpectServerHello::start(&setup, &mut rng()).map_err(ended)?;
        let account = self.login.as_ref().and_then(Jid::as_interop);
        let (_, account) = account.ok_or_else(|| ended("it is not enlisted"))?;
        let ProtocolVersion { primary, secondary, tertiary } = self.profile.version;
        let version =
            AppVersion { primary: Some(primary), secondary: Some(secondary), tertiary: Some(tertiary) };
        let says_version = self.profile.chat.login.version != VersionAtLogin::Omitted;
        let interop = InteropData {
            account_id: Some(account),
            token: Some(Bytes::copy_from_slice(token.as_bytes())),
            enable_read_receipts: None,
        };
        let payload = ClientPayload {
            product: i32::try_from(self.profile.chat.login.product).ok(),
            interop_data: Some(interop),
            user_agent: says_version.then_some(UserAgent { app_version: Some(version) }),
            ..ClientPayload::default()
        };
        let root = TrustRoot::new(PublicKey::from_bytes(root));
        let stage = Stage::Hello { hello: Box::new(hello), root, payload: payload.encode_to_vec() };
        self.line = Some(Line { frames: FrameDecoder::new(MAX_FRAME), stage });
        self.outputs = vec![prologue, wa_noise::frame(&first).map_err(ended)?];
        Ok(())
    }

    /// The server's bytes have arrived at `now` (Unix seconds).
    pub(crate) fn handle_bytes(&mut self, bytes: &[u8], now: u64) -> Result<(), Ended> {
        self.line.as_mut().ok_or_else(|| ended("it is not connected"))?.frames.push(bytes);
        while let Some(Line { frames, stage }) = &mut self.line {
            let Some(mut frame) = frames.next_frame().map_err(ended)? else { break };
            match stage {
                Stage::Open(transport) => {
                    transport.opener.open(&mut frame).map_err(ended)?;
                    let node = wa_binary::unpack(frame.freeze(), &Limits::new()).map_err(ended)?;
                    let node = wa_binary::decode(&node, &Limits::new()).map_err(ended)?;
                    self.handle(&node, now)?;
                }
                Stage::Hello { .. } => self.finish(frame.freeze(), now)?,
            }
        }
        Ok(())
    }

    fn finish(&mut self, answer: Bytes, now: u64) -> Result<(), Ended> {
        let Some(Line { frames, stage: Stage::Hello { hello, root, payload } }) = self.line.take() else {
            return Ok(());
        };
        let verified = hello.read_server_hello(answer, &root, now).map_err(ended)?;
        let (transport, last) = verified.finish(&payload).map_err(ended)?;
        self.outputs.push(wa_noise::frame(&last).map_err(ended)?);
        self.line = Some(Line { frames, stage: Stage::Open(Box::new(transport)) });
        Ok(())
    }

    fn handle(&mut self, node: &Node, now: u64) -> Result<(), Ended> {
        match node.tag() {
            "success" => {
                self.is_welcome = true;
                self.upload();
                self.fetch();
            }
            "failure" | "stream:error" => return Err(ended(node)),
            _ if node.is_stream_end() => return Err(ended("the stream has ended")),
            "iq" => self.handle_iq(node, now),
            "message" => self.handle_message(node, now),
            "receipt" => self.handle_receipt(node, now),
            "notification" => self.handle_notification(node),
            "ib" if node.child("offline").is_some() => self.fetched = 0,
            _ => {}
        }
        let waited = node.attr("offline").is_some();
        self.fetched += u64::from(waited);
        if waited && self.fetched == BATCH {
            self.fetch();
        }
        Ok(())
    }

    fn send(&mut self, node: &Node) {
        let Some(Line { stage: Stage::Open(transport), .. }) = &mut self.line else { return };
        let packed = wa_binary::pack(node, &EncodeOptions::new()).ok();
        let mut body = BytesMut::from(packed.unwrap_or_default().as_slice());
        if transport.sealer.seal(&mut body).is_ok() {
            self.outputs.extend(wa_noise::frame(&body).ok());
        }
    }

    fn ask(&mut self, kind: &'static str, xmlns: &'static str) -> (String, Node) {
        self.next_id += 1;
        let id = format!("demo-{}", self.next_id);
        let iq = Node::new("iq").with_attr("id", &*id).with_attr("type", kind).with_attr("xmlns", xmlns);
        (id, iq.with_attr("to", Jid::whatsapp()))
    }

    fn fetch(&mut self) {
        self.fetched = 0;
        self.send(&Node::new("ib").with_child(Node::new("offline_batch").with_attr("count", BATCH)));
    }

    /// Uploads one-time prekeys with the rest of its keys.
    fn upload(&mut self) {
        let bundles: Vec<Bundle> = (0..PREKEYS).map(|_| self.device.bundle(&mut rng())).collect();
        let keys = bundles.iter().filter_map(|bundle| bundle.one_time_prekey);
        let list = Node::new("list").with_children(keys.map(|(id, key)| write_key("key", id, &key)));
        let Some(bundle) = bundles.into_iter().next() else { return };
        let rest = write_bundle(&Bundle { one_time_prekey: None, ..bundle }, true);
        let (_, iq) = self.ask("set", "encrypt");
        self.send(&iq.with_children(rest.into_iter().chain([list])));
    }

    fn handle_iq(&mut self, node: &Node, now: u64) {
        let Some(id) = node.attr_str("id") else { return };
        if node.attr_str("type") == Some("get") {
            let pong = Node::new("iq").with_attr("id", id).with_attr("type", "result");
            return self.send(&pong.with_attr("to", Jid::whatsapp()));
        }
        let Some((to, message, written)) = self.waiting.remove(id) else { return };
        let user = node.child("list").and_then(|list| list.child("user"));
        let bundle = user.and_then(|user| read_bundle(user.child("registration")?, user));
        if let Some(bundle) = bundle {
            self.device.begin(&to, &bundle, now, &mut rng());
            self.write_now(&to, &message, &written, now);
        }
    }

    fn ack(&mut self, node: &Node) {
        let (Some(id), Some(from)) = (node.attr_str("id"), node.attr("from").cloned()) else { return };
        let ack = Node::new("ack").with_attr("class", node.tag()).with_attr("id", id);
        self.send(&ack.with_attr("to", from));
    }

    fn handle_message(&mut self, node: &Node, now: u64) {
        let from = node.attr("from").and_then(AttrValue::to_jid);
        let (Some(id), Some(from), Some(enc)) = (node.attr_str("id"), from, node.child("enc")) else {
            return self.ack(node);
        };
        let receipt = match self.device.open(&from, &id.into(), &enc.into(), &mut rng()) {
            Opened::Plain(_) | Opened::Again => Some(Node::new("receipt").with_attr("id", id)),
            Opened::Ask { count, registration, keys } => {
                Some(ask_again(id, count, registration, keys.as_deref(), now))
            }
            Opened::GivenUp => None,
        };
        if let Some(receipt) = receipt {
            self.send(&receipt.with_attr("to", from));
        }
        self.ack(node);
    }

    fn handle_receipt(&mut self, node: &Node, now: u64) {
        self.ack(node);
        let from = node.attr("from").and_then(AttrValue::to_jid);
        let (Some(retry), Some(from)) = (node.child("retry"), from) else { return };
        let written = retry.attr_str("id").and_then(|id| self.written.iter().find(|(it, ..)| it == id));
        let Some((id, plain, wrapping)) = written.cloned() else { return };
        let keys = node.child("keys").zip(node.child("registration"));
        if let Some(bundle) = keys.and_then(|(keys, registration)| read_bundle(registration, keys)) {
            self.device.begin(&from, &bundle, now, &mut rng());
        }
        let count = retry.attr_str("count").and_then(|count| count.parse().ok());
        self.transmit(&from, &id, &plain, &wrapping, count, now);
    }

    /// A phone with another identity needs another session.
    fn handle_notification(&mut self, node: &Node) {
        self.ack(node);
        if node.child("identity").is_some()
            && let Some(from) = node.attr("from").and_then(AttrValue::to_jid)
        {
            self.device.forget(&from);
        }
        if node.child("count").is_some() {
            self.upload();
        }
    }

    /// Writes to a phone, after asking for its keys if there is no session; gives the message's id.
    pub(crate) fn write(&mut self, to: &Jid, written: Written, now: u64) -> Option<String> {
        written.encode(to)?;
        let mut id = [0; 8];
        rng().fill_bytes(&mut id);
        let id = format!("3EB0{}", hex::encode_upper(id));
        if self.device.needs_bundle(to, now) {
            let (request, iq) = self.ask("get", "encrypt");
            let user = Node::new("user").with_attr("jid", to);
            self.waiting.insert(request, (to.clone(), id.clone(), written));
            self.send(&iq.with_child(Node::new("key").with_child(user)));
        } else {
            self.write_now(to, &id, &written, now);
        }
        Some(id)
    }

    fn write_now(&mut self, to: &Jid, id: &str, written: &Written, now: u64) {
        let Some((plain, wrapping)) = written.encode(to) else { return };
        if self.written.len() == MAX_WRITTEN {
            self.written.pop_front();
        }
        self.written.push_back((id.to_owned(), plain.clone(), wrapping.clone()));
        self.transmit(to, id, &plain, &wrapping, None, now);
    }

    fn transmit(
        &mut self,
        to: &Jid,
        id: &str,
        plain: &[u8],
        wrapping: &Wrapping,
        count: Option<u32>,
        now: u64,
    ) {
        let Some((kind, bytes)) = self.device.seal(to, plain, now, &mut rng()) else { return };
        let enc = Node::new("enc").with_attr("v", "2").with_attr("type", kind);
        let enc = enc.with_attr_opt("mediatype", wrapping.mediatype).with_attr_opt("count", count);
        let enc = enc.with_attr_opt("decrypt-fail", wrapping.hides.then_some("hide"));
        let message = Node::new("message").with_attr("to", to).with_attr("id", id);
        let message = message.with_attr("type", wrapping.kind).with_attr_opt("edit", wrapping.edit);
        self.send(&message.with_child(enc.with_bytes(bytes)));
    }

    /// Says what became of a phone's messages: one receipt for all.
    pub(crate) fn mark(&mut self, to: &Jid, ids: &[String], kind: &str) -> Option<()> {
        let (first, more) = ids.split_first()?;
        let receipt = Node::new("receipt").with_attr("to", to).with_attr("id", &**first);
        let receipt = receipt.with_attr_opt("type", (kind != "delivery").then_some(kind));
        let items = more.iter().map(|id| Node::new("item").with_attr("id", &**id));
        let list = Node::new("list").with_children(items.collect::<Vec<_>>());
        self.send(&if more.is_empty() { receipt } else { receipt.with_child(list) });
        Some(())
    }

    /// Shows that the user types, records, or has stopped.
    pub(crate) fn show_typing(&mut self, to: &Jid, state: Node) {
        self.send(&Node::new("chatstate").with_attr("to", to).with_child(state));
    }
}

impl std::fmt::Debug for User {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("User").field("login", &self.login).finish_non_exhaustive()
    }
}
