//! A whole world to chat in: the service, the local WhatsApp, and a phone that reads, types and answers.

use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::process::Command;
use wa_interop::TcpConnector;
use wa_interop::binary::Jid;
use wa_interop::noise::TrustRoot;
use wa_interop::profile::Profile;

use crate::checks::eventually;
use crate::report::failure::Failure;
use crate::rules::Rules;
use crate::target::environment::{Environment, INTEGRATOR, PHONE};
use crate::target::tokens::{ask_for_token, credential, unix_now};

/// The world of one chat; it ends with this value.
#[derive(Debug)]
pub struct Playground {
    environment: Environment,
}

/// Where the service issues tokens, and the secret that it shares with its backend.
#[derive(Serialize, Deserialize)]
struct Service {
    token: String,
    secret: String,
}

/// Where everything of a playground is, for another process.
#[derive(Clone, Serialize, Deserialize)]
pub struct World {
    service: String,
    enlist: String,
    chat: String,
    root: [u8; 32],
}

impl World {
    /// A fresh token for a user of the service.
    ///
    /// # Errors
    /// The service refuses, or is not there.
    pub async fn token(&self, user: &str) -> Result<String, Failure> {
        let service: Service = serde_json::from_str(&self.service)?;
        ask_for_token(&service.token, &hex::decode(service.secret)?, user).await
    }

    /// The reference offer's profile, with the local WhatsApp in place of the real one.
    #[must_use]
    pub fn profile(&self) -> Profile {
        let mut profile = Profile::reference_offer_1_0_3();
        profile.enlistment.url.clone_from(&self.enlist);
        profile
    }

    /// The way to the local chatd.
    #[must_use]
    pub fn chatd(&self) -> TcpConnector {
        TcpConnector::to(&self.chat)
    }

    /// What its certificates come from.
    #[must_use]
    pub fn root(&self) -> TrustRoot {
        TrustRoot::new(wa_interop::keys::PublicKey::from_bytes(self.root))
    }
}

const USER: &str = "alice";

impl Playground {
    /// Starts everything in this process.
    ///
    /// # Errors
    /// A server does not start.
    pub async fn start(rules: impl Into<Rules>) -> Result<Self, Failure> {
        let environment = Environment::in_process(rules).await?;
        environment.control(&format!("phones/{PHONE}/manners"), json!({ "lively": true })).await?;
        Ok(Self { environment })
    }

    /// The command that chats in this world with the program `wa`, which gets tokens and credentials from shell commands.
    #[must_use]
    pub fn chat(&self, wa: &Path, token_command: &str, credential_command: &str) -> Command {
        let environment = &self.environment;
        let sandbox = &environment.sandbox;
        let data = environment.own().map(|own| own.data.path().to_owned()).unwrap_or_default();
        let service = self.service().unwrap_or_default();
        let mut command = Command::new(wa);
        command
            .args(["chat", PHONE, "--user", USER, "--profile", environment.rules().name()])
            .args(["--integrator", &INTEGRATOR.to_string(), "--enlist", &sandbox.enlist])
            .args(["--chat", &sandbox.chat, "--root", &sandbox.noise_root])
            .arg("--store")
            .arg(data.join("chat.db"))
            .arg("--key-file")
            .arg(data.join("chat.key"))
            .args(["--token-command", token_command])
            .args(["--credential-command", credential_command, "--media-url", &environment.base()])
            .args(["--media-origin", &sandbox.media])
            .env("WA_PLAYGROUND", service)
            .kill_on_drop(true);
        command
    }

    /// Where everything is.
    ///
    /// # Errors
    /// The service's secret cannot be read.
    pub fn world(&self) -> Result<World, Failure> {
        let sandbox = &self.environment.sandbox;
        Ok(World {
            service: self.service()?,
            enlist: sandbox.enlist.clone(),
            chat: sandbox.chat.clone(),
            root: <[u8; 32]>::try_from(hex::decode(&sandbox.noise_root)?.as_slice())?,
        })
    }

    fn service(&self) -> Result<String, Failure> {
        let own = self.environment.own()?;
        let (token, secret) = (own.token.clone(), hex::encode(own.secret()?));
        Ok(serde_json::to_string(&Service { token, secret })?)
    }

