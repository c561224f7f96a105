//! This project's own client as a device.

use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

use async_trait::async_trait;
use rand::rngs::SysRng;
use rand_core::UnwrapErr;
use sha2::{Digest, Sha256};
use tokio::time::{Instant, timeout_at};
use wa_interop::binary::{EncodeOptions, Jid, Limits, Node, Packing, decode, encode};
use wa_interop::chat::{
    AccountKeys, Content, DisconnectReason, Event, Mark, Media, MessageId, Refusal, Status, Typing,
};
use wa_interop::http::{HttpLimits, HyperClient, PlainHttp};
use wa_interop::keys::PublicKey;
use wa_interop::noise::TrustRoot;
use wa_interop::profile::Profile;
use wa_interop::store::{AccountId, SqliteStore, StoreKey};
use wa_interop::{Client, ClientError, EnlistmentError, Events, MediaTransfer, TcpConnector, enlist};

use crate::report::failure::Failure;
use crate::target::device::{Answer, Command, Device, Happening, Outcome, Place, Refused, Why};

const STORE: &str = "store.db";
const KEY: &str = "store.key";
const ACCOUNT: &str = "conformance";

/// The client of one user, over a store in a directory.
#[derive(Debug, Default)]
pub(crate) struct OwnDevice {
    open: Option<Open>,
}

#[derive(Debug)]
struct Open {
    place: Place,
    profile: Profile,
    client: Client,
    events: Events,
    /// Files of messages that came, by the messages' ids.
    media: HashMap<String, Media>,
}

/// Why a command was not done.
enum Undone {
    Refused(Refused),
    Failed(Failure),
}

type Done = Result<Outcome, Undone>;

#[async_trait]
impl Device for OwnDevice {
    async fn ask(&mut self, command: Command) -> Result<Answer, Failure> {
        let done = match (command, &mut self.open) {
            (Command::Open(place), None) => match Open::at(*place).await {
                Ok(open) => {
                    self.open = Some(open);
                    Ok(Outcome::default())
                }
                Err(failure) => Err(failure.into()),
            },
            (Command::Open(_), Some(_)) => Err(Failure::new("it is open already").into()),
            (Command::Decode { bytes }, _) => read(&bytes),
            (Command::Encode { xml }, _) => written(&xml),
            (_, None) => Err(Failure::new("the first command is open").into()),
            (command, Some(open)) => open.done(command).await,
        };
        Ok(match done {
            Ok(outcome) => Answer::Ok(outcome),
            Err(Undone::Refused(refused)) => Answer::Refused(refused),
            Err(Undone::Failed(failure)) => Answer::Failed(failure.0),
        })
    }

    async fn end(self: Box<Self>) {
        if let Some(open) = self.open {
            open.client.close().await;
        }
    }
}

impl Open {
    async fn at(place: Place) -> Result<Self, Failure> {
        let mut profile = Profile::open(&place.profile)?;
        profile.enlistment.url.clone_from(&place.enlist);
        profile.media.whatsapp_origin.clone_from(&place.media);
        let root = TrustRoot::new(PublicKey::from_slice(&hex::decode(&place.noise_root)?)?);
        let state = Path::new(&place.state);
        let (path, id) = (state.join(STORE), AccountId::new(ACCOUNT)?);
        let account = if path.exists() {
            let key = hex::decode(std::fs::read_to_string(state.join(KEY))?)?;
            SqliteStore::open(&path, &StoreKey::from_bytes(key.as_slice().try_into()?))?.account(&id)?
        } else {
            let key = StoreKey::generate();
            std::fs::write(state.join(KEY), hex::encode(key.as_bytes()))?;
            let account = SqliteStore::create(&path, &key)?.account(&id)?;
            Client::create(&account, &AccountKeys::generate(&mut UnwrapErr(SysRng))).await?;
            account
        };
        let chatd = TcpConnector::to(&place.chat);
        let (client, events) = Client::open(account, chatd, profile.clone(), root).await?;
        Ok(Self { place, profile, client, events, media: HashMap::new() })
    }

