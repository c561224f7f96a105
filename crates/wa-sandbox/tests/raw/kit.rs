//! A world without sockets, and a client that writes raw nodes.

use std::collections::BTreeMap;

use bytes::{Bytes, BytesMut};
use prost::Message as _;
use rand::SeedableRng;
use rand::rngs::StdRng;
use serde_json::Value;
use wa_binary::{EncodeOptions, Jid, Limits, Node};
use wa_keys::PrivateKey;
use wa_noise::{
    Dialect, ExpectResumption, ExpectServerHello, FrameDecoder, MAX_FRAME, Resumption, Setup, Transport,
    TrustRoot,
};
use wa_profile::Profile;
use wa_proto::content::Message;
use wa_sandbox::{Clock, ConnectionId, Enlisted, Integrator, Output, Problem, World, WorldConfig};
use wa_signal::{Bundle, Kind, LocalIdentity, SessionRecord, SignedPrekey, Trust};

use crate::user::{BASE, KID, User, jwks, prekey};

pub(crate) const NOW: u64 = 1_800_000_000;
pub(crate) const PHONE: &str = "14155551001";
/// A world, its clock, and what it has put out.
pub(crate) struct Bench {
    pub(crate) world: World,
    pub(crate) clock: Clock,
    pub(crate) rng: StdRng,
    outputs: BTreeMap<ConnectionId, Vec<Output>>,
}

/// One connection of a client.
pub(crate) struct Line {
    pub(crate) id: ConnectionId,
    pub(crate) transport: Transport,
    frames: FrameDecoder,
}

impl Bench {
    pub(crate) fn new() -> Self {
        Self::with(Profile::default(), false)
    }

    pub(crate) fn strict() -> Self {
        Self::with(Profile::default(), true)
    }

    pub(crate) fn with(profile: Profile, strict: bool) -> Self {
        Self::seeded(profile, strict, 1)
    }

    /// Another world has other keys.
    pub(crate) fn seeded(profile: Profile, strict: bool, seed: u64) -> Self {
        let integrators = vec![Integrator { id: 1, base_url: BASE.to_owned() }];
        let config = WorldConfig { profile, integrators, phones: vec![PHONE.to_owned()], strict };
        let mut world = World::new(config, Box::new(StdRng::seed_from_u64(seed)));
        world.handle_keys(1, Ok(&jwks(KID)), NOW);
        Self { world, clock: Clock::still(NOW), rng: StdRng::seed_from_u64(2), outputs: BTreeMap::new() }
    }

    pub(crate) fn now(&self) -> u64 {
        self.clock.now()
    }

    /// Moves the clock forward.
    pub(crate) fn advance(&mut self, seconds: i64) {
        self.clock.set_offset(self.clock.offset() + seconds);
        self.world.tick(self.clock.now());
    }

    pub(crate) fn control(&mut self, method: &str, path: &str, body: Value) -> Result<Value, Problem> {
        self.world.control(&self.clock, method, path, body.to_string().as_bytes())
    }

    pub(crate) fn post(&mut self, path: &str, body: Value) -> Value {
        self.control("POST", path, body).unwrap_or_else(|problem| panic!("{path}: {problem:?}"))
    }

    pub(crate) fn get(&mut self, path: &str) -> Value {
        self.control("GET", path, Value::Null).unwrap_or_else(|problem| panic!("{path}: {problem:?}"))
    }

    /// What was recorded: the rule, and what is the matter.
    pub(crate) fn records(&self) -> Vec<(&'static str, String)> {
        self.world.records().map(|record| (record.rule, record.what.clone())).collect()
    }

