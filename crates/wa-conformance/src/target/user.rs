//! A third party's user as a check needs one: enlisted, with a store and a client.

use std::sync::Arc;
use std::time::Duration;

use rand::rngs::SysRng;
use rand_core::UnwrapErr;
use serde_json::{Value, json};
use wa_interop::binary::Jid;
use wa_interop::chat::{AccountKeys, Content, Event, MemoryStore, MessageId, PublicKeys, Status};
use wa_interop::http::{HttpLimits, HyperClient, PlainHttp};
use wa_interop::profile::Profile;
use wa_interop::{Client, EnlistmentError, Events, TcpConnector, enlist};

use crate::checks::patience::patience;
use crate::prove::{ClientFault, Fault, SabotagedStore, Side};
use crate::report::failure::Failure;
use crate::target::environment::{Environment, INTEGRATOR, PHONE};

/// How long a check waits for an event.
const PATIENCE: Duration = Duration::from_secs(20);

/// One user with this project's client.
#[derive(Debug)]
pub(crate) struct User {
    pub(crate) name: String,
    pub(crate) keys: AccountKeys,
    pub(crate) login: Jid,
    pub(crate) store: Arc<MemoryStore>,
    pub(crate) client: Client,
    pub(crate) events: Events,
}

impl Environment {
    /// Enlists keys with a token, as a client of this project does it.
    pub(crate) async fn enlist(
        &self,
        integrator: u16,
        name: &str,
        keys: &AccountKeys,
        token: &str,
    ) -> Result<Result<Jid, EnlistmentError>, Failure> {
        self.enlist_public(integrator, name, &keys.public(), token).await
    }

    /// The same, with the public keys alone.
    pub(crate) async fn enlist_public(
        &self,
        integrator: u16,
        name: &str,
        keys: &PublicKeys,
        token: &str,
    ) -> Result<Result<Jid, EnlistmentError>, Failure> {
        self.enlist_as(&self.profile_of(Side::Client)?, integrator, name, keys, token).await
    }

    /// The same, under other assumptions.
    pub(crate) async fn enlist_as(
        &self,
        profile: &Profile,
        integrator: u16,
        name: &str,
        keys: &PublicKeys,
        token: &str,
    ) -> Result<Result<Jid, EnlistmentError>, Failure> {
        let http = HyperClient::new(HttpLimits::default()).with_plain_http(PlainHttp::Http1);
        let enlisted = enlist(&http, profile, keys, integrator, name, token).await;
        if let Ok(login) = &enlisted {
            self.enlisted(login);
        }
        Ok(enlisted)
    }

    /// A new user, enlisted and not connected.
    pub(crate) async fn user(&self, name: &str) -> Result<User, Failure> {
        self.user_with_keys(name, |_| {}).await
    }

    /// A new user whose client holds other keys than were enlisted.
    pub(crate) async fn user_with_keys(
        &self,
        name: &str,
        change: impl FnOnce(&mut AccountKeys),
    ) -> Result<User, Failure> {
        let mut keys = AccountKeys::generate(&mut UnwrapErr(SysRng));
        let login = self.enlist(INTEGRATOR, name, &keys, &self.issue(name).await?).await??;
        change(&mut keys);
        self.user_of(login, keys, name).await
    }

    /// A user with a login that is there already.
    pub(crate) async fn user_of(&self, login: Jid, keys: AccountKeys, name: &str) -> Result<User, Failure> {
        let store = Arc::new(MemoryStore::default());
        Client::create(&store, &keys).await?;
        let (client, events) = self.open(Arc::clone(&store)).await?;
        client.enlisted(login.clone()).await?;
        if self.client_fault() == Some(ClientFault::Eager) {
            client.connect(self.issue(name).await?).await?;
        }
        Ok(User { name: name.to_owned(), keys, login, store, client, events })
    }

    /// A new user, connected.
    pub(crate) async fn connected(&self, name: &str) -> Result<User, Failure> {
        let user = self.user(name).await?;
        user.connect(self).await?;
        Ok(user)
    }

    /// A client over a store.
    pub(crate) async fn open(&self, store: Arc<MemoryStore>) -> Result<(Client, Events), Failure> {
        self.open_at(&self.sandbox.chat, store).await
    }

    /// A client over a store, whose chatd is reached at another address.
    pub(crate) async fn open_at(
        &self,
        chat: &str,
        store: Arc<MemoryStore>,
    ) -> Result<(Client, Events), Failure> {
        self.open_over(chat, store, self.profile_of(Side::Client)?).await
    }

    /// A client over a store, with other assumptions.
    pub(crate) async fn open_with(
        &self,
        store: &Arc<MemoryStore>,
        profile: Profile,
    ) -> Result<(Client, Events), Failure> {
        let profile = Fault::profile_of(self.fault.as_ref(), Side::Client, &profile)?;
        self.open_over(&self.sandbox.chat, Arc::clone(store), profile).await
    }