    async fn done(&mut self, command: Command) -> Done {
        let nothing = |()| Outcome::default();
        match command {
            Command::Enlist { user, token } => self.enlist(&user, &token).await,
            Command::Connect { token } => Ok(self.client.connect(token).await.map(nothing)?),
            Command::Disconnect => Ok(self.client.disconnect().await.map(nothing)?),
            Command::Send { to, id, text } => {
                Ok(self.client.send(phone(&to)?, MessageId(id), Content::text(text)).await.map(nothing)?)
            }
            Command::Next { within } => self.next(Duration::from_millis(within)).await,
            Command::Blocklist => {
                let blocked = self.client.blocklist().await?;
                let blocked = blocked.iter().map(number).collect();
                Ok(Outcome { blocked: Some(blocked), ..Outcome::default() })
            }
            Command::Block { user } => Ok(self.client.block(phone(&user)?).await.map(nothing)?),
            Command::Unblock { user } => Ok(self.client.unblock(phone(&user)?).await.map(nothing)?),
            Command::Mark { from, ids } => {
                let ids = ids.into_iter().map(MessageId).collect();
                Ok(self.client.mark(phone(&from)?, ids, Mark::Read).await.map(nothing)?)
            }
            Command::Typing { to } => {
                Ok(self.client.typing(phone(&to)?, Typing::Composing).await.map(nothing)?)
            }
            Command::Fetch { id } => self.fetch(&id).await,
            Command::Delete => Ok(self.client.delete_account().await.map(nothing)?),
            Command::Open(_) | Command::Decode { .. } | Command::Encode { .. } => Ok(Outcome::default()),
        }
    }

    async fn enlist(&self, user: &str, token: &str) -> Done {
        let keys = self.client.public_keys().await?;
        let enlisted = enlist(&http(), &self.profile, &keys, self.place.integrator, user, token).await;
        let login = enlisted.map_err(|error| match error {
            EnlistmentError::Refused(reason) => {
                Undone::Refused(Refused { why: Why::Other, said: format!("{reason:?}") })
            }
            other => Undone::Failed(other.into()),
        })?;
        self.client.enlisted(login.clone()).await?;
        Ok(Outcome { login: Some(login.to_string()), ..Outcome::default() })
    }

    /// The next event that the protocol knows; it is confirmed before it is given.
    async fn next(&mut self, within: Duration) -> Done {
        let until = Instant::now() + within;
        // Only waiting is given up: an event that was taken is told.
        while let Ok(event) = timeout_at(until, self.events.next()).await {
            let event = event.map_err(ClientError::from)?;
            if let Some(id) = event.id() {
                self.client.confirm(id).await?;
            }
            if let Event::Message { id, content: Content::Media(media), .. } = &event {
                self.media.insert(id.0.clone(), (**media).clone());
            }
            if let event @ Some(_) = happening(&event) {
                return Ok(Outcome { event, ..Outcome::default() });
            }
        }
        Ok(Outcome::default())
    }

    async fn fetch(&self, id: &str) -> Done {
        let media = self.media.get(id).ok_or_else(|| Failure(format!("no media message {id} has come")))?;
        let target = Path::new(&self.place.state).join("fetched");
        let transfer = MediaTransfer::new(http(), &self.profile);
        transfer.fetch(media.kind, &media.file, &target, |_| {}).await.map_err(Failure::from)?;
        let plain = std::fs::read(&target).map_err(Failure::from)?;
        std::fs::remove_file(&target).map_err(Failure::from)?;
        Ok(Outcome { sha256: Some(hex::encode(Sha256::digest(plain))), ..Outcome::default() })
    }
}

fn http() -> HyperClient {
    HyperClient::new(HttpLimits::default()).with_plain_http(PlainHttp::Http1)
}

