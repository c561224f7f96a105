//! The channel: frames, handshake, login, keepalive, stream errors (seed §2). No store, no Signal key.
//!
//! A channel lives as long as one connection. A gateway may run channels alone and relay their stanzas, since it
//! cannot decrypt them.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use rand_core::CryptoRng;
use wa_binary::{DecodeError, Limits, Node};
use wa_keys::PrivateKey;
use wa_noise::{
    Dialect, FrameDecoder, Intro, KnownServer, MAX_FRAME, MAX_MESSAGES, Setup, Transport, TrustRoot,
};
use wa_profile::{NoiseDialect, Profile};
use wa_stanza::{Ack, Iq, IqError, IqKind, Stanza, StanzaError};

use crate::channel::handshake::Hello;
use crate::channel::keepalive::Keepalive;
use crate::{DisconnectReason, EncodedStanza, Now};

mod handshake;
mod keepalive;
mod login;

pub use self::handshake::Known;
pub use self::login::Login;

/// Seconds in which so many malformed stanzas close the channel.
const MALFORMED_WINDOW: u64 = 60;
const MAX_MALFORMED: usize = 5;

/// Bytes of the longest frame before the login stands: handshakes and answers to logins are short.
const MAX_BEFORE_LOGIN: usize = 64 * 1024;

/// Stanzas that wait for a slow connection before [`Channel::wants_stanzas`] says no.
const MAX_QUEUED: usize = 64;

/// Bytes that sealing adds: the tag of AES-GCM.
const TAG: usize = 16;

/// One connection to chatd.
#[derive(Debug)]
pub struct Channel {
    state: State,
    frames: FrameDecoder,
    root: TrustRoot,
    profile: Arc<Profile>,
    keepalive: Keepalive,
    message_limit: u64,
    is_proved: bool,
    /// The server's date at the login, in Unix seconds.
    server_time: Option<u64>,
    /// Unix seconds of recent malformed stanzas.
    malformed: VecDeque<u64>,
    transmits: VecDeque<Transmit>,
    events: VecDeque<ChannelEvent>,
}

#[derive(Debug)]
enum State {
    Hello(Box<Hello>),
    Login(Box<Transport>),
    Open(Box<Transport>),
    /// A handshake step failed; the reason is about to close the channel.
    Failed,
    Closed,
}

/// What waits to be sent. Stanzas are sealed when they are taken, so that the order of counters is that of the wire.
#[derive(Debug)]
enum Transmit {
    Raw(Bytes),
    Stanza(EncodedStanza),
}

/// What a channel has to tell.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ChannelEvent {
    /// The server was proved; keep this to resume with.
    Server(KnownServer),
    /// The login stands.
    Open,
    /// A stanza for whoever uses the channel. Pings were answered already.
    Stanza(Box<Stanza>),
    /// An authentic frame that is no stanza, or one with a part missing; it was refused where that was possible.
    Malformed(Malformed),
    /// The channel has ended; nothing comes after this.
    Closed(DisconnectReason),
}

