//! This project's own server, in this process or as a program of its own, with a service's backend behind it.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use async_trait::async_trait;
use bytes::Bytes;
use http_body_util::Full;
use hyper::{Request, StatusCode, header};
use serde::Deserialize;
use sha2::{Digest, Sha256};
use tempfile::TempDir;
use tokio::process::{Child, Command};
use wa_interop::integrator::{KeyKeeper, SigningKey};

use crate::prove::{Meddler, Rewrite, Struck};
use crate::report::failure::{Failure, expect};
use crate::rules::Rules;
use crate::target::backend::Backend;
use crate::target::environment::start;
use crate::target::exchange::{Http, send};
use crate::target::in_process::{self, Running, Settings};
use crate::target::proxy::Proxy;
use crate::target::server::{Facility, Server};
use crate::target::serving::Serving;
use crate::target::tokens::{ask, ask_for_token, credential};

/// What its base URL has behind the host, as the overview's own example has it (overview §3.2.2).
const PATH: &str = "/whatsapp";

/// What has to be known before it starts: its URL, its data directory, its backend.
#[derive(Debug)]
pub(crate) struct Start {
    base: String,
    front: Front,
    backend: Backend,
    data: TempDir,
    first_key: Vec<u8>,
}

/// The server, running.
#[derive(Debug)]
pub(crate) struct OwnServer {
    base: String,
    /// Where it issues tokens.
    pub(crate) token: String,
    pub(crate) backend: Backend,
    /// Its store and secrets.
    pub(crate) data: TempDir,
    /// The key that it began with, in PEM: a check may sign what the server never would.
    pub(crate) first_key: Vec<u8>,
    rules: Rules,
    _front: Front,
    _process: Option<Mutex<Child>>,
    _serving: Option<Serving>,
}

/// What the program prints when it is ready.
#[derive(Deserialize)]
struct Ready {
    address: String,
    token: String,
}

/// What stands before the server: its address is known before the server is there.
#[derive(Debug)]
enum Front {
    Honest(Proxy),
    Saboteur(Box<Meddler>),
}

impl Front {
    async fn new(rewrite: Option<&Rewrite>, struck: &Struck) -> Result<Self, Failure> {
        match rewrite {
            Some(rewrite) => Ok(Self::Saboteur(Box::new(Meddler::start(rewrite, struck).await?))),
            None => Ok(Self::Honest(Proxy::waiting().await?)),
        }
    }

    fn address(&self) -> &str {
        match self {
            Self::Honest(proxy) => &proxy.address,
            Self::Saboteur(meddler) => &meddler.address,
        }
    }

    fn forward_to(&self, target: &str) {
        match self {
            Self::Honest(proxy) => proxy.forward_to(target),
            Self::Saboteur(meddler) => meddler.forward_to(target),
        }
    }
}

impl Start {
    /// A data directory with a key, a backend, and a proxy in front whose address is the base URL.
    pub(crate) async fn new(rewrite: Option<&Rewrite>, struck: &Struck) -> Result<Self, Failure> {
        let (data, first_key) = data_directory()?;
        let (front, backend) = (Front::new(rewrite, struck).await?, Backend::start().await?);
        let base = format!("http://{}{PATH}", front.address());
        Ok(Self { base, front, backend, data, first_key })
    }

    /// The base URL that the server will have.
    pub(crate) fn base_url(&self) -> &str {
        &self.base
    }

