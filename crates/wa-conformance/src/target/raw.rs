//! A channel that sends anything, right or wrong: nodes from XML, bodies of frames, logins of any form.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use rand::rngs::SysRng;
use rand_core::UnwrapErr;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use wa_interop::binary::{EncodeOptions, Limits, Node, decode, pack, unpack};
use wa_interop::chat::AccountKeys;
use wa_interop::noise::{
    Dialect, ExpectServerHello, FrameDecoder, MAX_FRAME, Opener, Sealer, Setup, Transport, frame,
};
use wa_interop::profile::{NoiseDialect, VersionAtLogin};

use crate::checks::patience::patience;
use crate::report::failure::{Failure, ensure};
use crate::target::environment::Environment;

/// How long the server may take for an answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// A channel whose handshake is complete.
pub(crate) struct Raw {
    stream: TcpStream,
    frames: FrameDecoder,
    sealer: Sealer,
    opener: Opener,
}

/// What a login says, member by member.
#[derive(Clone, Debug)]
pub(crate) struct Payload {
    pub(crate) account: u64,
    pub(crate) token: Option<String>,
    pub(crate) version: Option<[u64; 3]>,
    pub(crate) product: u64,
    pub(crate) username: bool,
}

impl Payload {
    /// A login of the profile's form, without a token.
    pub(crate) fn of(environment: &Environment, account: u64) -> Self {
        let (profile, version) = (environment.profile(), environment.profile().version);
        let version = [version.primary, version.secondary, version.tertiary].map(u64::from);
        let login = profile.chat.login;
        let version = (login.version == VersionAtLogin::AppVersion).then_some(version);
        Self { account, token: None, version, product: login.product.into(), username: login.username }
    }

    /// The protobuf, written by hand (observed; its use assumed).
    fn encode(&self) -> Vec<u8> {
        let mut payload = if self.username { number(1, self.account) } else { Vec::new() };
        if let Some(version) = self.version {
            let numbers: Vec<u8> = (1..).zip(version).flat_map(|(field, it)| number(field, it)).collect();
            payload.extend(bytes(5, &bytes(2, &numbers)));
        }
        payload.extend(number(20, self.product));
        let mut interop = number(1, self.account);
        if let Some(token) = &self.token {
            interop.extend(bytes(2, token.as_bytes()));
        }
        payload.extend(bytes(38, &interop));
        payload
    }
}

impl Raw {
    /// Shakes hands with these keys and logs in with this payload; the server's answer to it is not read.
    pub(crate) async fn connect(
        environment: &Environment,
        keys: &AccountKeys,
        payload: &Payload,
    ) -> Result<Self, Failure> {
        let dialect = match environment.profile().chat.dialect {
            NoiseDialect::Strict => Dialect::Strict,
            _ => Dialect::WhatsApp,
        };
        Self::connect_in(environment, keys, payload, dialect).await
    }

    /// The same, in this dialect of Noise.
    pub(crate) async fn connect_in(
        environment: &Environment,
        keys: &AccountKeys,
        payload: &Payload,
        dialect: Dialect,
    ) -> Result<Self, Failure> {
        let mut rng = UnwrapErr(SysRng);
        let prologue = Bytes::copy_from_slice(&environment.profile().chat.prologue);
        let setup = Setup { prologue: prologue.clone(), dialect, static_key: keys.noise.clone() };
        let mut stream = TcpStream::connect(&environment.sandbox.chat).await?;
        let mut frames = FrameDecoder::new(MAX_FRAME);
        let (expecting, hello) = ExpectServerHello::start(&setup, &mut rng)?;
        stream.write_all(&[&prologue[..], &frame(&hello)?].concat()).await?;
        let hello = next_frame(&mut stream, &mut frames).await?;
        let hello = hello.ok_or_else(|| Failure::new("the server closed the connection"))?;
        let now = environment.observe("clock").await?.get("now").and_then(Value::as_u64).unwrap_or_default();
        let finish = expecting.read_server_hello(hello.freeze(), &environment.root()?, now)?;
        let (Transport { sealer, opener, .. }, finish) = finish.finish(&payload.encode())?;
        stream.write_all(&frame(&finish)?).await?;
        Ok(Self { stream, frames, sealer, opener })
    }

    /// Sends a stanza in XML.
    pub(crate) async fn send(&mut self, xml: &str) -> Result<(), Failure> {
        let node: Node = xml.parse()?;
        self.send_body(&pack(&node, &EncodeOptions::new())?).await
    }

    /// Sends the body of a frame as it is: a byte of flags, and what should be a node.
    pub(crate) async fn send_body(&mut self, body: &[u8]) -> Result<(), Failure> {
        let mut sealed = BytesMut::from(body);
        self.sealer.seal(&mut sealed)?;
        Ok(self.stream.write_all(&frame(&sealed)?).await?)
    }

    /// The next stanza; nothing if the server has closed the connection.
    pub(crate) async fn read(&mut self) -> Result<Option<Node>, Failure> {
        let Some(mut body) = next_frame(&mut self.stream, &mut self.frames).await? else { return Ok(None) };
        self.opener.open(&mut body)?;
        let limits = Limits::new();
        Ok(Some(decode(&unpack(body.freeze(), &limits)?, &limits)?))
    }

    /// The next stanza with this tag.
    pub(crate) async fn expect(&mut self, tag: &str) -> Result<Node, Failure> {
        while let Some(node) = self.read().await? {
            if node.is(tag) {
                return Ok(node);
            }
        }
        Err(Failure(format!("the server closed the connection before any <{tag}>")))
    }

    /// Reads until the server closes the connection.
    pub(crate) async fn closed(&mut self) -> Result<(), Failure> {
        while self.read().await?.is_some() {}
        Ok(())
    }

    /// Sends an iq and gives the code of the error that comes back; nothing for a result.
    pub(crate) async fn ask(&mut self, xml: &str) -> Result<Option<String>, Failure> {
        self.send(xml).await?;
        let asked: Node = xml.parse()?;
        loop {
            let answer = self.expect("iq").await?;
            if answer.attr("id") == asked.attr("id") {
                ensure("the answer is a request", answer.attr_str("type") != Some("get"))?;
                return Ok(answer.child("error").and_then(|it| it.attr_str("code")).map(str::to_owned));
            }
        }
    }
}

async fn next_frame(stream: &mut TcpStream, frames: &mut FrameDecoder) -> Result<Option<BytesMut>, Failure> {
    loop {
        if let Some(body) = frames.next_frame()? {
            return Ok(Some(body));
        }
        let mut buffer = [0; 4096];
        let read = tokio::time::timeout(patience(PATIENCE), stream.read(&mut buffer)).await;
        // A connection that is reset has ended as well.
        let length = read.map_err(|_| Failure::new("no answer came"))?.unwrap_or_default();
        if length == 0 {
            return Ok(None);
        }
        frames.push(buffer.get(..length).unwrap_or_default());
    }
}

/// A field with a number, in protobuf.
fn number(field: u64, value: u64) -> Vec<u8> {
    [varint(field << 3), varint(value)].concat()
}

/// A field with bytes, in protobuf.
pub(crate) fn bytes(field: u64, value: &[u8]) -> Vec<u8> {
    [varint(field << 3 | 2), varint(value.len() as u64), value.to_vec()].concat()
}

fn varint(mut value: u64) -> Vec<u8> {
    let mut out = Vec::new();
    while value > 0x7F {
        out.push((value & 0x7F) as u8 | 0x80);
        value >>= 7;
    }
    out.push((value & 0x7F) as u8);
    out
}
