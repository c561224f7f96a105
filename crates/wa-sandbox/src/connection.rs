//! One chat connection: frames, handshake, transport, nodes (overview §2).

use bytes::{Bytes, BytesMut};
use rand_core::CryptoRng;
use wa_binary::{EncodeOptions, InteropSuffix, Limits, Node, UnpackError};
use wa_keys::PrivateKey;
use wa_noise::{
    ClientIdentity, ExpectClientFinish, FrameDecoder, FrameError, Hello, MAX_FRAME, Setup, Transport,
};
use wa_profile::{NoiseDialect, Profile};

use crate::certificates::Authority;
use crate::rules::Clause;
use crate::rules::book::{
    FINISH, FLAGS, FRAME_LENGTH, FRAME_SEAL, HANDSHAKE_LENGTH, HELLO, INFLATED, NODE, PROLOGUE, ZLIB,
};

/// Longest frame before the login: a hello, a payload.
const MAX_EARLY_FRAME: usize = 0xFFFF;

/// The shortest sealed frame: a flag byte and the tag.
const MIN_SEALED: usize = 17;

/// The server's end of the handshake, the same for every connection.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) setup: Setup,
    pub(crate) authority: Authority,
}

impl Server {
    pub(crate) fn new(profile: &Profile, rng: &mut impl CryptoRng) -> Self {
        let dialect = match profile.chat.dialect {
            NoiseDialect::Strict => wa_noise::Dialect::Strict,
            _ => wa_noise::Dialect::WhatsApp,
        };
        let prologue = Bytes::copy_from_slice(&profile.chat.prologue);
        let setup = Setup { prologue, dialect, static_key: PrivateKey::generate(rng) };
        Self { setup, authority: Authority::generate(rng) }
    }
}

/// How WhatsApp writes stanzas; whether it ends interop addresses in their server's name is the profile's.
pub(crate) fn encode_options(profile: &Profile) -> EncodeOptions {
    let suffix =
        if profile.interop_suffix.server_writes { InteropSuffix::Write } else { InteropSuffix::Omit };
    EncodeOptions::new().with_interop_suffix(suffix).with_compress_above(1024)
}

/// One client's connection.
#[derive(Debug)]
pub(crate) struct Connection {
    frames: FrameDecoder,
    stage: Stage,
    /// A resumed login that is still to be told of.
    resumed: Option<ClientIdentity>,
    /// What the client said before the prologue.
    pub(crate) routing_info: Option<Bytes>,
}

#[derive(Debug)]
enum Stage {
    Intro {
        chain: Vec<u8>,
    },
    Hello {
        chain: Vec<u8>,
    },
    Finish(Box<ExpectClientFinish>, Handshake),
    Open(Box<Transport>),
    /// Nothing is read any more; what was to be said before is still sealed.
    Closing(Box<Transport>),
    Closed,
}

/// How a client's handshake went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Handshake {
    /// It took three messages.
    Full,
    /// Two messages; the first may be a replay, so it changes nothing until a transport message has come.
    Resumed,
    /// Resumption was tried with a key that is not ours any more.
    Fallback,
}

/// What a client's bytes amount to.
#[derive(Debug)]
pub(crate) enum Incoming {
    /// Bytes to send back: the server's hello.
    Reply(Bytes),
    /// The handshake is complete; the payload is still to be judged.
    Login(ClientIdentity, Handshake),
    /// A stanza, and the bytes that it was read from.
    Stanza(Node, OnWire),
    /// A frame that authenticated but is no node.
    Malformed(Breach),
    /// The stream is broken: close it.
    Broken(Breach),
}

impl Incoming {
    /// Whether it means the same where phones have not opened the messages before it yet. A request for a message again
    /// changes the session, and most of the rest ends something.
    pub(crate) fn may_overtake(&self) -> bool {
        let Self::Stanza(node, _) = self else { return false };
        match node.tag() {
            "message" | "ack" => true,
            "receipt" => node.child("retry").is_none(),
            _ => false,
        }
    }
}

/// A stanza's bytes.
#[derive(Clone, Debug)]
pub(crate) struct OnWire {
    /// The node, behind the flag byte and inflated; perhaps a piece of what was read.
    pub(crate) node: Bytes,
    /// Bytes of the frame's body before it was sealed.
    pub(crate) size: usize,
}

/// A stanza for the client, to be sealed in its turn.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Packed {
    /// The flag byte and the node, perhaps deflated.
    body: Bytes,
    /// Whether a bit is lost on the way.
    is_corrupt: bool,
}

/// Which rule the bytes broke, and how.
#[derive(Debug)]
pub(crate) struct Breach {
    pub(crate) clause: &'static Clause,
    pub(crate) what: String,
}

