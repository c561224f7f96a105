//! A client that writes as fast as it is answered: raw stanzas, one session with one phone.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::{Bytes, BytesMut};
use prost::Message as _;
use rand::SeedableRng;
use rand::rngs::StdRng;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use wa_binary::{EncodeOptions, Jid, Limits, Node};
use wa_keys::{PrivateKey, PublicKey, Signature};
use wa_noise::{Dialect, ExpectServerHello, FrameDecoder, MAX_FRAME, Setup, Transport, TrustRoot};
use wa_proto::handshake::{AppVersion, ClientPayload, InteropData, UserAgent};
use wa_sandbox::{Clock, ask};
use wa_signal::{Bundle, Kind, LocalIdentity, SessionRecord, SignalMessage, SignedPrekey, Trust};

use crate::Failure;
use crate::process::Process;

/// Messages that wait for their ack and receipt.
const WINDOW: usize = 16;

/// A connected client.
pub struct LoadClient {
    stream: TcpStream,
    transport: Transport,
    frames: FrameDecoder,
    rng: StdRng,
    local: LocalIdentity,
    session: SessionRecord,
    phone: Jid,
    next: u64,
}

impl LoadClient {
    /// Enlists a user whose tokens `issuer`, a demonstration integrator, gives, and connects.
    ///
    /// # Errors
    /// Whatever is refused.
    pub async fn connect(sandbox: &Process, issuer: &str, number: u64, phone: &str) -> Result<Self, Failure> {
        let mut rng = StdRng::seed_from_u64(number);
        let name = format!("user-{number}");
        let url = format!("{issuer}/token");
        let (_, answer) = ask("POST", &url, None, Some(json!({ "user": name }).to_string())).await?;
        let token: Value = serde_json::from_str(&answer)?;
        let token = token.get("token").and_then(Value::as_str).ok_or("no token")?.to_owned();
        let (noise, identity) = (PrivateKey::generate(&mut rng), PrivateKey::generate(&mut rng));
        let form = form(&noise, &identity, &name, &token, &mut rng);
        let (_, answer) = ask("POST", sandbox.address("enlist"), None, Some(form)).await?;
        let login: Value = serde_json::from_str(&answer)?;
        let login = login.get("login").and_then(Value::as_str).ok_or(answer)?;
        let account = login.split(['-', '@']).nth(1).ok_or("no login")?.parse()?;
        let (stream, transport, frames) = channel(sandbox, noise, account, &token, &mut rng).await?;
        let local = LocalIdentity { key: identity, registration_id: 9 };
        let phone = Jid::phone(phone)?;
        let session = SessionRecord::default();
        let mut client = Self { stream, transport, frames, rng, local, session, phone, next: 0 };
        while !client.read().await?.is("success") {}
        let batch = Node::new("ib").with_child(Node::new("offline_batch").with_attr("count", "100"));
        let frame = client.sealed(&batch)?;
        client.stream.write_all(&frame).await?;
        Ok(client)
    }

    /// Writes so many messages and waits for the ack and the receipt of each; acks the receipts.
    ///
    /// # Errors
    /// The connection ends, or a message is refused.
    pub async fn write(&mut self, count: usize) -> Result<(), Failure> {
        if !self.session.can_encrypt(Clock::default().now()) {
            self.begin().await?;
        }
        let (mut sent, mut acked, mut received) = (0, 0, 0);
        let mut out = Vec::new();
        while received < count || acked < count {
            while sent < count && sent < received.min(acked) + WINDOW {
                let message = self.message()?;
                out.extend_from_slice(&self.sealed(&message)?);
                sent += 1;
            }
            self.stream.write_all(&out).await?;
            out.clear();
            // All that has come is handled before anything more is written.
            let mut next = Some(self.read().await?);
            while let Some(node) = next {
                match node.tag() {
                    "ack" if node.attr("error").is_some() => return Err(node.to_string().into()),
                    "ack" => acked += 1,
                    "receipt" | "message" | "notification" => {
                        received += usize::from(node.is("receipt") && node.attr("type").is_none());
                        self.open(&node);
                        out.extend_from_slice(&self.acked(&node)?);
                    }
                    _ => {}
                }
                next = self.frames.next_frame()?.map(|frame| self.opened(frame)).transpose()?;
            }
        }
        self.stream.write_all(&out).await?;
        Ok(())
    }

    /// What the phone answers turns the ratchet: from then on no keys of a session come with a message.
    fn open(&mut self, node: &Node) -> Option<()> {
        let enc = node.child("enc").filter(|enc| enc.attr_str("type") == Some("msg"))?;
        let message = SignalMessage::decode(Bytes::copy_from_slice(enc.bytes()?)).ok()?;
        self.session.decrypt(&message, &Trust::Any).ok().map(drop)
    }

    fn acked(&mut self, node: &Node) -> Result<Bytes, Failure> {
        let ack = Node::new("ack").with_attr("class", node.tag());
        let ack = ack.with_attr("id", node.attr_str("id").unwrap_or_default());
        self.sealed(&ack.with_attr("to", node.attr("from").cloned().ok_or("no from")?))
    }

    /// Fetches the phone's keys.
    async fn begin(&mut self) -> Result<(), Failure> {
        let user = Node::new("user").with_attr("jid", &self.phone);
        let iq =
            Node::new("iq").with_attr("id", "keys").with_attr("type", "get").with_attr("xmlns", "encrypt");
        let iq = iq.with_attr("to", Jid::whatsapp()).with_child(Node::new("key").with_child(user));
        let frame = self.sealed(&iq)?;
        self.stream.write_all(&frame).await?;
        let answer = loop {
            let node = self.read().await?;
            if node.is("iq") && node.attr_str("id") == Some("keys") {
                break node;
            }
        };
        let user = answer.child("list").and_then(|list| list.child("user")).ok_or("no keys")?;
        let bundle = bundle(user).ok_or("no bundle")?;
        self.session.establish(
            &self.local.key,
            &bundle,
            &Trust::Any,
            Clock::default().now(),
            &mut self.rng,
        )?;
        Ok(())
    }