/// What was wrong with an authentic frame. The server's fault.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Malformed {
    /// It is no node.
    #[error(transparent)]
    Node(#[from] DecodeError),
    /// It is a known stanza with something wrong.
    #[error(transparent)]
    Stanza(#[from] StanzaError),
}

impl Channel {
    /// Begins: the first bytes to send are there at once. The key is the one whose public half was enlisted.
    ///
    /// With a server whose proof still holds, the login goes out in the first message and the handshake takes
    /// one round trip; should the server have another key by now, it proves that one and the channel goes on.
    pub fn connect(
        key: PrivateKey,
        login: Login,
        root: TrustRoot,
        known: Option<&Known>,
        profile: impl Into<Arc<Profile>>,
        now: Now,
        rng: &mut impl CryptoRng,
    ) -> Self {
        let profile = profile.into();
        let dialect = match profile.chat.dialect {
            NoiseDialect::Strict => Dialect::Strict,
            _ => Dialect::WhatsApp,
        };
        let prologue = Bytes::copy_from_slice(&profile.chat.prologue);
        let setup = Setup { prologue, dialect, static_key: key };
        let mut channel = Self {
            state: State::Closed,
            frames: FrameDecoder::new(MAX_BEFORE_LOGIN),
            root,
            profile,
            keepalive: Keepalive::handshake(now),
            message_limit: MAX_MESSAGES,
            is_proved: false,
            server_time: None,
            malformed: VecDeque::new(),
            transmits: VecDeque::new(),
            events: VecDeque::new(),
        };
        let server = known.map(|known| &known.server).filter(|server| server.is_valid(now.unix));
        let intro = Intro { routing_info: known.and_then(|known| known.routing_info.clone()) };
        if let Err(reason) = channel.start(&setup, &intro, (login, server), rng) {
            channel.close(reason);
        }
        channel
    }

    /// Carries at most so many messages in each direction before the channel must be made anew.
    #[must_use]
    pub fn with_message_limit(mut self, messages: u64) -> Self {
        self.message_limit = messages;
        self
    }

    /// Bytes have arrived.
    pub fn handle_bytes(&mut self, now: Now, bytes: &[u8], rng: &mut impl CryptoRng) {
        self.frames.push(bytes);
        while !self.is_closed() {
            match self.frames.next_frame() {
                Ok(Some(frame)) => {
                    if let Err(reason) = self.handle_frame(now, frame, rng) {
                        self.close(reason);
                    }
                }
                Ok(None) => return,
                Err(error) => self.close(error.into()),
            }
        }
    }

    /// The time that [`poll_timeout`](Self::poll_timeout) named has come (or any other: it is checked).
    pub fn handle_timeout(&mut self, now: Now) {
        if self.is_closed() {
            return;
        }
        match self.keepalive.handle_timeout(now, &self.profile.chat.ping) {
            Ok(None) => {}
            Ok(Some(ping)) => self.send(ping.into()),
            Err(reason) => self.close(reason),
        }
    }

    /// The connection is gone.
    pub fn handle_lost(&mut self) {
        self.close(DisconnectReason::Lost);
    }

    /// Queues a stanza. After the end it is dropped; one that cannot be encoded ends the channel.
    pub fn send(&mut self, stanza: Stanza) {
        match EncodedStanza::new(stanza, &self.profile) {
            Ok(stanza) => self.send_encoded(stanza),
            Err(_) => self.close(DisconnectReason::Closed),
        }
    }

    /// Queues a stanza that was encoded before. After the end it is dropped.
    pub fn send_encoded(&mut self, stanza: EncodedStanza) {
        if !self.is_closed() {
            self.transmits.push_back(Transmit::Stanza(stanza));
        }
    }

    /// Ends the channel.
    pub fn close(&mut self, reason: DisconnectReason) {
        if !self.is_closed() {
            self.state = State::Closed;
            self.events.push_back(ChannelEvent::Closed(reason));
        }
    }

    /// The next bytes to send, sealed now.
    #[must_use]
    pub fn poll_transmit(&mut self) -> Option<Bytes> {
        match self.transmits.pop_front()? {
            Transmit::Raw(bytes) => Some(bytes),
            Transmit::Stanza(stanza) => match self.seal(&stanza) {
                Ok(bytes) => Some(bytes),
                Err(reason) => {
                    self.close(reason);
                    None
                }
            },
        }
    }

    /// The next thing to know.
    #[must_use]
    pub fn poll_event(&mut self) -> Option<ChannelEvent> {
        self.events.pop_front()
    }

    /// When [`handle_timeout`](Self::handle_timeout) is due, by [`Now::tick`].
    #[must_use]
    pub fn poll_timeout(&self) -> Option<std::time::Duration> {
        (!self.is_closed()).then(|| self.keepalive.due())
    }

    /// Whether more stanzas may be queued; otherwise the connection is slower than its user.
    pub fn wants_stanzas(&self) -> bool {
        self.transmits.len() < MAX_QUEUED
    }

    /// Whether the server has proved who it is. If not, what was known of it may be why.
    pub fn is_proved(&self) -> bool {
        self.is_proved
    }

    /// Whether the channel has ended.
    pub fn is_closed(&self) -> bool {
        matches!(self.state, State::Closed)
    }

    fn handle_frame(
        &mut self,
        now: Now,
        mut frame: BytesMut,
        rng: &mut impl CryptoRng,
    ) -> Result<(), DisconnectReason> {
        match &mut self.state {
            State::Open(transport) | State::Login(transport) => {
                transport.opener.open(&mut frame)?;
                self.keepalive.heard(now, &self.profile.chat.ping, rng);
                let node = wa_binary::unpack(frame.freeze(), &Limits::new())?;
                match wa_binary::decode(&node, &Limits::new()) {
                    Ok(node) => self.handle_node(now, node),
                    Err(error) => self.malformed(now, error.into()),
                }
            }
            State::Hello(_) => self.handle_hello(now, frame.freeze()),
            State::Failed | State::Closed => Ok(()),
        }
    }

    fn handle_node(&mut self, now: Now, node: Node) -> Result<(), DisconnectReason> {
        match Stanza::try_from(node) {
            Ok(stanza) => self.handle_stanza(now, stanza),
            Err(malformed) => {
                // 488: the negative ack for a stanza that could not be read. Nobody is answered before the login.
                let is_open = matches!(self.state, State::Open(_));
                if let Some(refusal) = Ack::refusing(&malformed.node, 488).filter(|_| is_open) {
                    self.send(refusal.into());
                }
                self.malformed(now, malformed.error.into())
            }
        }
    }

    fn handle_stanza(&mut self, now: Now, stanza: Stanza) -> Result<(), DisconnectReason> {
        match stanza {
            Stanza::Success(success) => self.handle_success(success.t),
            Stanza::Failure(failure) => {
                return Err(DisconnectReason::refused(&failure, &self.profile.chat.failures));
            }
            Stanza::StreamError(error) => return Err(DisconnectReason::stream_error(&error)),
            Stanza::StreamEnd => return Err(DisconnectReason::StreamError(None)),
            stanza if matches!(self.state, State::Open(_)) => self.handle_open(stanza),
            // Before the login is decided the server has nothing else to say, and gets no answer.
            _ => return self.malformed(now, StanzaError::WrongTag { expected: "success" }.into()),
        }
        Ok(())
    }

    /// A stanza after the login.
    fn handle_open(&mut self, stanza: Stanza) {
        match stanza {
            Stanza::Iq(iq) if iq.is_ping() || self.is_servers_ping(&iq) => self.send(iq.result().into()),
            Stanza::Iq(iq) if iq.is_request() => self.send(iq.refusal(IqError::not_implemented()).into()),
            Stanza::Iq(iq) if self.keepalive.is_answer(&iq) => {}
            Stanza::Other(node) => {
                // Calls must be acked; what else is unknown is passed on.
                if let Some(ack) = Ack::for_node(&node) {
                    self.send(ack.into());
                }
                self.events.push_back(ChannelEvent::Stanza(Box::new(Stanza::Other(node))));
            }
            stanza => self.events.push_back(ChannelEvent::Stanza(Box::new(stanza))),
        }
    }

    /// What date the server said that it is when the login stood, in Unix seconds.
    pub fn server_time(&self) -> Option<u64> {
        self.server_time
    }

    /// Whether it is a ping in the profile's namespace, beside those that are known.
    fn is_servers_ping(&self, iq: &Iq) -> bool {
        iq.kind == IqKind::Get && iq.xmlns.as_deref() == Some(&*self.profile.chat.ping.server_xmlns)
    }

    fn handle_success(&mut self, time: u64) {
        if let State::Login(_) = self.state
            && let State::Login(transport) = std::mem::replace(&mut self.state, State::Failed)
        {
            self.state = State::Open(transport);
            self.frames.set_cap(MAX_FRAME);
            self.server_time = Some(time);
            self.events.push_back(ChannelEvent::Open);
        }
    }

    /// One malformed stanza is passed over; several in a minute end the channel.
    fn malformed(&mut self, now: Now, what: Malformed) -> Result<(), DisconnectReason> {
        self.malformed.retain(|&when| now.unix.saturating_sub(when) < MALFORMED_WINDOW);
        self.malformed.push_back(now.unix);
        if self.malformed.len() > MAX_MALFORMED {
            return Err(DisconnectReason::Malformed);
        }
        self.events.push_back(ChannelEvent::Malformed(what));
        Ok(())
    }

    fn seal(&mut self, stanza: &EncodedStanza) -> Result<Bytes, DisconnectReason> {
        let (State::Open(transport) | State::Login(transport)) = &mut self.state else {
            return Err(DisconnectReason::Closed);
        };
        let mut body = wa_binary::pack_encoded(stanza.as_bytes(), TAG);
        transport.sealer.seal(&mut body)?;
        Ok(wa_noise::frame(&body)?)
    }
}