impl Breach {
    pub(crate) fn new(clause: &'static Clause, what: impl ToString) -> Self {
        Self { clause, what: what.to_string() }
    }
}

impl Connection {
    pub(crate) fn new(chain: Vec<u8>) -> Self {
        Self {
            frames: FrameDecoder::new(MAX_EARLY_FRAME),
            stage: Stage::Intro { chain },
            resumed: None,
            routing_info: None,
        }
    }

    /// Takes bytes and says what they amount to, in order.
    pub(crate) fn handle_bytes(
        &mut self,
        server: &Server,
        bytes: &[u8],
        rng: &mut impl CryptoRng,
    ) -> Vec<Incoming> {
        self.frames.push(bytes);
        self.all(|connection| connection.next(server, rng))
    }

    /// The same once the handshake is over, which nothing of the world is needed for; none before.
    pub(crate) fn handle_sealed(&mut self, bytes: &[u8]) -> Option<Vec<Incoming>> {
        if !self.is_open() || self.resumed.is_some() {
            return None;
        }
        self.frames.push(bytes);
        Some(self.all(Self::next_sealed))
    }

    fn all(&mut self, mut next: impl FnMut(&mut Self) -> Result<Option<Incoming>, Breach>) -> Vec<Incoming> {
        let mut incoming = Vec::new();
        while let Some(next) = next(self).unwrap_or_else(|breach| {
            self.close();
            Some(Incoming::Broken(breach))
        }) {
            incoming.push(next);
        }
        incoming
    }

    /// The login stands: long frames may come.
    pub(crate) fn admit(&mut self) {
        self.frames.set_cap(MAX_FRAME);
    }

    /// Whether the handshake is over.
    pub(crate) fn is_open(&self) -> bool {
        matches!(self.stage, Stage::Open(_))
    }

    fn next_sealed(&mut self) -> Result<Option<Incoming>, Breach> {
        let Stage::Open(transport) = &mut self.stage else { return Ok(None) };
        let frame = self.frames.next_frame().map_err(too_long)?;
        frame.map(|frame| opened(transport, frame)).transpose()
    }

    fn next(&mut self, server: &Server, rng: &mut impl CryptoRng) -> Result<Option<Incoming>, Breach> {
        if let Stage::Intro { chain } = &mut self.stage {
            let intro = self.frames.next_intro(&server.setup.prologue);
            let Some(intro) = intro.map_err(|error| Breach::new(&PROLOGUE, error))? else { return Ok(None) };
            self.routing_info = intro.routing_info;
            self.stage = Stage::Hello { chain: std::mem::take(chain) };
        }
        if let Some(client) = self.resumed.take() {
            return Ok(Some(Incoming::Login(client, Handshake::Resumed)));
        }
        if matches!(self.stage, Stage::Open(_) | Stage::Closing(_) | Stage::Closed) {
            return self.next_sealed();
        }
        let Some(frame) = self.frames.next_frame().map_err(too_long)? else { return Ok(None) };
        let (stage, incoming) = match std::mem::replace(&mut self.stage, Stage::Closed) {
            Stage::Hello { chain } => return self.greet(server, &chain, frame.freeze(), rng).map(Some),
            Stage::Finish(finish, handshake) => {
                let finished = finish.read_client_finish(frame.freeze());
                let finished = finished.map_err(|error| Breach::new(&FINISH, error))?;
                (Stage::Open(Box::new(finished.0)), Incoming::Login(finished.1, handshake))
            }
            Stage::Intro { .. } | Stage::Open(_) | Stage::Closing(_) | Stage::Closed => return Ok(None),
        };
        self.stage = stage;
        Ok(Some(incoming))
    }

    /// Answers the client's first message. A resumed login is told of behind the answer that it needs.
    fn greet(
        &mut self,
        server: &Server,
        chain: &[u8],
        message: Bytes,
        rng: &mut impl CryptoRng,
    ) -> Result<Incoming, Breach> {
        let refused = |error: &dyn ToString| Breach::new(&HELLO, error.to_string());
        let tries_resumption = wa_noise::is_resumption(&message);
        let reply = match Hello::read(&server.setup, message, rng).map_err(|error| refused(&error))? {
            Hello::Full(hello) => {
                let handshake = if tries_resumption { Handshake::Fallback } else { Handshake::Full };
                let (finish, reply) = hello.send(chain).map_err(|error| refused(&error))?;
                self.stage = Stage::Finish(Box::new(finish), handshake);
                reply
            }
            Hello::Resume(resume) => {
                let (transport, client, reply) = resume.accept(b"").map_err(|error| refused(&error))?;
                self.stage = Stage::Open(Box::new(transport));
                self.resumed = Some(client);
                reply
            }
        };
        Ok(Incoming::Reply(wa_noise::frame(&reply).map_err(|error| refused(&error))?))
    }

