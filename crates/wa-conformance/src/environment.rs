//! What the checks run against: an integrator and a local WhatsApp, on loopback ports.

use std::io::Write;
use std::path::Path;
use std::process::Stdio;

use serde::Deserialize;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use wa_interop::integrator::{KeyKeeper, SigningKey};
use wa_interop::noise::TrustRoot;
use wa_interop::profile::Profile;
use wa_profile::ProfileFileError;
use wa_sandbox::{Addresses, Sandbox, WorldConfig};

use crate::backend::Backend;
use crate::exchange::{get_json, post_json};
use crate::failure::Failure;
use crate::in_process::{self, Settings};
use crate::proxy::Proxy;

/// The integrator's id at the local WhatsApp.
pub const INTEGRATOR: u16 = 1;

/// The WhatsApp user that checks write to.
pub const PHONE: &str = "14155551001";

/// Another one, about which the server may be silent.
pub(crate) const SILENT_PHONE: &str = "14155551002";

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

/// The rules under which checks run: a document's, or a profile's from a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    name: String,
    profile: Profile,
}

impl Rules {
    /// A document's by its name, or those of the TOML file at this path.
    ///
    /// # Errors
    /// [`ProfileFileError`].
    pub fn open(name_or_path: &str) -> Result<Self, ProfileFileError> {
        Ok(Self { name: name_or_path.to_owned(), profile: Profile::open(name_or_path)? })
    }

    /// Their profile, as it is.
    pub(crate) fn profile(&self) -> &Profile {
        &self.profile
    }

    /// What `--profile` calls them.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl From<Document> for Rules {
    fn from(document: Document) -> Self {
        Self { name: document.name().to_owned(), profile: document.profile() }
    }
}

/// Both servers, running, and the service's backend behind the integrator's webhook.
#[derive(Debug)]
pub struct Environment {
    /// The integrator's base URL: a proxy in front of it.
    pub(crate) base: String,
    /// The integrator's JWKS.
    pub(crate) jwks: String,
    /// Where the integrator issues tokens.
    pub(crate) token: String,
    /// Where the integrator takes pushes.
    pub(crate) push: String,
    pub(crate) sandbox: Addresses,
    pub(crate) backend: Backend,
    /// The integrator's store and secrets.
    pub(crate) data: TempDir,
    rules: Rules,
    /// The key that the integrator began with, in PEM: a check may sign what the integrator never would.
    pub(crate) first_key: Vec<u8>,
    _processes: Vec<Child>,
}

/// What `wa-integrator` prints when it is ready.
#[derive(Deserialize)]
struct Ready {
    address: String,
    jwks: String,
    token: String,
    push: String,
}

impl Environment {
    /// Starts both programs as processes of their own; they end with this value.
    ///
    /// # Errors
    /// A program does not start, or does not say where it listens.
    pub async fn processes(
        integrator: &Path,
        sandbox: &Path,
        rules: impl Into<Rules>,
    ) -> Result<Self, Failure> {
        let rules = rules.into();
        let (data, first_key) = data_directory()?;
        let (front, backend) = (Proxy::waiting().await?, Backend::start().await?);
        let base = format!("http://{}", front.address);
        let mut sandbox = Command::new(sandbox);
        sandbox.args([
            "--integrator",
            &format!("{INTEGRATOR}={base}"),
            "--phone",
            PHONE,
            "--phone",
            SILENT_PHONE,
        ]);
        sandbox.args(["--profile", rules.name(), "--port", "0", "--strict"]);
        if std::env::var_os("RUST_LOG").is_none() {
            // Checks break rules on purpose.
            sandbox.env("RUST_LOG", "off");
        }
        let (sandbox, addresses) = start(sandbox).await?;
        let addresses: Addresses = serde_json::from_str(&addresses)?;
        let mut integrator = Command::new(integrator);
        integrator
            .env("WA_INTEGRATOR_LOG", "warn,wa_integrator::push=error")
            // A check may ask for its user's tokens as fast as it can.
            .env("WA_INTEGRATOR_TOKENS_A_MINUTE", "100000")
            .args(["--profile", rules.name()])
            .args(["--listen", "127.0.0.1:0", "--base-url", &base, "--webhook", &backend.url])
            .env("WA_INTEGRATOR_WHATSAPP_JWKS_URL", &addresses.jwks)
            .env("WA_INTEGRATOR_ALLOW_PRIVATE", "true")
            .env("WA_INTEGRATOR_KEY_REFRESH", "1")
            .env("WA_INTEGRATOR_KEY_COOLDOWN", "1")
            .arg("--data-dir")
            .arg(data.path());
        let (integrator, ready) = start(integrator).await?;
        let ready: Ready = serde_json::from_str(&ready)?;
        front.forward_to(ready.address.trim_start_matches("http://"));
        Ok(Self {
            base,
            jwks: ready.jwks,
            token: ready.token,
            push: ready.push,
            sandbox: addresses,
            backend,
            data,
            rules,
            first_key,
            _processes: vec![integrator, sandbox],
        })
    }

