//! The client: a channel and a messenger joined by stanzas (overview §2, §3).

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use rand_core::CryptoRng;
use wa_noise::TrustRoot;
use wa_profile::Profile;

use crate::account::{Account, AccountKeys};
use crate::channel::{Channel, ChannelEvent, Known, Login};
use crate::key::Key;
use crate::messenger::{Messenger, first_rows};
use crate::store::{Read, Rows, StateError, Transaction, Write};
use crate::weighed::{BUDGET, free_if_empty, push_into};
use crate::{Command, CommandError, DisconnectReason, Event, IdentityPolicy, Now, Ticket};

/// A whole client as a value. One is one account in one process.
#[derive(Debug)]
pub struct Client {
    profile: Arc<Profile>,
    root: TrustRoot,
    messenger: Messenger,
    channel: Option<Channel>,
    events: VecDeque<Event>,
}

/// Why no connection was begun. The caller's to mend.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The account has not been read from the store yet: run transactions first.
    #[error("account is not loaded")]
    NotLoaded,
    /// The account has no login yet: enlist, and say so with [`Command::Enlisted`].
    #[error("account is not enlisted")]
    NotEnlisted,
    /// There is a connection already.
    #[error("already connected")]
    Connected,
}

impl Client {
    /// The transaction that makes an account. Run it before the enlistment request leaves, or a crash in between
    /// leaves an enlistment whose keys nobody has; and never over an account that is there ([`find`](Self::find)).
    pub fn create(keys: &AccountKeys) -> Transaction {
        let write =
            |(key, row): (_, crate::row::Row)| Write { key, value: Some(row.encode()), expires: None };
        Transaction { writes: first_rows(keys).into_iter().map(write).collect(), ..Transaction::default() }
    }

    /// The transaction that finds out whether a store has an account: its rows are empty if not.
    pub fn find() -> Transaction {
        Transaction { reads: vec![Read::One(Key::account())], ..Transaction::default() }
    }

    /// A client over a store in which an account was made. `root` is what the server's certificates must come from:
    /// [`WHATSAPP_ROOT`](wa_noise::WHATSAPP_ROOT), or a sandbox's.
    pub fn open(profile: impl Into<Arc<Profile>>, root: TrustRoot) -> Self {
        let profile = profile.into();
        let messenger = Messenger::open(Arc::clone(&profile));
        Self { profile, root, messenger, channel: None, events: VecDeque::new() }
    }

    /// What is to be done with identities that are new: [`IdentityPolicy::Notify`] unless this is called.
    #[must_use]
    pub fn with_identity_policy(mut self, policy: IdentityPolicy) -> Self {
        self.messenger = self.messenger.with_identity_policy(policy);
        self
    }

    /// The account, once it is loaded.
    pub fn account(&self) -> Option<&Account> {
        self.messenger.account()
    }

    /// What earlier connections told of the server, in this process or one before: the next one resumes with it as long as
    /// the proof holds, and takes the same way. A connection that ends before the server is proved makes the next one
    /// begin from nothing.
    pub fn known(&self) -> Option<&Known> {
        self.messenger.known()
    }

    /// Begins a connection with a fresh token; its first bytes are there at once.
    ///
    /// # Errors
    /// The account is not ready, or a connection is there.
    pub fn connect(
        &mut self,
        now: Now,
        token: impl Into<Bytes>,
        rng: &mut impl CryptoRng,
    ) -> Result<(), ConnectError> {
        if self.channel.is_some() {
            return Err(ConnectError::Connected);
        }
        let account = self.messenger.account().ok_or(ConnectError::NotLoaded)?;
        let login = account.login.as_ref().and_then(wa_binary::Jid::as_interop);
        let (_, number) = login.ok_or(ConnectError::NotEnlisted)?;
        let login = Login::new(number, token);
        let key = account.noise.clone();
        self.channel = Some(Channel::connect(
            key,
            login,
            self.root,
            self.messenger.known(),
            Arc::clone(&self.profile),
            now,
            rng,
        ));
        self.pump(now, rng);
        Ok(())
    }

