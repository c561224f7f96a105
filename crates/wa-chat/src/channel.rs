//! The channel: frames, handshake, login, keepalive, stream errors (seed §2). No store, no Signal key.
//!
//! A channel lives as long as one connection. A gateway may run channels alone and relay their stanzas, since it
//! cannot decrypt them.

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};
use rand_core::CryptoRng;
use wa_binary::{DecodeError, EncodeOptions, InteropSuffix, Limits, Node};
use wa_keys::PrivateKey;
use wa_noise::{
    Dialect, ExpectServerHello, FrameDecoder, Intro, KnownServer, MAX_FRAME, Setup, Transport, TrustRoot,
};
use wa_profile::{NoiseDialect, Profile};
use wa_stanza::{Ack, IqError, Stanza, StanzaError};

use crate::channel::keepalive::Keepalive;
use crate::{DisconnectReason, Now};

mod keepalive;
mod login;

pub use self::login::Login;

/// Seconds in which so many malformed stanzas close the channel.
const MALFORMED_WINDOW: u64 = 60;
const MAX_MALFORMED: usize = 5;

/// Stanzas that wait for a slow connection before [`Channel::wants_stanzas`] says no.
const MAX_QUEUED: usize = 64;

/// One connection to chatd.
#[derive(Debug)]
pub struct Channel {
    state: State,
    frames: FrameDecoder,
    root: TrustRoot,
    profile: Profile,
    keepalive: Keepalive,
    options: EncodeOptions,
    /// Unix seconds of recent malformed stanzas.
    malformed: VecDeque<u64>,
    transmits: VecDeque<Transmit>,
    events: VecDeque<ChannelEvent>,
}

#[derive(Debug)]
enum State {
    Hello(Box<(ExpectServerHello, Login)>),
    Login(Box<Transport>),
    Open(Box<Transport>),
    Closed,
}

/// What waits to be sent. Stanzas are sealed when they are taken, so that the order of counters is that of the wire.
#[derive(Debug)]
enum Transmit {
    Raw(Bytes),
    Stanza(Node),
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
    pub fn connect(
        key: PrivateKey,
        login: Login,
        root: TrustRoot,
        profile: &Profile,
        now: Now,
        rng: &mut impl CryptoRng,
    ) -> Self {
        let dialect = match profile.chat.dialect {
            NoiseDialect::Strict => Dialect::Strict,
            _ => Dialect::WhatsApp,
        };
        let prologue = Bytes::copy_from_slice(&profile.chat.prologue);
        let setup = Setup { prologue, dialect, static_key: key };
        let suffix =
            if profile.interop_suffix.client_writes { InteropSuffix::Write } else { InteropSuffix::Omit };
        let mut channel = Self {
            state: State::Closed,
            frames: FrameDecoder::new(MAX_FRAME),
            root,
            profile: profile.clone(),
            keepalive: Keepalive::handshake(now),
            options: EncodeOptions::new().with_interop_suffix(suffix),
            malformed: VecDeque::new(),
            transmits: VecDeque::new(),
            events: VecDeque::new(),
        };
        if let Err(reason) = channel.start(&setup, login, rng) {
            channel.close(reason);
        }
        channel
    }

