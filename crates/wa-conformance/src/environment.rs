//! What the checks run against: an integrator and a local WhatsApp, on loopback ports.

use std::path::Path;
use std::process::Stdio;

use serde::Deserialize;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use wa_interop::integrator::{
    BaseUrl, Clock, ConnectionLimits, DataDirectory, Integrator, Server, SharedSecret, TokenIssuer,
};
use wa_interop::noise::TrustRoot;
use wa_interop::profile::Profile;
use wa_sandbox::{Addresses, Sandbox, WorldConfig};

use crate::exchange::{get_json, post_json};
use crate::failure::Failure;

/// The integrator's id at the local WhatsApp.
pub(crate) const INTEGRATOR: u16 = 1;

/// The WhatsApp user that checks write to.
pub(crate) const PHONE: &str = "14155551001";

/// The versions of the document under which the checks run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Document {
    /// The published overview.
    Overview,
    /// The reference offer, version 1.0.3.
    ReferenceOffer,
}

impl Document {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Overview, Self::ReferenceOffer];

    /// Its name, as the programs know it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Overview => "overview",
            Self::ReferenceOffer => "1.0.3",
        }
    }

    /// Its assumptions.
    #[must_use]
    pub fn profile(self) -> Profile {
        match self {
            Self::Overview => Profile::overview(),
            Self::ReferenceOffer => Profile::reference_offer_1_0_3(),
        }
    }
}

/// Both servers, running.
#[derive(Debug)]
pub struct Environment {
    /// The integrator's base URL.
    pub(crate) base: String,
    /// The integrator's JWKS.
    pub(crate) jwks: String,
    /// Where the integrator issues tokens.
    pub(crate) token: String,
    pub(crate) sandbox: Addresses,
    /// The integrator's keys and secrets: a check may sign what the integrator never would.
    pub(crate) data: TempDir,
    document: Document,
    _processes: Vec<Child>,
}

/// What `wa-integrator` prints when it is ready.
#[derive(Deserialize)]
struct Ready {
    address: String,
    jwks: String,
    token: String,
}

impl Environment {
    /// Starts both programs as processes of their own; they end with this value.
    ///
    /// # Errors
    /// A program does not start, or does not say where it listens.
    pub async fn processes(integrator: &Path, sandbox: &Path, document: Document) -> Result<Self, Failure> {
        let data = tempfile::tempdir()?;
        let mut integrator = Command::new(integrator);
        integrator
            .env("WA_INTEGRATOR_LOG", "warn")
            .args(["--listen", "127.0.0.1:0", "--data-dir"])
            .arg(data.path());
        let (integrator, ready) = start(integrator).await?;
        let ready: Ready = serde_json::from_str(&ready)?;
        let mut sandbox = Command::new(sandbox);
        sandbox.args(["--integrator", &format!("{INTEGRATOR}={}", ready.address), "--phone", PHONE]);
        sandbox.args(["--profile", document.name()]);
        let (sandbox, addresses) = start(sandbox).await?;
        Ok(Self {
            base: ready.address,
            jwks: ready.jwks,
            token: ready.token,
            sandbox: serde_json::from_str(&addresses)?,
            data,
            document,
            _processes: vec![integrator, sandbox],
        })
    }

    /// Starts both in this process.
    ///
    /// # Errors
    /// A server does not start.
    pub async fn in_process(document: Document) -> Result<Self, Failure> {
        let data = tempfile::tempdir()?;
        let rules = document.profile().token;
        let directory = DataDirectory::open(data.path())?;
        let secret = directory.shared_secret(None, &mut rand::rng())?;
        let server = Server::bind(([127, 0, 0, 1], 0).into(), ConnectionLimits::default()).await?;
        let base = BaseUrl::of_loopback(server.address())?;
        let key = directory.signing_key()?;
        let issuer = TokenIssuer::new(key, base.clone(), &rules, rules.lifetime_max)?;
        let authenticator = SharedSecret::new(*secret, rules.user_identifier_chars_max);
        let service = Integrator::new(issuer, authenticator, Clock::system());
        let (jwks, token) = (service.jwks_url().to_string(), service.token_url().to_string());
        tokio::spawn(server.run(service, std::future::pending()));

        let integrators = vec![wa_sandbox::Integrator { id: INTEGRATOR, base_url: base.to_string() }];
        let config = WorldConfig { profile: document.profile(), integrators, phones: vec![PHONE.to_owned()] };
        let sandbox = Sandbox::bind(config, wa_sandbox::Clock::default()).await?;
        let addresses = sandbox.addresses().clone();
        tokio::spawn(sandbox.run(std::future::pending()));
        Ok(Self {
            base: base.to_string(),
            jwks,
            token,
            sandbox: addresses,
            data,
            document,
            _processes: Vec::new(),
        })
    }

    /// The version of the document under which everything runs.
    pub fn document(&self) -> Document {
        self.document
    }

    /// The document's profile, with the local WhatsApp in place of the real one.
    pub(crate) fn profile(&self) -> Profile {
        let mut profile = self.document.profile();
        profile.enlistment.url.clone_from(&self.sandbox.enlist);
        profile
    }

    /// What certificates of the local chatd come from.
    pub(crate) fn root(&self) -> Result<TrustRoot, Failure> {
        let root = hex::decode(&self.sandbox.noise_root)?;
        Ok(TrustRoot::new(wa_interop::keys::PublicKey::from_slice(&root)?))
    }

    /// Reads something behind WhatsApp's back.
    pub(crate) async fn observe(&self, path: &str) -> Result<Value, Failure> {
        get_json(&format!("{}{path}", self.sandbox.control)).await
    }

    /// Does something behind WhatsApp's back.
    pub(crate) async fn control(&self, path: &str, body: Value) -> Result<Value, Failure> {
        post_json(&format!("{}{path}", self.sandbox.control), &body).await
    }

    /// What the phone has received from a login, in order.
    pub(crate) async fn received(&self, from: &str) -> Result<Vec<String>, Failure> {
        let seen = self.observe(&format!("phones/{PHONE}")).await?;
        let received = seen.get("received").and_then(Value::as_array).cloned().unwrap_or_default();
        let is_theirs = |message: &&Value| {
            message.get("from") == Some(&json!(from)) && message.get("device") == Some(&json!(0))
        };
        let theirs = received.iter().filter(is_theirs);
        let text = |message: &Value| message.get("text")?.as_str().map(str::to_owned);
        Ok(theirs.map(|message| text(message).unwrap_or_else(|| "(undecryptable)".to_owned())).collect())
    }
}

/// Starts a program and reads the line that it prints when it is ready.
async fn start(mut command: Command) -> Result<(Child, String), Failure> {
    let name = command.as_std().get_program().to_string_lossy().into_owned();
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| Failure(format!("{name}: {error}")))?;
    let stdout = child.stdout.take().ok_or_else(|| Failure(format!("{name}: no output")))?;
    let line = BufReader::new(stdout).lines().next_line().await?;
    let line = line.ok_or_else(|| Failure(format!("{name} ended before it was ready")))?;
    Ok((child, line))
}
