//! The client, as every language holds it.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::Instant;
use wa_interop::TcpConnector;
use wa_interop::chat::{EventId, IdentityPolicy, Mark, MessageId, Reach, Typing};
use wa_interop::keys::PublicKey;
use wa_interop::noise::{TrustRoot, WHATSAPP_ROOT};
use wa_interop::profile::Profile;

use crate::content::{Content, address, bytes32};
use crate::error::WaError;
use crate::event::{Event, Told, Turns};
use crate::http::{Brought, Http};
use crate::store::Account;
use crate::tasks::{Canceller, Draining, Source, Staying, Tokens, unless};

/// Under which rules, and with whom, a client speaks.
#[derive(Clone, Debug, uniffi::Record)]
pub struct Options {
    /// A document, `overview` or `1.0.3`; unless the library was built without `profiles`, a profile's path or its text in TOML
    /// as well.
    pub profile: String,
    /// Host and port of chatd, if not the profile's.
    #[uniffi(default = None)]
    pub chat: Option<String>,
    /// What chatd's certificates come from, 32 bytes, if not WhatsApp's.
    #[uniffi(default = None)]
    pub root: Option<Vec<u8>>,
    /// URL of the enlistment API, if not the profile's.
    #[uniffi(default = None)]
    pub enlist: Option<String>,
    /// Whether messages to a user with a new identity wait until `accept_identity`.
    #[uniffi(default = false)]
    pub hold_new_identities: bool,
}

/// One account's client. It ends with `shut_down`, or with this object.
#[derive(Debug, uniffi::Object)]
pub struct Client {
    client: wa_interop::Client,
    turns: Mutex<Turns>,
    profile: Profile,
}

/// What two people compare to know that nobody stands between them.
#[derive(Clone, Debug, uniffi::Record)]
pub struct Safety {
    /// Sixty decimal digits, to be compared with the other side's.
    pub digits: String,
    /// What a QR code holds.
    pub scannable: Vec<u8>,
}

/// Opens the account's client, and makes the account where there is none.
///
/// # Errors
/// The account cannot be read, or an option is malformed.
#[uniffi::export(async_runtime = "tokio")]
pub async fn open_client(account: Arc<Account>, options: Options) -> Result<Arc<Client>, WaError> {
    let profile = options.profile()?;
    let chatd = options.chat.as_ref().map_or_else(|| TcpConnector::new(&profile), TcpConnector::to);
    let root = match options.root.clone() {
        Some(root) => TrustRoot::new(PublicKey::from_bytes(bytes32(root, "a root")?)),
        None => WHATSAPP_ROOT,
    };
    let policy = if options.hold_new_identities { IdentityPolicy::Hold } else { IdentityPolicy::Notify };
    let keys = wa_interop::chat::AccountKeys::generate(&mut rand::rng());
    match wa_interop::Client::create(&account.0, &keys).await {
        Ok(()) | Err(wa_interop::ClientError::State(_)) => {}
        Err(error) => return Err(error.into()),
    }
    let opened =
        wa_interop::Client::open_with(account.0.clone(), chatd, profile.clone(), root, policy).await?;
    let (client, events) = opened;
    Ok(Arc::new(Client { client, turns: Mutex::new(Turns::new(events)), profile }))
}

#[uniffi::export(async_runtime = "tokio")]
impl Client {
    /// Has the account enlisted over the platform's HTTP, if it has no login yet; gives the login.
    ///
    /// # Errors
    /// WhatsApp refuses, or does not answer.
    pub async fn enlist(
        &self,
        http: Arc<dyn Http>,
        integrator: u16,
        user: String,
        token: String,
    ) -> Result<String, WaError> {
        if let Some(login) = self.client.login().await? {
            return Ok(login.to_string());
        }
        let keys = self.client.public_keys().await?;
        let enlisted =
            wa_interop::enlist(&Brought(http), &self.profile, &keys, integrator, &user, &token).await?;
        self.client.enlisted(enlisted.clone()).await?;
        Ok(enlisted.to_string())
    }

    /// The login that WhatsApp assigned; none before the enlistment.
    ///
    /// # Errors
    /// The client has ended.
    pub async fn login(&self) -> Result<Option<String>, WaError> {
        Ok(self.client.login().await?.map(|login| login.to_string()))
    }

    /// Connects and logs in with a fresh token, once.
    ///
    /// # Errors
    /// Why the login does not stand.
    #[uniffi::method(default(canceller = None))]
    pub async fn connect(&self, token: String, canceller: Option<Arc<Canceller>>) -> Result<(), WaError> {
        unless(canceller, async { Ok(self.client.connect(token).await?) }).await
    }

    /// Connects, and again whenever the connection ends, until that cannot help or it is cancelled.
    pub async fn stay_connected(&self, tokens: Arc<dyn Tokens>) -> Arc<Staying> {
        Staying::start(self.client.stay_connected(Source(tokens)))
    }

    /// Ends the connection, or the attempt to make one.
    ///
    /// # Errors
    /// The client has ended.
    pub async fn disconnect(&self) -> Result<(), WaError> {
        Ok(self.client.disconnect().await?)
    }

    /// The next event; none if none comes within this time. One call at a time.
    ///
    /// Give it a time instead of cancelling it: the event that was on its way to a cancelled call comes again only when the
    /// account is opened again. `event_after` can be cancelled.
    ///
    /// # Errors
    /// Why there will be none any more.
    pub async fn next_event(&self, within_millis: u64) -> Result<Option<Event>, WaError> {
        let next = async { self.turns.lock().await.next().await };
        match tokio::time::timeout(Duration::from_millis(within_millis), next).await {
            Ok(told) => Ok(Some(told?.event)),
            Err(_) => Ok(None),
        }
    }