    /// Starts both in this process.
    ///
    /// # Errors
    /// A server does not start.
    pub async fn in_process(rules: impl Into<Rules>) -> Result<Self, Failure> {
        let rules = rules.into();
        let (data, first_key) = data_directory()?;
        let (front, backend) = (Proxy::waiting().await?, Backend::start().await?);
        let base = format!("http://{}", front.address);
        let integrators = vec![wa_sandbox::Integrator { id: INTEGRATOR, base_url: base.clone() }];
        let config = WorldConfig {
            profile: rules.profile.clone(),
            integrators,
            phones: vec![PHONE.to_owned(), SILENT_PHONE.to_owned()],
            strict: true,
        };
        let sandbox = Sandbox::bind(config, wa_sandbox::Clock::default()).await?;
        let addresses = sandbox.addresses().clone();
        tokio::spawn(sandbox.run(std::future::pending()));
        let (data_path, whatsapp_jwks) = (data.path(), addresses.jwks.as_str());
        let (base_url, webhook, profile) = (&*base, &*backend.url, &rules.profile);
        let settings = Settings { data: data_path, base_url, whatsapp_jwks, webhook, profile };
        let running = in_process::start(settings).await?;
        front.forward_to(&running.address);
        Ok(Self {
            base,
            jwks: running.jwks,
            token: running.token,
            push: running.push,
            sandbox: addresses,
            backend,
            data,
            rules,
            first_key,
            _processes: Vec::new(),
        })
    }

    /// The integrator's keys, changed behind its back as the command line does it.
    pub(crate) fn keeper(&self) -> Result<KeyKeeper, Failure> {
        in_process::keeper(self.data.path(), &self.rules.profile)
    }

    /// The secret that the integrator shares with the backend.
    pub(crate) fn secret(&self) -> Result<Vec<u8>, Failure> {
        let secret = std::fs::read_to_string(self.data.path().join("shared-secret"))?;
        Ok(hex::decode(secret.trim())?)
    }

    /// The rules under which everything runs.
    pub fn rules(&self) -> &Rules {
        &self.rules
    }

    /// The rules' profile, with the local WhatsApp in place of the real one.
    pub(crate) fn profile(&self) -> Profile {
        let mut profile = self.rules.profile.clone();
        profile.enlistment.url.clone_from(&self.sandbox.enlist);
        profile.media.whatsapp_origin.clone_from(&self.sandbox.media);
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

/// A data directory with a signing key from elsewhere, and that key in PEM.
fn data_directory() -> Result<(TempDir, Vec<u8>), Failure> {
    let data = tempfile::tempdir()?;
    let pem = SigningKey::generate()?.to_pem().to_vec();
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(data.path().join("signing-key.pem"))?.write_all(&pem)?;
    Ok((data, pem))
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
