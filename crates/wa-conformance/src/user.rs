//! A third party's user as a check needs one: enlisted, with a store and a client.

use std::sync::Arc;
use std::time::Duration;

use rand::rngs::SysRng;
use rand_core::UnwrapErr;
use serde_json::json;
use wa_interop::binary::Jid;
use wa_interop::chat::{AccountKeys, Content, Event, MemoryStore, MessageId};
use wa_interop::http::{HyperClient, Limits, PlainHttp};
use wa_interop::{Client, EnlistmentError, TcpConnector, enlist};

use crate::environment::{Environment, INTEGRATOR, PHONE};
use crate::failure::Failure;

/// How long a check waits for an event.
const PATIENCE: Duration = Duration::from_secs(20);

/// One user.
#[derive(Debug)]
pub(crate) struct User {
    pub(crate) name: String,
    pub(crate) keys: AccountKeys,
    pub(crate) login: Jid,
    pub(crate) store: Arc<MemoryStore>,
    pub(crate) client: Client,
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
        let http = HyperClient::new(Limits::default()).with_plain_http(PlainHttp::Http1);
        Ok(enlist(&http, &self.profile(), &keys.public(), integrator, name, token).await)
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
        let store = Arc::new(MemoryStore::default());
        Client::create(&store, &keys).await?;
        let client = self.open(Arc::clone(&store)).await?;
        client.enlisted(login.clone()).await?;
        Ok(User { name: name.to_owned(), keys, login, store, client })
    }

    /// A new user, connected.
    pub(crate) async fn connected(&self, name: &str) -> Result<User, Failure> {
        let user = self.user(name).await?;
        user.client.connect(self.issue(name).await?).await?;
        Ok(user)
    }

    /// A client over a store.
    pub(crate) async fn open(&self, store: Arc<MemoryStore>) -> Result<Client, Failure> {
        self.open_at(&self.sandbox.chat, store).await
    }

    /// A client over a store, whose chatd is reached at another address.
    pub(crate) async fn open_at(&self, chat: &str, store: Arc<MemoryStore>) -> Result<Client, Failure> {
        let chatd = TcpConnector::to(chat);
        Ok(Client::open(store, chatd, self.profile(), self.root()?).await?)
    }

    /// The phone writes to a login.
    pub(crate) async fn phone_writes(&self, to: &Jid, text: &str) -> Result<(), Failure> {
        let message = json!({ "to": to.to_string(), "text": text });
        self.control(&format!("phones/{PHONE}/send"), message).await.map(drop)
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
                Event::Receipt { event, .. } => self.client.confirm(event).await?,
                Event::Connected => {}
                other => return Err(Failure(format!("instead of a text: {other:?}"))),
            }
        }
    }

    /// Waits for the next event.
    pub(crate) async fn next(&mut self) -> Result<Event, Failure> {
        let event = tokio::time::timeout(PATIENCE, self.client.next_event()).await;
        event.map_err(|_| Failure::new("no event came"))?.ok_or_else(|| Failure::new("the client has ended"))
    }

    /// Ends the client and opens another one over the same store.
    pub(crate) async fn restart(self, environment: &Environment) -> Result<Self, Failure> {
        self.client.shutdown().await;
        let client = environment.open(Arc::clone(&self.store)).await?;
        Ok(Self { client, ..self })
    }
}