    /// The event after this turn, 0 before the first; waits as long as it takes. The turn before it is done with.
    ///
    /// Cancel it as you like: an event whose answer was lost is the answer to the next call with the same turn. The streams
    /// of each language (`Events`) are this call in a loop.
    ///
    /// # Errors
    /// Why there will be none any more; `Cancelled`.
    #[uniffi::method(default(canceller = None))]
    pub async fn event_after(&self, turn: u64, canceller: Option<Arc<Canceller>>) -> Result<Told, WaError> {
        unless(canceller, async { Ok(self.turns.lock().await.after(turn).await?) }).await
    }

    /// Says that this event and every one before it were dealt with; returns when that is durable.
    ///
    /// # Errors
    /// The client has ended.
    pub async fn confirm_through(&self, number: u64) -> Result<(), WaError> {
        Ok(self.client.confirm_through_id(EventId(number)).await?)
    }

    /// Sends content; returns when it is durable. The same id again is the same message. `to` is an address, or a phone
    /// number with a +.
    ///
    /// # Errors
    /// It is too long, or the client has ended.
    pub async fn send(&self, to: String, id: String, content: Content) -> Result<(), WaError> {
        Ok(self.client.send(address(&to)?, MessageId::from(id), content.try_into()?).await?)
    }

    /// Says that the user has read messages, or played them.
    ///
    /// # Errors
    /// The client has ended.
    pub async fn mark_read(&self, from: String, ids: Vec<String>, played: bool) -> Result<(), WaError> {
        let ids = ids.into_iter().map(MessageId::from).collect();
        let mark = if played { Mark::Played } else { Mark::Read };
        Ok(self.client.mark(address(&from)?, ids, mark).await?)
    }

    /// Shows what the user is doing right now, if there is a connection.
    ///
    /// # Errors
    /// The client has ended.
    pub async fn typing(&self, to: String, is_active: bool) -> Result<(), WaError> {
        let typing = if is_active { Typing::Composing } else { Typing::Paused };
        Ok(self.client.typing(address(&to)?, typing).await?)
    }

    /// Empties the mailbox beside the loop that takes the events, for so long at most.
    pub async fn drain(&self, budget_millis: u64) -> Arc<Draining> {
        let (client, until) = (self.client.clone(), Instant::now() + Duration::from_millis(budget_millis));
        Draining::start(async move { client.drain(until).await })
    }

    /// Whom the user has blocked.
    ///
    /// # Errors
    /// There is no connection, or WhatsApp refuses; so for all that follow.
    pub async fn blocklist(&self) -> Result<Vec<String>, WaError> {
        Ok(self.client.blocklist().await?.iter().map(ToString::to_string).collect())
    }

    /// Blocks somebody, or no longer.
    ///
    /// # Errors
    /// See `blocklist`.
    pub async fn block(&self, who: String, is_blocked: bool) -> Result<(), WaError> {
        let who = address(&who)?;
        let done = if is_blocked { self.client.block(who).await } else { self.client.unblock(who).await };
        done.map_err(Into::into)
    }

    /// Pings a WhatsApp user who does not know this one yet; whether there is one.
    ///
    /// # Errors
    /// See `blocklist`.
    pub async fn reach(&self, who: String) -> Result<bool, WaError> {
        Ok(self.client.reach(address(&who)?).await? == Reach::Told)
    }

    /// What to compare with a peer; none before the first contact.
    ///
    /// # Errors
    /// The client has ended.
    pub async fn safety_number(&self, peer: String) -> Result<Option<Safety>, WaError> {
        let number = self.client.safety_number(address(&peer)?).await?;
        Ok(number.map(|it| Safety { digits: it.to_string(), scannable: it.scannable().to_vec() }))
    }

    /// Accepts a peer's new identity: what is held because of it goes out. `address` has the device's number.
    ///
    /// # Errors
    /// The client has ended.
    pub async fn accept_identity(&self, peer: String, key: Vec<u8>) -> Result<(), WaError> {
        let key = PublicKey::from_bytes(bytes32(key, "an identity key")?);
        Ok(self.client.accept_identity(address(&peer)?, key).await?)
    }

    /// Deletes the account on WhatsApp, and every row of it here.
    ///
    /// # Errors
    /// See `blocklist`.
    pub async fn delete_account(&self) -> Result<(), WaError> {
        Ok(self.client.delete_account().await?)
    }

    /// Ends the client: what is under way becomes durable first.
    pub async fn shut_down(&self) {
        self.client.clone().close().await;
    }
}

impl Options {
    fn profile(&self) -> Result<Profile, WaError> {
        let mut profile = named(&self.profile)?;
        if let Some(url) = &self.enlist {
            profile.enlistment.url.clone_from(url);
        }
        Ok(profile)
    }
}

/// A document's profile, a file's, or that of a text.
#[cfg(feature = "profiles")]
pub(crate) fn named(profile: &str) -> Result<Profile, WaError> {
    if profile.contains('\n') {
        Profile::from_toml(profile).map_err(WaError::argument)
    } else {
        Profile::open(profile).map_err(WaError::argument)
    }
}

/// A document's profile.
#[cfg(not(feature = "profiles"))]
pub(crate) fn named(profile: &str) -> Result<Profile, WaError> {
    Profile::from_document(profile)
        .ok_or_else(|| WaError::argument(format!("no document's name: {profile:?}")))
}
