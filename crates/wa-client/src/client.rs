//! The client as an application holds it: commands in, events out (overview §2, §3).

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rand::rngs::SysRng;
use rand_core::UnwrapErr;
use tokio::sync::{Notify, mpsc, oneshot, watch};
use tokio::time::Instant;
use tracing::{Instrument, debug_span};
use wa_binary::Jid;
use wa_chat::{
    AccountKeys, Answer, Ask, Command, CommandError, Content, DeviceIdentity, DisconnectReason, Event,
    EventId, Fingerprint, IdentityPolicy, Mark, MessageId, NoAnswer, PublicKeys, Reach, Report, StateError,
    Store, Typing,
};
use wa_keys::PublicKey;
use wa_noise::TrustRoot;
use wa_profile::Profile;

use crate::connector::Connector;
use crate::driver::Driver;
use crate::error::{ClientError, OpenOrEnlistError};
use crate::events::{Drained, Ended, Events, ended};
use crate::reconnect::{Task, TokenSource};

/// Commands that wait for the client, and what it is told about itself, which waits behind none of them.
const MAX_COMMANDS: usize = 64;
const MAX_CONTROLS: usize = 4;

/// How long the answer to a request may take: longer than the minute after which the client itself gives up, so that its
/// word counts.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(75);

/// A handle to a running client: one account, one task. The task ends with [`close`](Self::close) or the last handle; the
/// store keeps everything.
///
/// Cancel safety: a call that is dropped before it returns may be carried out or not, except [`connect`](Self::connect),
/// whose attempt ends with it unless the login stands already, and [`drain`](Self::drain), which changes nothing. What is
/// said twice does nothing twice: `send` again with the same id, `confirm` again.
#[derive(Clone, Debug)]
pub struct Client {
    profile: Arc<Profile>,
    /// Boxed: a channel keeps room for 32 of what it carries, for each idle client.
    requests: mpsc::Sender<Box<Request>>,
    controls: mpsc::Sender<Box<Control>>,
    ended: watch::Receiver<Option<Ended>>,
    /// Ends every [`stay_connected`](Self::stay_connected).
    disconnects: Arc<Notify>,
}

/// Tells the clients of this process apart in the log, where no account may be named.
fn next_number() -> u64 {
    static CLIENTS: AtomicU64 = AtomicU64::new(1);
    CLIENTS.fetch_add(1, Ordering::Relaxed)
}

/// A login that stands.
#[derive(Debug)]
pub(crate) struct Connection(pub(crate) oneshot::Receiver<DisconnectReason>);

/// What a client asks of its task: it waits while the store is behind.
#[derive(Debug)]
pub(crate) enum Request {
    Command { command: Command, done: oneshot::Sender<Result<(), CommandError>> },
    Ask { ask: Ask, done: oneshot::Sender<Result<Answer, NoAnswer>> },
}

/// What a client tells its task: it needs no store, and is done at once.
#[derive(Debug)]
pub(crate) enum Control {
    Connect { token: String, done: oneshot::Sender<Result<Connection, ClientError>> },
    Disconnect { done: oneshot::Sender<()> },
    Account { done: oneshot::Sender<Option<(PublicKeys, Option<Jid>)>> },
    Drain { done: oneshot::Sender<()> },
    Close { done: oneshot::Sender<()> },
}

impl Client {
    /// Makes an account in a store, durably. Do this before enlisting its keys.
    ///
    /// # Errors
    /// The store has an account already, or fails.
    pub async fn create(store: &impl Store, keys: &AccountKeys) -> Result<(), ClientError> {
        let found = store.run(&wa_chat::Client::find()).await?;
        if !found.0.is_empty() {
            return Err(StateError::AccountExists.into());
        }
        store.run(&wa_chat::Client::create(keys)).await?;
        Ok(())
    }

