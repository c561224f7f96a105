//! The channel: frames, handshake, login, keepalive, stream errors (overview §2). No store, no Signal key.
//!
//! A channel lives as long as one connection. A gateway may run channels alone and relay their stanzas, since it
//! cannot decrypt them.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

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
use crate::encoded::TAG;
use crate::weighed::{BUDGET, Weighed};
use crate::{DisconnectReason, EncodedStanza, Now};

mod handshake;
mod keepalive;
mod login;

pub use self::handshake::Known;
pub use self::login::Login;

/// The code of a negative ack for a stanza that cannot be read.
pub(crate) const UNREADABLE: u16 = 488;

/// Seconds in which so many malformed stanzas close the channel.
const MALFORMED_WINDOW: u64 = 60;
const MAX_MALFORMED: usize = 5;

/// Bytes of the longest frame before the login stands: handshakes and answers to logins are short.
const MAX_BEFORE_LOGIN: usize = 64 * 1024;

/// Bytes of the longest stanza after the login, inflated, that is neither a message nor an answer.
const MAX_PLAIN: usize = 1 << 20;

/// Bytes up to which a frame is copied out of what was received, so that a short stanza does not keep a long buffer.
const COPIED: usize = 64 * 1024;

/// Stanzas that wait for a slow connection before [`Channel::wants_stanzas`] says no.
const MAX_QUEUED: usize = 64;

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
    transmits: Weighed<Transmit>,
    events: Weighed<ChannelEvent>,
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
    /// A stanza for the channel's user. Pings were answered already.
    Stanza {
        /// The stanza that was read.
        stanza: Box<Stanza>,
        /// Bytes that it has allocated, and the frame that it is read from.
        bytes: usize,
    },
    /// An authentic frame that is no stanza, or one with a part missing.
    Malformed {
        /// What is wrong with it.
        what: BadStanza,
        /// The negative ack after which it does not come again, where it says enough to be acked: the channel's user's to
        /// send.
        refusal: Option<Box<Ack>>,
    },
    /// The channel has ended; nothing comes after this.
    Closed(DisconnectReason),
}

