//! One chat connection: frames, handshake, transport, nodes (seed §2).

use bytes::Bytes;
use prost::Message;
use rand_core::CryptoRng;
use wa_binary::{DecodeError, EncodeOptions, InteropSuffix, Limits, Node};
use wa_keys::{PrivateKey, PublicKey};
use wa_noise::{
    CertificateAuthority, ClientIdentity, ExpectClientFinish, FrameDecoder, Hello, Setup, Transport, Validity,
};
use wa_profile::{NoiseDialect, Profile};
use wa_proto::handshake::{CertChain, CertificateDetails};

/// Longest frame that the sandbox takes from a client.
const MAX_FRAME: usize = 1 << 20;

const DAY: u64 = 24 * 60 * 60;

/// How the certificate chain of the next handshakes is spoilt, to see clients refuse it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum CertificateFault {
    /// The intermediate's signature has a flipped bit.
    IntermediateSignature,
    /// The leaf's signature has a flipped bit.
    LeafSignature,
    /// The intermediate names another issuer.
    IntermediateIssuer,
    /// The leaf names another issuer.
    LeafIssuer,
    /// The leaf certifies another key.
    LeafKey,
    /// Both are valid from tomorrow.
    NotYetValid,
    /// Both were valid until yesterday.
    Expired,
}

/// The server's end of the handshake, the same for every connection.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) setup: Setup,
    pub(crate) authority: CertificateAuthority,
}

impl Server {
    pub(crate) fn new(profile: &Profile, rng: &mut impl CryptoRng) -> Self {
        let dialect = match profile.chat.dialect {
            NoiseDialect::Strict => wa_noise::Dialect::Strict,
            _ => wa_noise::Dialect::WhatsApp,
        };
        let prologue = Bytes::copy_from_slice(&profile.chat.prologue);
        let setup = Setup { prologue, dialect, static_key: PrivateKey::generate(rng) };
        Self { setup, authority: CertificateAuthority::generate(rng) }
    }

    /// A chain for a handshake at `now`, spoilt if asked for.
    pub(crate) fn chain(
        &self,
        fault: Option<CertificateFault>,
        now: u64,
        rng: &mut impl CryptoRng,
    ) -> Vec<u8> {
        let validity = match fault {
            Some(CertificateFault::NotYetValid) => {
                Validity { not_before: now + DAY, not_after: now + 2 * DAY }
            }
            Some(CertificateFault::Expired) => Validity { not_before: now - 2 * DAY, not_after: now - DAY },
            _ => Validity { not_before: now - DAY, not_after: now + DAY },
        };
        let key = match fault {
            Some(CertificateFault::LeafKey) => PrivateKey::generate(rng).public_key(),
            _ => self.setup.static_key.public_key(),
        };
        let chain = match fault {
            Some(CertificateFault::IntermediateIssuer) => self.with_issuer(&key, validity, true, rng),
            Some(CertificateFault::LeafIssuer) => self.with_issuer(&key, validity, false, rng),
            _ => self.authority.issue(&key, validity, rng),
        };
        spoil_signature(chain, fault).encode_to_vec()
    }

    fn with_issuer(
        &self,
        key: &PublicKey,
        validity: Validity,
        intermediate: bool,
        rng: &mut impl CryptoRng,
    ) -> CertChain {
        let mut chain = self.authority.issue(key, validity, rng);
        let certificate = if intermediate { &mut chain.intermediate } else { &mut chain.leaf };
        if let Some(details) = certificate.as_mut().and_then(|certificate| certificate.details.as_mut()) {
            let mut edited = CertificateDetails::decode(details.clone()).unwrap_or_default();
            edited.issuer_serial = Some(77);
            *details = edited.encode_to_vec().into();
        }
        chain
    }
}

fn spoil_signature(mut chain: CertChain, fault: Option<CertificateFault>) -> CertChain {
    let certificate = match fault {
        Some(CertificateFault::IntermediateSignature) => &mut chain.intermediate,
        Some(CertificateFault::LeafSignature) => &mut chain.leaf,
        _ => return chain,
    };
    if let Some(signature) = certificate.as_mut().and_then(|certificate| certificate.signature.as_mut()) {
        let mut spoilt = signature.to_vec();
        if let Some(byte) = spoilt.first_mut() {
            *byte ^= 1;
        }
        *signature = spoilt.into();
    }
    chain
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
}

