//! A running sandbox, and a third party's user that is connected to it.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::{Bytes, BytesMut};
use prost::Message as _;
use rand::SeedableRng;
use rand::rngs::StdRng;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use wa_binary::{EncodeOptions, Limits, Node};
use wa_keys::{PrivateKey, PublicKey};
use wa_noise::{Dialect, ExpectServerHello, FrameDecoder, MAX_FRAME, Setup, Transport, TrustRoot};
use wa_profile::Profile;
use wa_proto::handshake::{ClientPayload, InteropData};
use wa_sandbox::{Addresses, Binding, Clock, Sandbox, WorldConfig, ask};
use wa_signal::SignedPrekey;

/// A sandbox with its demonstration integrator.
pub(crate) async fn sandbox(strict: bool, token: Option<&str>) -> Addresses {
    let config =
        WorldConfig { profile: Profile::default(), integrators: Vec::new(), phones: Vec::new(), strict };
    let binding = Binding { demo: true, token: token.map(str::to_owned), ..Binding::default() };
    let sandbox = Sandbox::bind_at(config, Clock::default(), binding).await.unwrap().with_three_phones();
    let addresses = sandbox.addresses().clone();
    tokio::spawn(sandbox.run(std::future::pending()));
    addresses
}

pub(crate) async fn post(url: &str, body: Value) -> Value {
    let (status, answer) = ask("POST", url, None, Some(body.to_string())).await.unwrap();
    assert_eq!(status, 200, "{url} {body}: {answer}");
    serde_json::from_str(&answer).unwrap()
}

pub(crate) async fn get(url: &str) -> Value {
    let (status, answer) = ask("GET", url, None, None).await.unwrap();
    assert_eq!(status, 200, "{url}: {answer}");
    serde_json::from_str(&answer).unwrap()
}

/// Asks until it is so.
pub(crate) async fn eventually(is_so: impl AsyncFn() -> bool) {
    let mut turn = tokio::time::interval(std::time::Duration::from_millis(10));
    for _ in 0..500 {
        turn.tick().await;
        if is_so().await {
            return;
        }
    }
    panic!("did not become so");
}

/// A user who is enlisted.
pub(crate) struct User {
    pub(crate) login: String,
    noise: PrivateKey,
    rng: StdRng,
    name: String,
}

/// A connection with a session.
pub(crate) struct Line {
    stream: TcpStream,
    transport: Transport,
    frames: FrameDecoder,
}

pub(crate) async fn token(addresses: &Addresses, name: &str) -> String {
    let integrator = addresses.integrator.as_deref().unwrap();
    let answer = post(&format!("{integrator}/token"), json!({ "user": name })).await;
    answer["token"].as_str().unwrap().to_owned()
}

/// The enlistment's form.
pub(crate) async fn form(addresses: &Addresses, name: &str) -> (String, PrivateKey, StdRng) {
    form_with(token(addresses, name).await)
}

/// The enlistment's form with this token.
pub(crate) fn form_with(token: String) -> (String, PrivateKey, StdRng) {
    let mut rng = StdRng::seed_from_u64(5);
    let (noise, identity) = (PrivateKey::generate(&mut rng), PrivateKey::generate(&mut rng));
    let signed = SignedPrekey::sign(1, &PrivateKey::generate(&mut rng), &identity, &mut rng);
    let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    let pairs = [
        ("authkey", encode(noise.public_key().as_bytes())),
        ("e_keytype", encode(&[5])),
        ("e_regid", encode(&[0, 0, 0, 9])),
        ("e_ident", encode(identity.public_key().as_bytes())),
        ("e_skey_id", encode(&[0, 0, 1])),
        ("e_skey_val", encode(signed.key.as_bytes())),
        ("e_skey_sig", encode(signed.signature.as_bytes())),
        ("token", token),
    ];
    let form = form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
    (form, noise, rng)
}

pub(crate) async fn enlisted(addresses: &Addresses, name: &str) -> User {
    let (form, noise, rng) = form(addresses, name).await;
    let (_, answer) = ask("POST", &addresses.enlist, None, Some(form)).await.unwrap();
    let answer: Value = serde_json::from_str(&answer).unwrap();
    let login = answer["login"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned();
    User { login, noise, rng, name: name.to_owned() }
}

impl User {
    pub(crate) async fn connect(&mut self, addresses: &Addresses) -> Line {
        let setup = Setup {
            prologue: Bytes::from_static(b"WA\x06\x03"),
            dialect: Dialect::WhatsApp,
            static_key: PrivateKey::from_bytes(*self.noise.as_bytes()),
        };
        let digits = self.login.split(['-', '@']).nth(1).unwrap().parse().unwrap();
        let token = token(addresses, &self.name).await;
        let interop =
            InteropData { account_id: Some(digits), token: Some(token.into()), enable_read_receipts: None };
        let payload =
            ClientPayload { product: Some(2), interop_data: Some(interop), ..ClientPayload::default() };
        let mut stream = TcpStream::connect(&addresses.chat).await.unwrap();
        let (hello, first) = ExpectServerHello::start(&setup, &mut self.rng).unwrap();
        stream.write_all(b"WA\x06\x03").await.unwrap();
        stream.write_all(&wa_noise::frame(&first).unwrap()).await.unwrap();
        let mut frames = FrameDecoder::new(MAX_FRAME);
        let answer = frame(&mut stream, &mut frames).await.unwrap().freeze();
        let root = PublicKey::from_slice(&hex::decode(&addresses.noise_root).unwrap()).unwrap();
        let verified =
            hello.read_server_hello(answer, &TrustRoot::new(root), Clock::default().now()).unwrap();
        let (transport, last) = verified.finish(&payload.encode_to_vec()).unwrap();
        stream.write_all(&wa_noise::frame(&last).unwrap()).await.unwrap();
        let mut line = Line { stream, transport, frames };
        assert_eq!(line.read().await.unwrap().tag(), "success");
        line
    }
}

impl Line {
    /// The next stanza, or the end.
    pub(crate) async fn read(&mut self) -> Option<Node> {
        let mut frame = frame(&mut self.stream, &mut self.frames).await?;
        self.transport.opener.open(&mut frame).unwrap();
        let node = wa_binary::unpack(frame.freeze(), &Limits::new()).unwrap();
        Some(wa_binary::decode(&node, &Limits::new()).unwrap())
    }

    pub(crate) async fn send(&mut self, xml: &str) {
        self.send_together(&[xml.parse().unwrap()]).await;
    }

    /// Sends stanzas that arrive in one read.
    pub(crate) async fn send_together(&mut self, nodes: &[Node]) {
        let mut bytes = Vec::new();
        for node in nodes {
            let body = wa_binary::pack(node, &EncodeOptions::new()).unwrap();
            let mut body = BytesMut::from(body.as_slice());
            self.transport.sealer.seal(&mut body).unwrap();
            bytes.extend_from_slice(&wa_noise::frame(&body).unwrap());
        }
        self.stream.write_all(&bytes).await.unwrap();
    }
}

async fn frame(stream: &mut TcpStream, frames: &mut FrameDecoder) -> Option<BytesMut> {
    let mut buffer = [0; 4096];
    loop {
        if let Some(frame) = frames.next_frame().unwrap() {
            return Some(frame);
        }
        match stream.read(&mut buffer).await.unwrap() {
            0 => return None,
            length => frames.push(&buffer[..length]),
        }
    }
}