/// What was wrong with an authentic frame. The server's fault.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BadStanza {
    /// It is no node.
    #[error(transparent)]
    Node(#[from] DecodeError),
    /// It is a known stanza with something wrong.
    #[error(transparent)]
    Stanza(#[from] StanzaError),
    /// It is longer than a stanza of its kind may be, in bytes before compression.
    #[error("a stanza of {0} bytes")]
    TooLong(usize),
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
            transmits: Weighed::default(),
            events: Weighed::default(),
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

    /// Bytes have arrived. Frames beyond what the channel may hold stay as they are until there is room:
    /// [`poll_timeout`](Self::poll_timeout) is due then.
    pub fn handle_bytes(&mut self, now: Now, bytes: &[u8], rng: &mut impl CryptoRng) {
        self.receive(bytes);
        self.read_on(now, rng);
    }

    /// The time that [`poll_timeout`](Self::poll_timeout) named has come (or any other: it is checked).
    pub fn handle_timeout(&mut self, now: Now, rng: &mut impl CryptoRng) {
        self.read_on(now, rng);
        self.keep_alive(now);
    }

    /// Keeps bytes that have arrived until [`read_frame`](Self::read_frame).
    pub(crate) fn receive(&mut self, bytes: &[u8]) {
        if !self.is_closed() {
            self.frames.push(bytes);
        }
    }

    /// Reads as many frames as there is room for.
    fn read_on(&mut self, now: Now, rng: &mut impl CryptoRng) {
        while self.held() < BUDGET && self.read_frame(now, rng) {}
    }

    /// Reads the next frame that has arrived. Says whether there was one.
    pub(crate) fn read_frame(&mut self, now: Now, rng: &mut impl CryptoRng) -> bool {
        if !self.has_frame() {
            return false;
        }
        let handled = match self.frames.next_frame() {
            Ok(Some(frame)) => self.handle_frame(now, frame, rng),
            Ok(None) => return false,
            Err(error) => Err(error.into()),
        };
        if let Err(reason) = handled {
            self.close(reason);
        }
        true
    }

    /// Pings, or ends, as it is time for.
    pub(crate) fn keep_alive(&mut self, now: Now) {
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

    /// Queues a stanza that was encoded before. After the end it is dropped, and so is one that no frame can carry.
    pub fn send_encoded(&mut self, stanza: EncodedStanza) {
        if !self.is_closed() && stanza.fits_frame() {
            let bytes = stanza.as_bytes().len();
            self.transmits.push(Transmit::Stanza(stanza), bytes);
        }
    }

    /// Ends the channel.
    pub fn close(&mut self, reason: DisconnectReason) {
        if !self.is_closed() {
            self.state = State::Closed;
            self.events.push(ChannelEvent::Closed(reason), 0);
        }
    }

    /// The next bytes to send, sealed now.
    #[must_use]
    pub fn poll_transmit(&mut self) -> Option<Bytes> {
        match self.transmits.pop()? {
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
        self.events.pop()
    }

    /// When [`handle_timeout`](Self::handle_timeout) is due, by [`Now::tick`].
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Duration> {
        let can_read = self.has_frame() && self.held() < BUDGET;
        if can_read { Some(Duration::ZERO) } else { self.ping_due() }
    }

    /// When the keepalive is due.
    pub(crate) fn ping_due(&self) -> Option<Duration> {
        (!self.is_closed()).then(|| self.keepalive.due())
    }

    /// Whether more bytes may be put in; otherwise take out stanzas and events first. The channel's own answers count.
    pub fn wants_input(&self) -> bool {
        self.held() < BUDGET && !self.has_frame()
    }

    /// Bytes that wait to be taken.
    pub(crate) fn held(&self) -> usize {
        self.transmits.bytes() + self.events.bytes()
    }

    /// Whether a frame has arrived and waits to be read.
    pub(crate) fn has_frame(&self) -> bool {
        !self.is_closed() && self.frames.is_ready()
    }

    /// Whether more stanzas may be queued; otherwise the connection is slower than its user.
    pub fn wants_stanzas(&self) -> bool {
        self.transmits.len() < MAX_QUEUED
    }

    /// Whether the server has proved who it is. If not, what was known of it may be why.
    pub fn is_proved(&self) -> bool {
        self.is_proved
    }

    /// Whether there is something to send.
    pub(crate) fn has_transmits(&self) -> bool {
        !self.transmits.is_empty()
    }

    /// Whether the login stands.
    pub fn is_open(&self) -> bool {
        matches!(self.state, State::Open(_))
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
                let most = if self.is_open() { Limits::new().inflated_bytes } else { MAX_BEFORE_LOGIN };
                let limits = Limits::new().with_inflated_bytes(most);
                let frame =
                    if frame.len() > COPIED { frame.freeze() } else { Bytes::copy_from_slice(&frame) };
                let bytes = wa_binary::unpack(frame, &limits)?;
                let handled = match wa_binary::decode(&bytes, &limits) {
                    Ok(node) => self.handle_node(now, node, bytes.len()),
                    Err(error) => self.malformed(now, error.into(), None),
                };
                // Until the login stands its own limit of time holds, whatever else the server says.
                if self.is_open() {
                    self.keepalive.heard(now, &self.profile.chat.ping, rng);
                }
                handled
            }
            State::Hello(_) => self.handle_hello(now, frame.freeze()),
            State::Failed | State::Closed => Ok(()),
        }
    }

    /// A node that was read from so many bytes.
    fn handle_node(&mut self, now: Now, node: Node, length: usize) -> Result<(), DisconnectReason> {
        let bytes = length + node.allocated() + size_of::<Stanza>();
        if length > MAX_PLAIN && !matches!(node.tag(), "message" | "iq") {
            return self.malformed(now, BadStanza::TooLong(length), self.refusal(&node));
        }
        match Stanza::try_from(node) {
            Ok(stanza) => self.handle_stanza(now, stanza, bytes),
            Err(malformed) => {
                let refusal = self.refusal(&malformed.node);
                self.malformed(now, malformed.error.into(), refusal)
            }
        }
    }

    /// The negative ack for a stanza that could not be read, so that it does not come again. Nobody is answered before the
    /// login.
    fn refusal(&self, node: &Node) -> Option<Box<Ack>> {
        Ack::refusing(node, UNREADABLE).filter(|_| self.is_open()).map(Box::new)
    }

    fn handle_stanza(&mut self, now: Now, stanza: Stanza, bytes: usize) -> Result<(), DisconnectReason> {
        match stanza {
            Stanza::Success(success) => self.handle_success(success.t),
            Stanza::Failure(failure) => {
                return Err(DisconnectReason::refused(&failure, &self.profile.chat.failures));
            }
            Stanza::StreamError(error) => return Err(DisconnectReason::stream_error(&error)),
            Stanza::StreamEnd => return Err(DisconnectReason::StreamError(None)),
            stanza if self.is_open() => self.handle_open(stanza, bytes),
            // Before the login is decided the server has nothing else to say, and gets no answer.
            _ => return self.malformed(now, StanzaError::WrongTag { expected: "success" }.into(), None),
        }
        Ok(())
    }

    /// A stanza after the login.
    fn handle_open(&mut self, stanza: Stanza, bytes: usize) {
        match stanza {
            Stanza::Iq(iq) if iq.is_ping() || self.is_servers_ping(&iq) => self.send(iq.result().into()),
            Stanza::Iq(iq) if iq.is_request() => self.send(iq.refusal(IqError::not_implemented()).into()),
            Stanza::Iq(iq) if self.keepalive.is_answer(&iq) => {}
            Stanza::Other(node) => {
                // Calls must be acked; what else is unknown is passed on.
                if let Some(ack) = Ack::for_node(&node) {
                    self.send(ack.into());
                }
                self.pass_on(Stanza::Other(node), bytes);
            }
            stanza => self.pass_on(stanza, bytes),
        }
    }

    fn pass_on(&mut self, stanza: Stanza, bytes: usize) {
        self.events.push(ChannelEvent::Stanza { stanza: Box::new(stanza), bytes }, bytes);
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
            self.events.push(ChannelEvent::Open, 0);
        }
    }

    /// One malformed stanza is passed over; several in a minute end the channel.
    fn malformed(
        &mut self,
        now: Now,
        what: BadStanza,
        refusal: Option<Box<Ack>>,
    ) -> Result<(), DisconnectReason> {
        self.malformed.retain(|&when| now.unix.saturating_sub(when) < MALFORMED_WINDOW);
        self.malformed.push_back(now.unix);
        if self.malformed.len() > MAX_MALFORMED {
            return Err(DisconnectReason::Malformed);
        }
        self.events.push(ChannelEvent::Malformed { what, refusal }, 0);
        Ok(())
    }

    fn send_raw(&mut self, bytes: Bytes) {
        let length = bytes.len();
        self.transmits.push(Transmit::Raw(bytes), length);
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