    /// Bytes have arrived.
    pub fn handle_bytes(&mut self, now: Now, bytes: &[u8], rng: &mut impl CryptoRng) {
        if let Some(channel) = &mut self.channel {
            channel.receive(bytes);
        }
        self.pump(now, rng);
    }

    /// The connection is gone.
    pub fn handle_lost(&mut self, now: Now, rng: &mut impl CryptoRng) {
        self.close(now, DisconnectReason::Lost, rng);
    }

    /// Ends the connection; the account stays.
    pub fn close(&mut self, now: Now, reason: DisconnectReason, rng: &mut impl CryptoRng) {
        if let Some(channel) = &mut self.channel {
            channel.close(reason);
        }
        self.pump(now, rng);
    }

    /// The time that [`poll_timeout`](Self::poll_timeout) named has come.
    pub fn handle_timeout(&mut self, now: Now, rng: &mut impl CryptoRng) {
        if let Some(channel) = &mut self.channel {
            channel.keep_alive(now);
        }
        self.messenger.handle_timeout(now, rng);
        self.pump(now, rng);
    }

    /// The application wants something; [`poll_accepted`](Self::poll_accepted) tells when it is durable, or
    /// [`poll_refused`](Self::poll_refused) that it never will be.
    pub fn handle_command(&mut self, now: Now, ticket: Ticket, command: Command, rng: &mut impl CryptoRng) {
        self.messenger.handle_command(now, ticket, command, rng);
        self.pump(now, rng);
    }

    /// The transaction that was handed out is durable, and these are the rows that it read.
    ///
    /// # Errors
    /// A row that cannot be read, or no account: drop the client.
    pub fn handle_committed(
        &mut self,
        now: Now,
        rows: Rows,
        rng: &mut impl CryptoRng,
    ) -> Result<(), StateError> {
        self.messenger.handle_committed(now, rows, rng)?;
        self.pump(now, rng);
        Ok(())
    }

    /// The next transaction to run; none while one is under way.
    #[must_use]
    pub fn poll_transaction(&mut self) -> Option<Transaction> {
        let transaction = self.messenger.poll_transaction();
        self.take_stanzas();
        transaction
    }

    /// The next bytes to send.
    #[must_use]
    pub fn poll_transmit(&mut self) -> Option<Bytes> {
        let channel = self.channel.as_mut()?;
        let bytes = channel.poll_transmit();
        while let Some(event) = channel.poll_event() {
            // Only its end may come to a channel that sends.
            if let ChannelEvent::Closed(reason) = event {
                self.hang_up(reason);
                return None;
            }
        }
        self.take_stanzas();
        bytes
    }

    /// The next thing for the application.
    #[must_use]
    pub fn poll_event(&mut self) -> Option<Event> {
        self.pop_event().or_else(|| self.messenger.poll_event())
    }

    /// The next event about the connection, or answer: what must not wait behind events that nobody takes, since the task that
    /// should take them may be waiting for it. [`poll_event`](Self::poll_event) gives these too, before all else.
    #[must_use]
    pub fn poll_notice(&mut self) -> Option<Event> {
        self.pop_event().or_else(|| self.messenger.poll_notice())
    }

    fn pop_event(&mut self) -> Option<Event> {
        let event = self.events.pop_front();
        free_if_empty(&mut self.events);
        event
    }

    /// The next command that is durable: what it asked for will happen, whatever crashes.
    #[must_use]
    pub fn poll_accepted(&mut self) -> Option<Ticket> {
        self.messenger.poll_accepted()
    }

    /// The next command that was not taken, and why.
    #[must_use]
    pub fn poll_refused(&mut self) -> Option<(Ticket, CommandError)> {
        self.messenger.poll_refused()
    }

    /// When [`handle_timeout`](Self::handle_timeout) is due, by [`Now::tick`].
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Duration> {
        let channel = self.channel.as_ref()?;
        if channel.has_frame() && self.has_room() {
            return Some(Duration::ZERO);
        }
        channel.ping_due().into_iter().chain(self.messenger.poll_timeout()).min()
    }