    /// Appends the frame that carries a stanza to the client; nothing before the handshake is over.
    pub(crate) fn seal(&mut self, packed: &Packed, frames: &mut BytesMut) {
        let (Stage::Open(transport) | Stage::Closing(transport)) = &mut self.stage else { return };
        let Ok(header) = wa_noise::frame_header(packed.body.len() + wa_noise::TAG) else { return };
        let start = frames.len();
        frames.reserve(header.len() + packed.body.len() + wa_noise::TAG);
        frames.extend_from_slice(&header);
        frames.extend_from_slice(&packed.body);
        let body = frames.get_mut(start + header.len()..).unwrap_or_default();
        match transport.sealer.seal_detached(body) {
            Ok(tag) => frames.extend_from_slice(&tag),
            Err(_) => return frames.truncate(start),
        }
        if let Some(last) = frames.last_mut().filter(|_| packed.is_corrupt) {
            *last ^= 1;
        }
    }

    /// Nothing more is read.
    pub(crate) fn close(&mut self) {
        self.stage = match std::mem::replace(&mut self.stage, Stage::Closed) {
            Stage::Open(transport) => Stage::Closing(transport),
            stage @ Stage::Closing(_) => stage,
            _ => Stage::Closed,
        };
    }
}

impl Packed {
    /// A stanza as it will go over the wire, and its bytes; none if it cannot be written, or is too long for a frame.
    pub(crate) fn new(node: &Node, options: &EncodeOptions, is_corrupt: bool) -> Option<(Self, OnWire)> {
        let body = Bytes::from(wa_binary::pack(node, options).ok()?);
        wa_noise::frame_header(body.len() + wa_noise::TAG).ok()?;
        let size = body.len();
        let node = wa_binary::unpack(body.clone(), &Limits::new()).ok()?;
        Some((Self { body, is_corrupt }, OnWire { node, size }))
    }
}

fn too_long(error: FrameError) -> Breach {
    let is_early =
        matches!(error, FrameError::TooLong { cap, .. } if cap < MAX_FRAME) || error == FrameError::GoAway;
    Breach::new(if is_early { &HANDSHAKE_LENGTH } else { &FRAME_LENGTH }, error)
}

/// What is in a sealed frame.
fn opened(transport: &mut Transport, mut frame: BytesMut) -> Result<Incoming, Breach> {
    if frame.len() < MIN_SEALED {
        return Err(Breach::new(&FRAME_LENGTH, format!("a sealed frame of {} bytes", frame.len())));
    }
    transport.opener.open(&mut frame).map_err(|error| Breach::new(&FRAME_SEAL, error))?;
    let size = frame.len();
    let node = match wa_binary::unpack(frame.freeze(), &Limits::new()) {
        Ok(node) => node,
        Err(error) => {
            let clause = match error {
                UnpackError::UnknownFlags(_) | UnpackError::Empty => &FLAGS,
                UnpackError::TooLong => &INFLATED,
                _ => &ZLIB,
            };
            return Ok(Incoming::Malformed(Breach::new(clause, error)));
        }
    };
    Ok(match wa_binary::decode(&node, &Limits::new()) {
        Ok(stanza) => Incoming::Stanza(stanza, OnWire { node, size }),
        Err(error) => Incoming::Malformed(Breach::new(&NODE, error)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_profile_says_who_writes_the_suffix() {
        let to = wa_binary::Jid::interop(7, 25).expect("a login");
        let node = Node::new("message").with_attr("to", &to);
        let mut profile = Profile::overview();
        let written = wa_binary::pack(&node, &encode_options(&profile)).expect("packs");
        profile.interop_suffix.server_writes = false;
        let omitted = wa_binary::pack(&node, &encode_options(&profile)).expect("packs");
        assert!(written.len() > omitted.len(), "{} {}", written.len(), omitted.len());
    }

    #[test]
    fn what_no_frame_can_carry_is_not_sent_and_not_written_down() {
        let packed = |length: usize| {
            let node = Node::new("message").with_bytes(vec![0; length]);
            Packed::new(&node, &EncodeOptions::new(), false)
        };
        let around = packed(1 << 12).expect("packs").1.size - (1 << 12);
        // Its length takes four bytes then, in place of three.
        let most = MAX_FRAME - wa_noise::TAG - around - 1;
        assert!(packed(most).is_some() && packed(most + 1).is_none());
    }
}