    /// The rules of what was recorded, which is forgotten then.
    pub(crate) fn taken_rules(&mut self) -> Vec<&'static str> {
        let rules = self.world.records().map(|record| record.rule).collect();
        self.control("DELETE", "deviations", Value::Null).unwrap();
        rules
    }

    pub(crate) fn user(&mut self, name: &str) -> User {
        let rng = &mut self.rng;
        let (noise, identity) = (PrivateKey::generate(rng), PrivateKey::generate(rng));
        let signed_key = PrivateKey::generate(rng);
        let signed = SignedPrekey::sign(7, &signed_key, &identity, rng);
        User {
            name: name.to_owned(),
            noise,
            local: LocalIdentity { key: identity, registration_id: 0xC7A8_3AB4 },
            signed_key,
            signed,
            one_time: BTreeMap::new(),
            sessions: BTreeMap::new(),
            login: None,
            server: None,
        }
    }

    pub(crate) fn enlist(&mut self, form: &[(&str, String)]) -> Enlisted {
        let now = self.now();
        let form = encoded(form);
        self.world.enlist(form.as_bytes(), true, now)
    }

    /// A user with a login.
    pub(crate) fn enlisted(&mut self, name: &str) -> User {
        let mut user = self.user(name);
        match self.enlist(&user.form(self.now())) {
            Enlisted::Login(login) => user.login = Some(login),
            other => panic!("{other:?}"),
        }
        user
    }

    /// A user with enough prekeys at the server, not connected.
    pub(crate) fn stocked(&mut self, name: &str) -> User {
        let (mut user, mut line) = self.connected(name);
        self.upload(&mut user, &mut line, 30);
        self.world.disconnect(line.id);
        user
    }

    /// A user whose connection has a session.
    pub(crate) fn connected(&mut self, name: &str) -> (User, Line) {
        let mut user = self.enlisted(name);
        let line = self.connect(&mut user);
        (user, line)
    }

    /// Connects and logs in; the answer is taken and must be `<success>`.
    pub(crate) fn connect(&mut self, user: &mut User) -> Line {
        let payload = user.payload(self.now());
        let mut line = self.login(user, &payload);
        let nodes = self.read(&mut line);
        assert_eq!(nodes.first().map(Node::tag), Some("success"), "{nodes:?}");
        line
    }

    /// A full handshake with any payload.
    pub(crate) fn login(&mut self, user: &mut User, payload: &[u8]) -> Line {
        let (now, setup, root) = (self.now(), setup(user), self.root());
        let id = self.world.connect(now);
        let (hello, first) = ExpectServerHello::start(&setup, &mut self.rng).unwrap();
        self.send_raw(id, b"WA\x06\x03");
        self.send_raw(id, &wa_noise::frame(&first).unwrap());
        let answer = self.hello(id);
        let verified = hello.read_server_hello(answer, &root, now).unwrap();
        user.server = Some(*verified.server());
        let (transport, last) = verified.finish(payload).unwrap();
        self.send_raw(id, &wa_noise::frame(&last).unwrap());
        Line { id, transport, frames: FrameDecoder::new(MAX_FRAME) }
    }

    /// A resumption with the server's key of the last handshake.
    pub(crate) fn resume(&mut self, user: &User) -> (Line, Bytes) {
        let (now, root) = (self.now(), self.root());
        let id = self.world.connect(now);
        let payload = user.payload(now);
        let server = user.server.expect("a handshake before");
        let (resumption, first) =
            ExpectResumption::start(&setup(user), &server, &payload, &mut self.rng).unwrap();
        let first = [b"WA\x06\x03".as_slice(), &wa_noise::frame(&first).unwrap()].concat();
        self.send_raw(id, &first);
        let answer = self.hello(id);
        let Resumption::Resumed(transport) = resumption.read_server_hello(answer, &root, now).unwrap() else {
            panic!("it fell back")
        };
        (Line { id, transport, frames: FrameDecoder::new(MAX_FRAME) }, first.into())
    }

    fn root(&self) -> TrustRoot {
        TrustRoot::new(wa_keys::PublicKey::from_bytes(self.world.noise_root()))
    }

    /// The first frame from the server; what is behind it stays.
    fn hello(&mut self, id: ConnectionId) -> Bytes {
        self.collect();
        let outputs = self.outputs.entry(id).or_default();
        let Output::Bytes(bytes) = outputs.remove(0) else { panic!("closed") };
        bytes.slice(3..)
    }

    pub(crate) fn send_raw(&mut self, id: ConnectionId, bytes: &[u8]) {
        let now = self.now();
        self.world.handle_bytes(id, now, bytes);
    }

    fn collect(&mut self) {
        while let Some((id, output)) = self.world.poll_output() {
            self.outputs.entry(id).or_default().push(output);
        }
    }

    /// What came on a connection before any handshake: bytes, and whether it was closed.
    pub(crate) fn raw_outputs(&mut self, id: ConnectionId) -> (Vec<u8>, bool) {
        self.collect();
        let (mut bytes, mut is_closed) = (Vec::new(), false);
        for output in self.outputs.remove(&id).unwrap_or_default() {
            match output {
                Output::Bytes(more) => bytes.extend(more),
                Output::Close => is_closed = true,
            }
        }
        (bytes, is_closed)
    }

    /// The stanzas that came; a close shows as `<closed/>`.
    pub(crate) fn read(&mut self, line: &mut Line) -> Vec<Node> {
        self.collect();
        let mut nodes = Vec::new();
        for output in self.outputs.remove(&line.id).unwrap_or_default() {
            match output {
                Output::Close => nodes.push(Node::new("closed")),
                Output::Bytes(bytes) => {
                    line.frames.push(&bytes);
                    while let Some(mut frame) = line.frames.next_frame().unwrap() {
                        match line.transport.opener.open(&mut frame) {
                            Ok(()) => {
                                let node = wa_binary::unpack(frame.freeze(), &Limits::new()).unwrap();
                                nodes.push(wa_binary::decode(&node, &Limits::new()).unwrap());
                            }
                            Err(_) => nodes.push(Node::new("garbled")),
                        }
                    }
                }
            }
        }
        nodes
    }

    /// Sends a stanza.
    pub(crate) fn send(&mut self, line: &mut Line, node: &Node) {
        self.send_together(line, std::slice::from_ref(node));
    }

    /// Sends stanzas that arrive in one read.
    pub(crate) fn send_together(&mut self, line: &mut Line, nodes: &[Node]) {
        let body = |node| wa_binary::pack(node, &EncodeOptions::new()).unwrap();
        let frames = nodes.iter().map(|node| line.sealed(&body(node))).collect::<Vec<_>>().concat();
        self.send_raw(line.id, &frames);
    }

    /// Sends what is in a frame before it is sealed.
    pub(crate) fn send_body(&mut self, line: &mut Line, body: &[u8]) {
        let frame = line.sealed(body);
        self.send_raw(line.id, &frame);
    }

    /// Sends a stanza, written as XML, and reads what comes.
    pub(crate) fn ask(&mut self, line: &mut Line, xml: &str) -> Vec<Node> {
        let node = xml.parse().unwrap_or_else(|error| panic!("{xml}: {error}"));
        self.send(line, &node);
        self.read(line)
    }

    /// The same, answered in XML.
    pub(crate) fn ask_xml(&mut self, line: &mut Line, xml: &str) -> Vec<String> {
        self.ask(line, xml).iter().map(ToString::to_string).collect()
    }

    /// Uploads so many one-time prekeys.
    pub(crate) fn upload(&mut self, user: &mut User, line: &mut Line, count: u32) {
        let first = user.one_time.keys().next_back().map_or(1, |last| last + 1);
        for id in first..first + count {
            user.one_time.insert(id, PrivateKey::generate(&mut self.rng));
        }
        let keys = user.one_time.range(first..);
        let list = keys.map(|(id, key)| prekey("key", *id, key.public_key().as_bytes()));
        let upload = user.upload(list.collect());
        self.send(line, &upload);
        let answer = self.read(line);
        assert_eq!(answer[0].attr_str("type"), Some("result"), "{answer:?}");
    }

    /// An `<enc>` for the phone, in a session that is begun if there is none.
    pub(crate) fn encrypt(&mut self, user: &mut User, line: &mut Line, plain: &[u8]) -> Node {
        let peer = format!("{PHONE}@s.whatsapp.net");
        if !user.sessions.contains_key(&peer) {
            let xml = format!(
                "<iq id='fetch' type='get' xmlns='encrypt' to='s.whatsapp.net'><key><user jid='{peer}'/></key></iq>"
            );
            let answer = self.ask(line, &xml);
            let bundle = read_bundle(&answer[0].child("list").unwrap().children()[0]);
            let mut session = SessionRecord::default();
            session.establish(&user.local.key, &bundle, &Trust::Any, self.now(), &mut self.rng).unwrap();
            user.sessions.insert(peer.clone(), session);
        }
        let now = self.now();
        let mut padded = plain.to_vec();
        padded.push(1);
        let session = user.sessions.get_mut(&peer).unwrap();
        let sealed = session.encrypt(&user.local, &padded, now, &mut self.rng).unwrap();
        let kind = if sealed.kind == Kind::PreKey { "pkmsg" } else { "msg" };
        Node::new("enc").with_attr("v", "2").with_attr("type", kind).with_bytes(sealed.bytes)
    }

    /// A text for the phone as a message that every rule allows.
    pub(crate) fn text(&mut self, user: &mut User, line: &mut Line, id: &str, text: &str) -> Node {
        let content = Message { conversation: Some(text.to_owned()), ..Message::default() };
        let enc = self.encrypt(user, line, &content.encode_to_vec());
        let message = Node::new("message").with_attr("to", Jid::phone(PHONE).unwrap());
        message.with_attr("id", id).with_attr("type", "text").with_child(enc)
    }

    /// What the phone has received: id and text.
    pub(crate) fn at_phone(&mut self) -> Vec<(String, Option<String>)> {
        let phone = self.get(&format!("phones/{PHONE}"));
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let received = phone["received"].as_array().unwrap().iter();
        received.map(|it| (text(&it["id"]).unwrap(), text(&it["text"]))).collect()
    }
}