fn phone(number: &str) -> Result<Jid, Failure> {
    Ok(Jid::phone(number)?)
}

fn number(jid: &Jid) -> String {
    jid.user().unwrap_or_default().into_owned()
}

fn read(bytes: &str) -> Done {
    let bytes = hex::decode(bytes).map_err(Failure::from)?;
    match decode(&bytes.into(), &Limits::new()) {
        Ok(node) => Ok(Outcome { xml: Some(node.to_string()), ..Outcome::default() }),
        Err(error) => Err(Undone::Refused(Refused { why: Why::Other, said: error.to_string() })),
    }
}

fn written(xml: &str) -> Done {
    let node: Node = xml.parse().map_err(Failure::from)?;
    let options = EncodeOptions::new().with_packing(Packing::JidsOnly);
    let bytes = encode(&node, &options).map_err(Failure::from)?;
    Ok(Outcome { bytes: Some(hex::encode(bytes)), ..Outcome::default() })
}

/// What the protocol says of an event; nothing for what it passes over.
fn happening(event: &Event) -> Option<Happening> {
    let ids = |ids: &[MessageId]| ids.iter().map(|id| id.0.clone()).collect();
    Some(match event {
        Event::Message { from, id, content: Content::Text(text), .. } => {
            Happening::Text { from: number(from), id: id.0.clone(), text: text.body.clone() }
        }
        Event::Message { from, id, content: Content::Media(_), .. } => {
            Happening::Media { from: number(from), id: id.0.clone() }
        }
        Event::Receipt { by, ids: of, status: Status::Delivered, .. } => {
            Happening::Delivered { by: number(by), ids: ids(of) }
        }
        Event::Receipt { by, ids: of, status: Status::Read, .. } => {
            Happening::Read { by: number(by), ids: ids(of) }
        }
        Event::Typing { from, typing: Typing::Composing, .. } => Happening::Typing { from: number(from) },
        Event::Undecryptable { from, id, .. } => {
            Happening::Undecryptable { from: number(from), id: id.0.clone() }
        }
        Event::Disconnected(reason) => Happening::Disconnected { said: reason.to_string() },
        Event::Connected
        | Event::Receipt { .. }
        | Event::DevicesChanged { .. }
        | Event::MailboxWaits { .. }
        | Event::MailboxEmpty { .. } => return None,
        other => Happening::Other { said: format!("{other:?}") },
    })
}

impl From<Failure> for Undone {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

impl From<ClientError> for Undone {
    fn from(error: ClientError) -> Self {
        let said = error.to_string();
        let why = match error {
            ClientError::Disconnected(reason) => match reason {
                _ if reason.is_impostor() => Why::Certificate,
                DisconnectReason::Refused(Refusal::Token) => Why::Token,
                DisconnectReason::Refused(Refusal::NotEnlisted) => Why::NotEnlisted,
                DisconnectReason::Refused(_) if !reason.is_terminal() => Why::Busy,
                DisconnectReason::Lost | DisconnectReason::GoAway => Why::Lost,
                _ => Why::Other,
            },
            ClientError::Answer(_) => Why::Other,
            other => return Self::Failed(other.into()),
        };
        Self::Refused(Refused { why, said })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::rules::Document;
    use crate::target::environment::Environment;

    #[tokio::test]
    async fn an_event_is_told_however_short_the_wait() {
        let environment = Environment::in_process(Document::ReferenceOffer).await.unwrap();
        let mut user = environment.online("short-wait").await.unwrap();
        environment.phone_writes(&user.login, "hello").await.unwrap();
        for _ in 0..100 {
            environment.account_says(&user.login, "mailbox", &json!(0)).await.unwrap();
            let event = user.tell(Command::Next { within: 0 }).await.unwrap().event;
            if matches!(event, Some(Happening::Text { .. })) {
                return;
            }
        }
        panic!("the text was taken and not told");
    }
}