    fn message(&mut self) -> Result<Node, Failure> {
        self.next += 1;
        // A text of 11 bytes as a protobuf, and its padding.
        let plain = b"\x0A\x0Bhello there\x03\x03\x03";
        let now = Clock::default().now();
        let sealed = self.session.encrypt(&self.local, plain, now, &mut self.rng)?;
        let kind = if sealed.kind == Kind::PreKey { "pkmsg" } else { "msg" };
        let enc = Node::new("enc").with_attr("v", "2").with_attr("type", kind).with_bytes(sealed.bytes);
        let message = Node::new("message").with_attr("to", &self.phone);
        Ok(message.with_attr("id", format!("{:016X}", self.next)).with_attr("type", "text").with_child(enc))
    }

    fn sealed(&mut self, node: &Node) -> Result<Bytes, Failure> {
        let mut body = BytesMut::from(wa_binary::pack(node, &EncodeOptions::new())?.as_slice());
        self.transport.sealer.seal(&mut body)?;
        Ok(wa_noise::frame(&body)?)
    }

    async fn read(&mut self) -> Result<Node, Failure> {
        let frame = frame(&mut self.stream, &mut self.frames).await?;
        self.opened(frame)
    }

    fn opened(&mut self, mut frame: BytesMut) -> Result<Node, Failure> {
        self.transport.opener.open(&mut frame)?;
        let node = wa_binary::unpack(frame.freeze(), &Limits::new())?;
        Ok(wa_binary::decode(&node, &Limits::new())?)
    }
}

fn form(noise: &PrivateKey, identity: &PrivateKey, name: &str, token: &str, rng: &mut StdRng) -> String {
    let signed = SignedPrekey::sign(1, &PrivateKey::generate(rng), identity, rng);
    let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    let pairs = [
        ("authkey", encode(noise.public_key().as_bytes())),
        ("e_keytype", encode(&[5])),
        ("e_regid", encode(&[0, 0, 0, 9])),
        ("e_ident", encode(identity.public_key().as_bytes())),
        ("e_skey_id", encode(&[0, 0, 1])),
        ("e_skey_val", encode(signed.key.as_bytes())),
        ("e_skey_sig", encode(signed.signature.as_bytes())),
        ("integrator_id", "1".to_owned()),
        ("interop_version", "1.0.3".to_owned()),
        ("user_identifier", name.to_owned()),
        ("token", token.to_owned()),
    ];
    form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
}

async fn channel(
    sandbox: &Process,
    noise: PrivateKey,
    account: u64,
    token: &str,
    rng: &mut StdRng,
) -> Result<(TcpStream, Transport, FrameDecoder), Failure> {
    let prologue = Bytes::from_static(b"WA\x06\x03");
    let setup = Setup { prologue, dialect: Dialect::WhatsApp, static_key: noise };
    let token = Some(Bytes::copy_from_slice(token.as_bytes()));
    let interop = InteropData { account_id: Some(account), token, enable_read_receipts: None };
    let version = AppVersion { primary: Some(1), secondary: Some(0), tertiary: Some(3) };
    let payload = ClientPayload {
        product: Some(2),
        interop_data: Some(interop),
        user_agent: Some(UserAgent { app_version: Some(version) }),
        ..ClientPayload::default()
    };
    let mut stream = TcpStream::connect(sandbox.address("chat")).await?;
    stream.set_nodelay(true)?;
    let (hello, first) = ExpectServerHello::start(&setup, rng)?;
    stream.write_all(&[b"WA\x06\x03", &*wa_noise::frame(&first)?].concat()).await?;
    let mut frames = FrameDecoder::new(MAX_FRAME);
    let answer = frame(&mut stream, &mut frames).await?.freeze();
    let root = PublicKey::from_slice(&hex::decode(sandbox.address("noise_root"))?)?;
    let verified = hello.read_server_hello(answer, &TrustRoot::new(root), Clock::default().now())?;
    let (transport, last) = verified.finish(&payload.encode_to_vec())?;
    stream.write_all(&wa_noise::frame(&last)?).await?;
    Ok((stream, transport, frames))
}

async fn frame(stream: &mut TcpStream, frames: &mut FrameDecoder) -> Result<BytesMut, Failure> {
    loop {
        if let Some(frame) = frames.next_frame()? {
            return Ok(frame);
        }
        let mut buffer = [0; 16_384];
        match stream.read(&mut buffer).await? {
            0 => return Err("the sandbox has closed the connection".into()),
            length => frames.push(&buffer[..length]),
        }
    }
}

fn bundle(user: &Node) -> Option<Bundle> {
    let key = |node: &Node| {
        let id = node.child("id")?.bytes()?.iter().fold(0, |id: u32, byte| id << 8 | u32::from(*byte));
        Some((id, PublicKey::from_slice(node.child("value")?.bytes()?).ok()?))
    };
    let skey = user.child("skey")?;
    let (id, public) = key(skey)?;
    let signature = Signature::from_slice(skey.child("signature")?.bytes()?).ok()?;
    Some(Bundle {
        registration_id: u32::from_be_bytes(user.child("registration")?.bytes()?.try_into().ok()?),
        identity: PublicKey::from_slice(user.child("identity")?.bytes()?).ok()?,
        signed_prekey: SignedPrekey { id, key: public, signature },
        one_time_prekey: user.child("key").and_then(key),
    })
}