    /// Opens the account of a store. `root` is what the server's certificates must come from; where there are many
    /// clients, give all the same `Arc` of a profile.
    ///
    /// # Errors
    /// There is no account in the store, or it cannot be read.
    pub async fn open<S: Store + 'static, C: Connector>(
        store: S,
        connector: C,
        profile: impl Into<Arc<Profile>>,
        root: TrustRoot,
    ) -> Result<(Self, Events), ClientError> {
        Self::open_with(store, connector, profile, root, IdentityPolicy::default()).await
    }

    /// Opens the account of a store, makes one where there is none, and has it enlisted where it has no login yet.
    ///
    /// `enlist` gives the login that WhatsApp assigns to these keys, as [`enlist`](crate::enlist) with the feature `http`
    /// does. Wherever the process dies, the next call goes on. New identities are told of and used
    /// ([`IdentityPolicy::Notify`]); who wants them held calls [`create`](Self::create), [`open_with`](Self::open_with) and
    /// [`enlisted`](Self::enlisted), and opens with the same policy each time: it is not stored.
    ///
    /// # Errors
    /// As [`open`](Self::open), or what `enlist` says.
    pub async fn open_or_enlist<S, C, E, F>(
        store: S,
        connector: C,
        profile: impl Into<Arc<Profile>>,
        root: TrustRoot,
        enlist: impl FnOnce(PublicKeys) -> F,
    ) -> Result<(Self, Events), OpenOrEnlistError<E>>
    where
        S: Store + 'static,
        C: Connector,
        F: Future<Output = Result<Jid, E>>,
    {
        let found = store.run(&wa_chat::Client::find()).await.map_err(ClientError::from)?;
        if found.0.is_empty() {
            Self::create(&store, &AccountKeys::generate(&mut UnwrapErr(SysRng))).await?;
        }
        let (client, events) = Self::open(store, connector, profile, root).await?;
        let (keys, login) = client.account().await?;
        if login.is_none() {
            let login = enlist(keys).await.map_err(OpenOrEnlistError::Enlistment)?;
            client.enlisted(login).await?;
        }
        Ok((client, events))
    }

    /// Opens the account of a store with this [`IdentityPolicy`].
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub async fn open_with<S: Store + 'static, C: Connector>(
        store: S,
        connector: C,
        profile: impl Into<Arc<Profile>>,
        root: TrustRoot,
        policy: IdentityPolicy,
    ) -> Result<(Self, Events), ClientError> {
        let profile = profile.into();
        let client = wa_chat::Client::open(Arc::clone(&profile), root).with_identity_policy(policy);
        let mut driver = Box::new(Driver::new(store, connector, client));
        driver.load().await?;
        let (requests, inbox) = mpsc::channel(MAX_COMMANDS);
        let (controls, orders) = mpsc::channel(MAX_CONTROLS);
        let (outbox, events) = mpsc::channel(1);
        let (end, ended) = watch::channel(None);
        let serving = driver.serve(inbox, orders, outbox, end);
        tokio::spawn(serving.instrument(debug_span!("client", number = next_number())));
        let events = Events { events, ended: ended.clone() };
        Ok((Self { profile, requests, controls, ended, disconnects: Arc::default() }, events))
    }

    /// What to enlist the account with, again if WhatsApp has forgotten it.
    ///
    /// # Errors
    /// The client has ended.
    pub async fn public_keys(&self) -> Result<PublicKeys, ClientError> {
        Ok(self.account().await?.0)
    }

    /// The login that WhatsApp assigned; none before the enlistment.
    ///
    /// # Errors
    /// The client has ended.
    pub async fn login(&self) -> Result<Option<Jid>, ClientError> {
        Ok(self.account().await?.1)
    }

    async fn account(&self) -> Result<(PublicKeys, Option<Jid>), ClientError> {
        let (done, waiting) = oneshot::channel();
        self.control(Control::Account { done }).await?;
        waiting.await.ok().flatten().ok_or_else(|| self.has_ended())
    }

    /// Keeps the login that WhatsApp assigned; returns when it is durable.
    ///
    /// # Errors
    /// The client has ended.
    pub async fn enlisted(&self, login: Jid) -> Result<(), ClientError> {
        self.command(Command::Enlisted(login)).await
    }

    /// Connects and logs in with a fresh token, once; returns when the login stands.
    ///
    /// # Errors
    /// Why it does not stand; [`DisconnectReason::is_terminal`] tells whether trying again makes sense.
    pub async fn connect(&self, token: impl Into<String>) -> Result<(), ClientError> {
        let connection = connect(&self.controls, token.into()).await;
        connection.unwrap_or_else(|| Err(self.has_ended())).map(drop)
    }

    /// Connects, and again whenever the connection ends, with a fresh token from `tokens` each time and pauses that
    /// grow to a minute. Run it beside the application; dropping it stops the attempts, not the connection.
    ///
    /// It gives up, and says why, when trying again cannot help: a token that was refused twice, an account that is
    /// not enlisted any more ([`Refusal::NotEnlisted`](wa_chat::Refusal::NotEnlisted): enlist again), another client in
    /// its place, the client's end.
    pub fn stay_connected<T: TokenSource>(
        &self,
        tokens: T,
    ) -> impl Future<Output = ClientError> + Send + use<T> {
        let disconnected = Arc::clone(&self.disconnects).notified_owned();
        let task = Task { controls: self.controls.downgrade(), ended: self.ended.clone() };
        crate::reconnect::stay_connected(task, tokens, disconnected)
    }

    /// Ends the connection, or the attempt to make one; everything stays as it is. A
    /// [`stay_connected`](Self::stay_connected) that is running ends with it, wherever it is.
    ///
    /// # Errors
    /// The client has ended.
    pub async fn disconnect(&self) -> Result<(), ClientError> {
        self.disconnects.notify_waiters();
        let (done, waiting) = oneshot::channel();
        self.control(Control::Disconnect { done }).await?;
        waiting.await.map_err(|_| self.has_ended())
    }

    /// Sends content; returns when it is durable, so that it will arrive whatever happens here.
    ///
    /// The same id again is the same message and does nothing. Connected or not makes no difference.
    ///
    /// # Errors
    /// The content is longer than [`MAX_CONTENT`](wa_chat::MAX_CONTENT), or the id than 128 bytes: nothing was stored. Or the
    /// client has ended; whether the message is durable shows when it is sent again.
    pub async fn send(&self, to: Jid, id: MessageId, content: Content) -> Result<(), ClientError> {
        self.command(Command::Send { to, id, content }).await
    }

    /// The devices of a user that messages go to, and their identities; none of a user that there was no contact with.
    ///
    /// # Errors
    /// The client has ended.
    pub async fn identities(&self, user: Jid) -> Result<Vec<DeviceIdentity>, ClientError> {
        match self.ask(Ask::Identities(user)).await? {
            Answer::Identities(identities) => Ok(identities),
            _ => Ok(Vec::new()),
        }
    }

    /// What two people compare to know that nobody stands between them: sixty digits by `Display`, a QR code by
    /// [`scannable`](Fingerprint::scannable); none before the first contact, or before the account is enlisted. What enters
    /// it is the profile's assumption ([`SafetyNumber`](wa_profile::SafetyNumber)).
    ///
    /// # Errors
    /// The client has ended.
    pub async fn safety_number(&self, user: Jid) -> Result<Option<Fingerprint>, ClientError> {
        let identities = self.identities(user.clone()).await?;
        let (own, login) = (self.public_keys().await?, self.login().await?);
        let number =
            |login: Jid| wa_chat::safety_number(&self.profile, (&login, own.identity), (&user, &identities));
        Ok(login.and_then(number))
    }

    /// The application accepts a peer's new identity: what is held because of it goes out
    /// ([`IdentityPolicy::Hold`]). `address` has the device's number; `key` is the one that was looked at, and if another one
    /// is the newest by now nothing changes.
    ///
    /// # Errors
    /// The client has ended.
    pub async fn accept_identity(&self, address: Jid, key: PublicKey) -> Result<(), ClientError> {
        self.command(Command::AcceptIdentity { address, key }).await
    }

    /// Says that an event was dealt with; returns when it is durable that it will not come again.
    ///
    /// # Errors
    /// The client has ended.
    pub async fn confirm(&self, event: EventId) -> Result<(), ClientError> {
        self.command(Command::Confirm(event)).await
    }

    /// Confirms this event and every one that was taken before it, in one transaction. One that is told once needs no
    /// confirmation; then this does nothing.
    ///
    /// # Errors
    /// The client has ended.
    pub async fn confirm_through(&self, event: &Event) -> Result<(), ClientError> {
        match event.id() {
            Some(event) => self.confirm_through_id(event).await,
            None => Ok(()),
        }
    }

    /// Does the same by the event's id alone, for applications that keep ids and not events.
    ///
    /// # Errors
    /// The client has ended.
    pub async fn confirm_through_id(&self, event: EventId) -> Result<(), ClientError> {
        self.command(Command::ConfirmThrough(event)).await
    }

    /// Says that the user has read or played messages: one receipt for all; returns when it is durable.
    ///
    /// # Errors
    /// The client has ended.
    pub async fn mark(&self, from: Jid, ids: Vec<MessageId>, mark: Mark) -> Result<(), ClientError> {
        self.command(Command::Mark { from, ids, mark }).await
    }

    /// Shows what the user is doing right now, if there is a connection. Behind a store that is full it is given up in
    /// time: it is old by then.
    ///
    /// # Errors
    /// The client has ended.
    pub async fn typing(&self, to: Jid, typing: Typing) -> Result<(), ClientError> {
        let shown = self.command(Command::Typing { to, typing });
        tokio::time::timeout(ANSWER_TIMEOUT, shown).await.unwrap_or(Ok(()))
    }

    /// Whom the user has blocked.
    ///
    /// # Errors
    /// There is no connection, or WhatsApp refuses; so for all that follow.
    pub async fn blocklist(&self) -> Result<Vec<Jid>, ClientError> {
        match self.ask(Ask::Blocklist).await? {
            Answer::Blocklist(blocked) => Ok(blocked),
            _ => Err(NoAnswer::Unreadable.into()),
        }
    }

    /// Blocks somebody: nothing comes from them any more.
    ///
    /// # Errors
    /// See [`blocklist`](Self::blocklist).
    pub async fn block(&self, jid: Jid) -> Result<(), ClientError> {
        self.ask(Ask::Block(jid)).await.map(drop)
    }

    /// Unblocks a user.
    ///
    /// # Errors
    /// See [`blocklist`](Self::blocklist).
    pub async fn unblock(&self, jid: Jid) -> Result<(), ClientError> {
        self.ask(Ask::Unblock(jid)).await.map(drop)
    }

    /// Reports somebody to WhatsApp, with messages in clear.
    ///
    /// # Errors
    /// See [`blocklist`](Self::blocklist).
    pub async fn report(&self, report: Report) -> Result<(), ClientError> {
        self.ask(Ask::Report(report)).await.map(drop)
    }

    /// Pings a WhatsApp user who does not know this one yet, and tells whether there is one.
    ///
    /// # Errors
    /// See [`blocklist`](Self::blocklist); [`NoAnswer::Unsupported`] where the profile has no reachability.
    pub async fn reach(&self, jid: Jid) -> Result<Reach, ClientError> {
        match self.ask(Ask::Reach(jid)).await? {
            Answer::Reach(reach) => Ok(reach),
            _ => Err(NoAnswer::Unreadable.into()),
        }
    }

    /// Deletes the account on WhatsApp, and then every row of it here; returns when both are done. The client is of
    /// no use afterwards.
    ///
    /// # Errors
    /// See [`blocklist`](Self::blocklist); the account is as it was, unless the connection ended first: then the next
    /// login tells.
    pub async fn delete_account(&self) -> Result<(), ClientError> {
        self.ask(Ask::DeleteAccount).await.map(drop)
    }

    /// Waits until the mailbox is empty, all that was told is confirmed, and the server has heard so, or it is `until`. Call
    /// it beside the loop that takes the events. What a push has woken may leave after it.
    ///
    /// # Errors
    /// The client has ended.
    pub async fn drain(&self, until: Instant) -> Result<Drained, ClientError> {
        let (done, waiting) = oneshot::channel();
        self.control(Control::Drain { done }).await?;
        match tokio::time::timeout_at(until, waiting).await {
            Ok(drained) => drained.map(|()| Drained::Empty).map_err(|_| self.has_ended()),
            Err(_) => Ok(Drained::TimeUp),
        }
    }

    /// Ends the client after the transaction that is under way; one that the store cannot run, or not within ten seconds,
    /// is given up.
    pub async fn close(&self) {
        let (done, waiting) = oneshot::channel();
        if self.control(Control::Close { done }).await.is_ok() {
            // An error means that the task has ended already.
            let _ = waiting.await;
        }
    }

    async fn command(&self, command: Command) -> Result<(), ClientError> {
        let (done, waiting) = oneshot::channel();
        let request = Request::Command { command, done };
        self.requests.send(Box::new(request)).await.map_err(|_| self.has_ended())?;
        Ok(waiting.await.map_err(|_| self.has_ended())??)
    }

    async fn ask(&self, ask: Ask) -> Result<Answer, ClientError> {
        let (done, waiting) = oneshot::channel();
        let answer = async {
            let asked = self.requests.send(Box::new(Request::Ask { ask, done })).await;
            asked.map_err(|_| self.has_ended())?;
            Ok(waiting.await.map_err(|_| self.has_ended())??)
        };
        tokio::time::timeout(ANSWER_TIMEOUT, answer).await.unwrap_or(Err(NoAnswer::Late.into()))
    }

    fn has_ended(&self) -> ClientError {
        ended(&self.ended).into()
    }

    async fn control(&self, control: Control) -> Result<(), ClientError> {
        self.controls.send(Box::new(control)).await.map_err(|_| self.has_ended())
    }
}

/// One attempt; none if the client has ended.
pub(crate) async fn connect(
    controls: &mpsc::Sender<Box<Control>>,
    token: String,
) -> Option<Result<Connection, ClientError>> {
    let (done, waiting) = oneshot::channel();
    controls.send(Box::new(Control::Connect { token, done })).await.ok()?;
    waiting.await.ok()
}