    fn start(
        &mut self,
        setup: &Setup,
        login: Login,
        rng: &mut impl CryptoRng,
    ) -> Result<(), DisconnectReason> {
        let (handshake, hello) = ExpectServerHello::start(setup, rng)?;
        self.transmits.push_back(Transmit::Raw(Intro::default().encode(&setup.prologue)?));
        self.transmits.push_back(Transmit::Raw(wa_noise::frame(&hello)?));
        self.state = State::Hello(Box::new((handshake, login)));
        Ok(())
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

    /// Queues a stanza. After the end it is dropped.
    pub fn send(&mut self, stanza: Stanza) {
        if !self.is_closed() {
            self.transmits.push_back(Transmit::Stanza(stanza.into()));
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
            Transmit::Stanza(node) => match self.seal(&node) {
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
                match wa_binary::decode(node, &Limits::new()) {
                    Ok(node) => self.handle_node(now, node),
                    Err(error) => self.malformed(now, error.into()),
                }
            }
            State::Hello(_) => self.handle_hello(now, frame.freeze()),
            State::Closed => Ok(()),
        }
    }

    fn handle_hello(&mut self, now: Now, hello: Bytes) -> Result<(), DisconnectReason> {
        let State::Hello(hello_state) = std::mem::replace(&mut self.state, State::Closed) else {
            return Ok(());
        };
        // Closed until the state is set again: an error on the way must end the channel with its reason.
        let (handshake, login) = *hello_state;
        let finished = handshake.read_server_hello(hello, &self.root, now.unix).and_then(|finish| {
            let server = *finish.server();
            Ok((server, finish.finish(&login.payload(&self.profile))?))
        });
        match finished {
            Ok((server, (transport, finish))) => {
                self.state = State::Login(Box::new(transport));
                self.events.push_back(ChannelEvent::Server(server));
                self.transmits.push_back(Transmit::Raw(wa_noise::frame(&finish)?));
            }
            Err(error) => self.events.push_back(ChannelEvent::Closed(error.into())),
        }
        Ok(())
    }

    fn handle_node(&mut self, now: Now, node: Node) -> Result<(), DisconnectReason> {
        match Stanza::try_from(node) {
            Ok(stanza) => self.handle_stanza(now, stanza),
            Err(malformed) => {
                // 488: the negative ack for a stanza that could not be read.
                if let Some(refusal) = Ack::refusing(&malformed.node, 488) {
                    self.send(refusal.into());
                }
                self.malformed(now, malformed.error.into())
            }
        }
    }

    fn handle_stanza(&mut self, now: Now, stanza: Stanza) -> Result<(), DisconnectReason> {
        match stanza {
            Stanza::Success(_) => self.handle_success(),
            Stanza::Failure(failure) => {
                return Err(DisconnectReason::refused(&failure, &self.profile.chat.failures));
            }
            Stanza::StreamError(error) => return Err(DisconnectReason::stream_error(&error)),
            Stanza::StreamEnd => return Err(DisconnectReason::StreamError(None)),
            Stanza::Iq(iq) if iq.is_ping() => self.send(iq.result().into()),
            Stanza::Iq(iq) if iq.is_request() => self.send(iq.refusal(IqError::not_implemented()).into()),
            Stanza::Iq(iq) if self.keepalive.is_answer(&iq) => {}
            Stanza::Other(node) => {
                // Calls must be acked; what else is unknown is passed on.
                if let Some(ack) = Ack::for_node(&node) {
                    self.send(ack.into());
                }
                self.events.push_back(ChannelEvent::Stanza(Box::new(Stanza::Other(node))));
            }
            stanza if matches!(self.state, State::Open(_)) => {
                self.events.push_back(ChannelEvent::Stanza(Box::new(stanza)));
            }
            // Before the login is decided the server has nothing to say.
            _ => return self.malformed(now, StanzaError::WrongTag { expected: "success" }.into()),
        }
        Ok(())
    }

    fn handle_success(&mut self) {
        if let State::Login(_) = self.state
            && let State::Login(transport) = std::mem::replace(&mut self.state, State::Closed)
        {
            self.state = State::Open(transport);
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

    fn seal(&mut self, node: &Node) -> Result<Bytes, DisconnectReason> {
        let (State::Open(transport) | State::Login(transport)) = &mut self.state else {
            return Err(DisconnectReason::Closed);
        };
        // Stanzas are built by this crate and always within the format; were one not, it must not be half sent.
        let body = wa_binary::pack(node, &self.options).map_err(|_| DisconnectReason::Closed)?;
        let mut body = BytesMut::from(Bytes::from(body));
        transport.sealer.seal(&mut body)?;
        Ok(wa_noise::frame(&body)?)
    }
}