    /// Whether more bytes may be put in; otherwise run transactions and take out bytes and events first. Frames that came
    /// with others, and for which there was no room, are read first: [`poll_timeout`](Self::poll_timeout) is due then.
    pub fn wants_input(&self) -> bool {
        self.has_room() && !self.channel.as_ref().is_some_and(Channel::has_frame)
    }

    /// Whether the mailbox is empty, the application has confirmed all that was in it, and the server has what is to be said of
    /// it: a process that was woken for that may leave.
    pub fn is_drained(&self) -> bool {
        let is_sent = self.channel.as_ref().is_some_and(|channel| !channel.has_transmits());
        is_sent && self.events.is_empty() && self.messenger.is_drained()
    }

    /// Whether more commands may be put in; otherwise run transactions first. Events that nobody takes are no reason to
    /// take no commands: who should take them may be waiting for one.
    pub fn wants_commands(&self) -> bool {
        self.messenger.wants_commands()
    }

    /// Whether one more frame may be read. Until the login stands a frame is short and nothing for the messenger: however
    /// far that is behind, a login comes to its end.
    fn has_room(&self) -> bool {
        let waiting = self.channel.as_ref().map_or(0, Channel::held);
        if self.channel.as_ref().is_some_and(|channel| !channel.is_open()) {
            return waiting < BUDGET;
        }
        waiting + self.messenger.held() < BUDGET && self.messenger.wants_input()
    }

    /// How many inputs were put in and have not been dealt with.
    ///
    /// Nothing stalls: there are none once every `poll_*` has given nothing and no transaction is under way.
    pub fn queued(&self) -> usize {
        self.messenger.queued()
    }

    /// Whether the account was deleted, and every row of it: the client does nothing more.
    pub fn is_erased(&self) -> bool {
        self.messenger.is_erased()
    }

    /// Whether there is a connection, logged in or on the way.
    pub fn is_connected(&self) -> bool {
        self.channel.is_some()
    }

    /// Reads the frames for which there is room, and carries stanzas between the two halves until neither has any.
    fn pump(&mut self, now: Now, rng: &mut impl CryptoRng) {
        loop {
            self.pump_events(now, rng);
            self.take_stanzas();
            let has_room = self.has_room();
            let Some(channel) = self.channel.as_mut().filter(|_| has_room) else { return };
            if !channel.read_frame(now, rng) {
                return;
            }
        }
    }

    fn pump_events(&mut self, now: Now, rng: &mut impl CryptoRng) {
        while let Some(event) = self.channel.as_mut().and_then(Channel::poll_event) {
            match event {
                ChannelEvent::Server(server) => self.messenger.handle_server(now, server, rng),
                ChannelEvent::Open => {
                    push_into(&mut self.events, Event::Connected);
                    if let Some(time) = self.channel.as_ref().and_then(Channel::server_time) {
                        self.messenger.tell_server_time(time);
                    }
                    self.messenger.handle_link_up(now, rng);
                }
                ChannelEvent::Stanza { stanza, bytes } => {
                    self.messenger.handle_stanza(now, *stanza, bytes, rng);
                }
                ChannelEvent::Malformed { what, refusal } => {
                    self.messenger.handle_malformed(now, what, refusal, rng);
                }
                ChannelEvent::Closed(reason) => self.hang_up(reason),
            }
        }
    }

    fn hang_up(&mut self, reason: DisconnectReason) {
        if self.channel.take().is_some_and(|channel| !channel.is_proved()) {
            self.messenger.forget_known();
        }
        self.messenger.handle_link_down();
        push_into(&mut self.events, Event::Disconnected(reason));
    }

    fn take_stanzas(&mut self) {
        if let Some(channel) = &mut self.channel {
            while channel.wants_stanzas()
                && let Some(stanza) = self.messenger.poll_stanza()
            {
                channel.send_encoded(stanza);
            }
        }
    }
}