impl Line {
    /// The frame that carries a body.
    fn sealed(&mut self, body: &[u8]) -> Bytes {
        let mut body = BytesMut::from(body);
        self.transport.sealer.seal(&mut body).unwrap();
        wa_noise::frame(&body).unwrap()
    }
}

fn setup(user: &User) -> Setup {
    Setup {
        prologue: Bytes::from_static(b"WA\x06\x03"),
        dialect: Dialect::WhatsApp,
        static_key: PrivateKey::from_bytes(*user.noise.as_bytes()),
    }
}

pub(crate) fn encoded(form: &[(&str, String)]) -> String {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish()
}

fn read_bundle(user: &Node) -> Bundle {
    let bytes = |node: &Node, tag: &str| node.child(tag).and_then(Node::bytes).unwrap().to_vec();
    let id = |node: &Node| bytes(node, "id").iter().fold(0, |id, byte| id << 8 | u32::from(*byte));
    let key = |bytes: Vec<u8>| wa_keys::PublicKey::from_slice(&bytes).unwrap();
    let skey = user.child("skey").unwrap();
    Bundle {
        registration_id: u32::from_be_bytes(bytes(user, "registration").try_into().unwrap()),
        identity: key(bytes(user, "identity")),
        signed_prekey: SignedPrekey {
            id: id(skey),
            key: key(bytes(skey, "value")),
            signature: wa_keys::Signature::from_slice(&bytes(skey, "signature")).unwrap(),
        },
        one_time_prekey: user.child("key").map(|prekey| (id(prekey), key(bytes(prekey, "value")))),
    }
}