    /// Starts it: the program at this path, or else in this process.
    pub(crate) async fn run(
        self,
        program: Option<&PathBuf>,
        rules: &Rules,
        whatsapp_jwks: &str,
    ) -> Result<OwnServer, Failure> {
        let (address, token, process, serving) = match program {
            Some(program) => {
                let (ready, process) = self.program(program, rules, whatsapp_jwks).await?;
                (ready.address, ready.token, Some(process), None)
            }
            None => {
                let settings = Settings {
                    data: self.data.path(),
                    base_url: &self.base,
                    whatsapp_jwks,
                    webhook: &self.backend.url,
                    profile: rules.profile(),
                    tls: None,
                };
                let Running { address, token, serving } = in_process::start(settings).await?;
                (address, token, None, Some(serving))
            }
        };
        self.front.forward_to(address.trim_start_matches("http://"));
        let Self { base, front, backend, data, first_key } = self;
        let (rules, process) = (rules.clone(), process.map(Mutex::new));
        Ok(OwnServer {
            base,
            token,
            backend,
            data,
            first_key,
            rules,
            _front: front,
            _process: process,
            _serving: serving,
        })
    }

    async fn program(
        &self,
        program: &Path,
        rules: &Rules,
        whatsapp_jwks: &str,
    ) -> Result<(Ready, Child), Failure> {
        let mut command = Command::new(program);
        command
            .env("WA_INTEGRATOR_LOG", "warn,wa_integrator::push=error")
            // A check may ask for its user's tokens as fast as it can.
            .env("WA_INTEGRATOR_TOKENS_A_MINUTE", "100000")
            .args(["--profile", rules.name()])
            .args(["--listen", "127.0.0.1:0", "--base-url", &self.base, "--webhook", &self.backend.url])
            .env("WA_INTEGRATOR_WHATSAPP_JWKS_URL", whatsapp_jwks)
            .env("WA_INTEGRATOR_ALLOW_PRIVATE", "true")
            .env("WA_INTEGRATOR_KEY_REFRESH", "1")
            .env("WA_INTEGRATOR_KEY_COOLDOWN", "1")
            .arg("--data-dir")
            .arg(self.data.path());
        let (process, ready) = start(command).await?;
        Ok((serde_json::from_str(&ready)?, process))
    }
}

impl OwnServer {
    /// Its keys, changed behind its back as the command line does it.
    pub(crate) fn keeper(&self) -> Result<KeyKeeper, Failure> {
        in_process::keeper(self.data.path(), self.rules.profile())
    }

    /// The secret that it shares with the backend.
    pub(crate) fn secret(&self) -> Result<Vec<u8>, Failure> {
        let secret = std::fs::read_to_string(self.data.path().join("shared-secret"))?;
        Ok(hex::decode(secret.trim())?)
    }

    /// The credential that the backend makes for its logged-in user, as wa-integrator documents it.
    pub(crate) fn credential(&self, user: &str) -> Result<String, Failure> {
        credential(&self.secret()?, user)
    }
}

#[async_trait]
impl Server for OwnServer {
    fn base_url(&self) -> &str {
        &self.base
    }

    fn has(&self, _: Facility) -> bool {
        true
    }

    async fn token(&self, user: &str) -> Result<String, Failure> {
        ask_for_token(&self.token, &self.secret()?, user).await
    }

    async fn upload(&self, user: &str, file: &[u8]) -> Result<String, Failure> {
        let digest = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, Sha256::digest(file));
        let request = Request::post(format!("{}/media", self.base))
            .header(header::AUTHORIZATION, format!("Bearer {}", self.credential(user)?))
            .header(header::CONTENT_TYPE, "application/octet-stream")
            .header("content-digest", format!("sha-256=:{digest}:"));
        let answer = send(Http::One, request.body(Full::new(Bytes::copy_from_slice(file)))?).await?;
        expect("the upload", answer.status(), StatusCode::CREATED)?;
        let location = answer.headers().get(header::LOCATION).and_then(|it| it.to_str().ok());
        let reference = location.and_then(|it| it.rsplit('/').next());
        reference.map(str::to_owned).ok_or_else(|| Failure::new("the upload has no location"))
    }

    async fn woken(&self, user: &str) -> Result<u64, Failure> {
        Ok(self.backend.woken(user, &self.secret()?).try_into()?)
    }

    async fn refuses_anonymous(&self, _: &str) -> Result<bool, Failure> {
        Ok(ask(&self.token, None).await?.0 == StatusCode::UNAUTHORIZED)
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