#[derive(Debug)]
enum Stage {
    Intro { chain: Vec<u8> },
    Hello { chain: Vec<u8> },
    Finish(Box<ExpectClientFinish>, Handshake),
    Open(Box<Transport>),
    Closed,
}

/// How a client's handshake went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Handshake {
    /// Three messages.
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
    /// A stanza.
    Stanza(Node),
    /// A frame that authenticated but is no node.
    Malformed(DecodeError),
    /// The stream is broken: close it.
    Broken(&'static str),
}

impl Connection {
    pub(crate) fn new(chain: Vec<u8>) -> Self {
        Self { frames: FrameDecoder::new(MAX_FRAME), stage: Stage::Intro { chain }, resumed: None }
    }

    /// Takes bytes and says what they amount to, in order.
    pub(crate) fn handle_bytes(
        &mut self,
        server: &Server,
        bytes: &[u8],
        rng: &mut impl CryptoRng,
    ) -> Vec<Incoming> {
        self.frames.push(bytes);
        let mut incoming = Vec::new();
        while let Some(next) = self.next(server, rng).unwrap_or_else(|reason| {
            self.stage = Stage::Closed;
            Some(Incoming::Broken(reason))
        }) {
            incoming.push(next);
        }
        incoming
    }

    fn next(&mut self, server: &Server, rng: &mut impl CryptoRng) -> Result<Option<Incoming>, &'static str> {
        if let Stage::Intro { chain } = &mut self.stage {
            let intro = self.frames.next_intro(&server.setup.prologue).map_err(|_| "prologue")?;
            if intro.is_none() {
                return Ok(None);
            }
            self.stage = Stage::Hello { chain: std::mem::take(chain) };
        }
        if let Some(client) = self.resumed.take() {
            return Ok(Some(Incoming::Login(client, Handshake::Resumed)));
        }
        if matches!(self.stage, Stage::Closed) {
            return Ok(None);
        }
        let Some(mut frame) = self.frames.next_frame().map_err(|_| "frame")? else { return Ok(None) };
        if let Stage::Open(transport) = &mut self.stage {
            transport.opener.open(&mut frame).map_err(|_| "transport")?;
            let node = wa_binary::unpack(frame.freeze(), &Limits::new()).map_err(|_| "flag byte")?;
            return Ok(Some(match wa_binary::decode(&node, &Limits::new()) {
                Ok(node) => Incoming::Stanza(node),
                Err(error) => Incoming::Malformed(error),
            }));
        }
        let (stage, incoming) = match std::mem::replace(&mut self.stage, Stage::Closed) {
            Stage::Hello { chain } => return self.greet(server, &chain, frame.freeze(), rng).map(Some),
            Stage::Finish(finish, handshake) => {
                let finished = finish.read_client_finish(frame.freeze()).map_err(|_| "client finish")?;
                (Stage::Open(Box::new(finished.0)), Incoming::Login(finished.1, handshake))
            }
            Stage::Intro { .. } | Stage::Open(_) | Stage::Closed => return Ok(None),
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
    ) -> Result<Incoming, &'static str> {
        const FAULT: &str = "client hello";
        let tries_resumption = wa_noise::is_resumption(&message);
        let reply = match Hello::read(&server.setup, message, rng).map_err(|_| FAULT)? {
            Hello::Full(hello) => {
                let handshake = if tries_resumption { Handshake::Fallback } else { Handshake::Full };
                let (finish, reply) = hello.send(chain).map_err(|_| FAULT)?;
                self.stage = Stage::Finish(Box::new(finish), handshake);
                reply
            }
            Hello::Resume(resume) => {
                let (transport, client, reply) = resume.accept(b"").map_err(|_| FAULT)?;
                self.stage = Stage::Open(Box::new(transport));
                self.resumed = Some(client);
                reply
            }
        };
        Ok(Incoming::Reply(wa_noise::frame(&reply).map_err(|_| FAULT)?))
    }

    /// The bytes that carry a stanza to the client; none once the connection is closed.
    pub(crate) fn seal(&mut self, node: &Node, options: &EncodeOptions) -> Option<Bytes> {
        let Stage::Open(transport) = &mut self.stage else { return None };
        let mut body = bytes::BytesMut::from(wa_binary::pack(node, options).ok()?.as_slice());
        transport.sealer.seal(&mut body).ok()?;
        wa_noise::frame(&body).ok()
    }

    pub(crate) fn close(&mut self) {
        self.stage = Stage::Closed;
    }
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
}