    /// A fresh token for a user of the service.
    ///
    /// # Errors
    /// The service refuses, or is not there.
    pub async fn issue(&self, user: &str) -> Result<String, Failure> {
        self.environment.issue(user).await
    }

    /// The document's profile, with the local WhatsApp in place of the real one.
    #[must_use]
    pub fn profile(&self) -> Profile {
        self.environment.profile()
    }

    /// The way to the local chatd.
    #[must_use]
    pub fn chatd(&self) -> TcpConnector {
        TcpConnector::to(&self.environment.sandbox.chat)
    }

    /// What its certificates come from.
    ///
    /// # Errors
    /// The sandbox has said nonsense.
    pub fn root(&self) -> Result<TrustRoot, Failure> {
        self.environment.root()
    }

    /// Asks the control interface of the local WhatsApp.
    ///
    /// # Errors
    /// It refuses, or is gone.
    pub async fn control(&self, path: &str, body: Value) -> Result<Value, Failure> {
        self.environment.control(path, body).await
    }

    /// The service signs with a new key from now on, as its operator would have it; the old one stays published.
    ///
    /// # Errors
    /// The service's keys cannot be read, or are too new.
    pub async fn rotate_keys(&self) -> Result<(), Failure> {
        Ok(self.environment.own()?.keeper()?.rotate(unix_now()).await?)
    }

    /// The phone writes a text to a login.
    ///
    /// # Errors
    /// The login is not known.
    pub async fn phone_writes(&self, to: &Jid, text: &str) -> Result<(), Failure> {
        self.environment.phone_writes(to, text).await
    }

    /// The phone answers texts, or only listens.
    ///
    /// # Errors
    /// The sandbox is gone.
    pub async fn phone_answers(&self, answers: bool) -> Result<(), Failure> {
        let path = format!("phones/{PHONE}/manners");
        self.environment.control(&path, json!({ "answers": answers, "lively": false })).await.map(drop)
    }

    /// Waits until the phone has these texts of a login, and no others.
    ///
    /// # Errors
    /// It does not come to that.
    pub async fn phone_has(&self, from: &Jid, texts: &[&str]) -> Result<(), Failure> {
        let from = from.to_string();
        eventually(async || Ok(self.environment.received(&from).await? == texts)).await
    }

    /// The base URL of the service's own server.
    #[must_use]
    pub fn base(&self) -> String {
        self.environment.base()
    }

    /// What the service recognises a user by.
    ///
    /// # Errors
    /// The service's secret cannot be read.
    pub fn credential(&self, user: &str) -> Result<String, Failure> {
        self.environment.credential(user)
    }

    /// The same for the service that `chat` names in its environment.
    ///
    /// # Errors
    /// It names none.
    pub fn credential_of(service: &str) -> Result<String, Failure> {
        let service: Service = serde_json::from_str(service)?;
        credential(&hex::decode(service.secret)?, USER)
    }

    /// What the phone shows of the last thing that it received.
    ///
    /// # Errors
    /// It has received nothing.
    pub async fn phone_shows(&self) -> Result<Value, Failure> {
        let phone = self.environment.observe(&format!("phones/{PHONE}")).await?;
        let last = phone.get("received").and_then(Value::as_array).and_then(|received| received.last());
        last.cloned().ok_or_else(|| Failure::new("the phone has received nothing"))
    }

    /// The phone sends a document of so many bytes to the user who wrote last; gives what the message says of it.
    ///
    /// # Errors
    /// Nobody has written.
    pub async fn phone_sends_document(&self, length: usize) -> Result<Value, Failure> {
        let file = json!({ "class": "document", "length": length });
        let mut file = self.environment.control("media", file).await?;
        if let Some(said) = file.as_object_mut() {
            said.insert("kind".to_owned(), json!("document"));
            said.insert("mime".to_owned(), json!("text/plain"));
        }
        let to = self.phone_shows().await?.get("from").cloned();
        self.environment.phone_does("send", json!({ "to": to, "media": file })).await?;
        Ok(file)
    }

    /// A fresh token of the service that `chat` names in its environment.
    ///
    /// # Errors
    /// The service refuses, or is not there.
    pub async fn token(service: &str) -> Result<String, Failure> {
        let service: Service = serde_json::from_str(service)?;
        ask_for_token(&service.token, &hex::decode(service.secret)?, USER).await
    }
}