    async fn open_over(
        &self,
        chat: &str,
        store: Arc<MemoryStore>,
        profile: Profile,
    ) -> Result<(Client, Events), Failure> {
        let fault = match self.fault {
            Some(Fault::Store(fault)) => Some(fault),
            _ => None,
        };
        let store = SabotagedStore(store, fault);
        Ok(Client::open(store, TcpConnector::to(chat), profile, self.root()?).await?)
    }

    /// The phone writes to a login.
    pub(crate) async fn phone_writes(&self, to: &Jid, text: &str) -> Result<(), Failure> {
        self.phone_sends(to, json!({ "text": text })).await.map(drop)
    }

    /// The phone sends some content to a login; gives the message's id.
    pub(crate) async fn phone_sends(&self, to: &Jid, mut content: Value) -> Result<MessageId, Failure> {
        if let Some(content) = content.as_object_mut() {
            content.insert("to".to_owned(), to.to_string().into());
        }
        let sent = self.phone_does("send", content).await?;
        let id = sent.get("id").and_then(Value::as_str);
        id.map(|id| MessageId(id.to_owned())).ok_or_else(|| Failure::new("no id"))
    }

    /// The phone does something; see the sandbox's control interface.
    pub(crate) async fn phone_does(&self, what: &str, with: Value) -> Result<Value, Failure> {
        self.control(&format!("phones/{PHONE}/{what}"), with).await
    }

    /// What the phone has of a login in one of its lists.
    pub(crate) async fn at_phone(&self, list: &str, from: &Jid) -> Result<Vec<Value>, Failure> {
        let phone = self.observe(&format!("phones/{PHONE}")).await?;
        let all = phone.get(list).and_then(Value::as_array).cloned().unwrap_or_default();
        let login = json!(from.to_string());
        Ok(all.into_iter().filter(|item| item.get("from") == Some(&login)).collect())
    }
}

impl User {
    /// Sends a text to the phone.
    pub(crate) async fn write(&self, id: &str, text: &str) -> Result<(), Failure> {
        let to = Jid::phone(PHONE)?;
        Ok(self.client.send(to, MessageId(id.to_owned()), Content::text(text)).await?)
    }

    /// Waits for the next text and confirms it; other events are confirmed and passed over.
    pub(crate) async fn read(&mut self) -> Result<String, Failure> {
        loop {
            match self.next().await? {
                Event::Message { event, content: Content::Text(text), .. } => {
                    self.client.confirm(event).await?;
                    return Ok(text.body);
                }
                Event::Receipt { event, .. } | Event::DevicesChanged { event, .. } => {
                    self.client.confirm(event).await?;
                }
                Event::Connected => {}
                other => return Err(Failure(format!("instead of a text: {other:?}"))),
            }
        }
    }

    /// Waits for the next event. The first contact with a user, and that the server has a message, are confirmed and passed
    /// over; what is said of the mailbox is passed over.
    pub(crate) async fn next(&mut self) -> Result<Event, Failure> {
        loop {
            match self.next_of_all().await? {
                Event::DevicesChanged { event, is_first: true, .. }
                | Event::Receipt { event, status: Status::Sent, .. } => self.client.confirm(event).await?,
                Event::MailboxWaits { .. } | Event::MailboxEmpty { .. } => {}
                event => return Ok(event),
            }
        }
    }

    /// Waits for the next event, whatever it is.
    pub(crate) async fn next_of_all(&mut self) -> Result<Event, Failure> {
        let event = tokio::time::timeout(patience(PATIENCE), self.events.next()).await;
        Ok(event.map_err(|_| Failure::new("no event came"))??)
    }

    /// Waits for an event that `wanted` picks; others are confirmed and passed over.
    pub(crate) async fn until<T>(&mut self, wanted: impl Fn(&Event) -> Option<T>) -> Result<T, Failure> {
        loop {
            let event = self.next().await?;
            if let Some(id) = event.id() {
                self.client.confirm(id).await?;
            }
            if let Some(found) = wanted(&event) {
                return Ok(found);
            }
        }
    }

    /// Waits for the next message and confirms it.
    pub(crate) async fn message(&mut self) -> Result<(MessageId, Content), Failure> {
        self.until(|event| match event {
            Event::Message { id, content, .. } => Some((id.clone(), content.clone())),
            _ => None,
        })
        .await
    }

    /// Waits for the next text, whatever comes before it, and confirms it.
    pub(crate) async fn text(&mut self) -> Result<String, Failure> {
        let text = |content: Content| content.as_text().map(str::to_owned);
        text(self.message().await?.1).ok_or_else(|| Failure::new("no text"))
    }

    /// Connects with a fresh token.
    pub(crate) async fn connect(&self, environment: &Environment) -> Result<(), Failure> {
        Ok(self.client.connect(environment.issue(&self.name).await?).await?)
    }

    /// Ends the client and opens another one over the same store.
    pub(crate) async fn restart(self, environment: &Environment) -> Result<Self, Failure> {
        self.client.close().await;
        if environment.client_fault() == Some(ClientFault::Forgetful) {
            return environment.user_of(self.login, self.keys, &self.name).await;
        }
        let (client, events) = environment.open(Arc::clone(&self.store)).await?;
        Ok(Self { client, events, ..self })
    }
}
