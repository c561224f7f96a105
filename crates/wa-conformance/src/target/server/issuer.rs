//! A third party's server of the suite itself: keys that come and go, tokens of any date, a log of wake-ups.
//!
//! It shares no code with this project's own server, and signs at the date that the local WhatsApp's clock shows.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::{Method, Request, Response, StatusCode};
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use wa_interop::integrator::SigningKey;
use wa_interop::profile::Profile;

use crate::report::failure::Failure;
use crate::target::server::{Facility, Server};
use crate::target::serving::{Serving, both_versions};
use crate::target::tokens::unix_now;

/// What its base URL has behind the host.
const PATH: &str = "/third/party";

/// Bytes of a wake-up that are read.
const MAX_BODY: usize = 4096;

/// A running server; it ends with its last clone.
#[derive(Clone, Debug)]
pub(crate) struct Issuer {
    base: String,
    audience: String,
    state: Arc<Mutex<State>>,
    /// Seconds by which the local WhatsApp's clock is ahead.
    ahead: Arc<AtomicI64>,
    /// None where it answers.
    _serving: Option<Serving>,
}

#[derive(Debug, Default)]
struct State {
    /// Published keys: what is said of them, by their names.
    keys: BTreeMap<String, Value>,
    /// The key that signs, and its name.
    signs: Option<(String, Vec<u8>)>,
    fetches: u64,
    woken: BTreeMap<String, u64>,
    jwks_path: String,
    push_path: String,
}

impl Issuer {
    /// Listens, with one key.
    pub(crate) async fn start(profile: &Profile) -> Result<Self, Failure> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let base = format!("http://{}{PATH}", listener.local_addr()?);
        let state = State {
            jwks_path: format!("{PATH}{}", profile.token.jwks_path),
            push_path: format!("{PATH}{}", profile.push.path),
            ..State::default()
        };
        let state = Arc::new(Mutex::new(state));
        let issuer = Self {
            base,
            audience: profile.token.audience.clone(),
            state,
            ahead: Arc::default(),
            _serving: None,
        };
        issuer.rotate("first")?;
        let answering = issuer.clone();
        let serving = Serving::http(listener, both_versions, move |request| {
            let issuer = answering.clone();
            async move { issuer.answer(request).await }
        });
        Ok(Self { _serving: Some(serving), ..issuer })
    }

    /// A new key is published and signs from now on.
    pub(crate) fn rotate(&self, kid: &str) -> Result<(), Failure> {
        let pem = SigningKey::generate()?.to_pem().to_vec();
        let mut key = serde_json::to_value(Jwk::from_encoding_key(
            &EncodingKey::from_rsa_pem(&pem)?,
            Algorithm::RS256,
        )?)?;
        if let Some(key) = key.as_object_mut() {
            key.extend(
                [("kid", kid), ("alg", "RS256"), ("use", "sig")]
                    .map(|(name, it)| (name.to_owned(), json!(it))),
            );
        }
        self.publish(kid, key);
        self.state().signs = Some((kid.to_owned(), pem));
        Ok(())
    }

    /// Publishes a key as it is, whatever it is.
    pub(crate) fn publish(&self, kid: &str, key: Value) {
        self.state().keys.insert(kid.to_owned(), key);
    }

    /// Takes a key out of the published set.
    pub(crate) fn withdraw(&self, kid: &str) {
        self.state().keys.remove(kid);
    }

    /// How often its keys were fetched.
    pub(crate) fn fetches(&self) -> u64 {
        self.state().fetches
    }

    /// The local WhatsApp's clock is so many seconds further ahead.
    pub(crate) fn advance(&self, seconds: u64) {
        self.ahead.fetch_add(i64::try_from(seconds).unwrap_or(i64::MAX), Ordering::Relaxed);
    }

    /// A token with these claims instead of the usual ones, and this name of a key in place of the one that signs.
    pub(crate) fn sign(&self, user: &str, change: &Value, kid: Option<&str>) -> Result<String, Failure> {
        let (name, pem) = self.state().signs.clone().ok_or_else(|| Failure::new("no key signs"))?;
        let now = unix_now().saturating_add_signed(self.ahead.load(Ordering::Relaxed));
        let mut claims = json!({
            "iss": self.base, "sub": user, "aud": self.audience, "iat": now, "exp": now + 600,
        });
        if let (Some(claims), Some(change)) = (claims.as_object_mut(), change.as_object()) {
            claims.extend(change.clone());
            claims.retain(|_, value| !value.is_null());
        }
        let mut header = Header::new(Algorithm::RS256);
        header.kid = Some(kid.map_or(name, str::to_owned));
        Ok(jsonwebtoken::encode(&header, &claims, &EncodingKey::from_rsa_pem(&pem)?)?)
    }

    async fn answer(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let (head, body) = request.into_parts();
        let body = Limited::new(body, MAX_BODY).collect().await.map(|it| it.to_bytes()).unwrap_or_default();
        let mut state = self.state();
        let (status, body) = match (&head.method, head.uri.path()) {
            (&Method::GET, path) if path == state.jwks_path => {
                state.fetches += 1;
                let keys: Vec<&Value> = state.keys.values().collect();
                (StatusCode::OK, json!({ "keys": keys }).to_string())
            }
            (&Method::POST, path) if path == state.push_path => {
                let pushed: Value = serde_json::from_slice(&body).unwrap_or_default();
                let user = pushed.get("to").and_then(Value::as_str).unwrap_or_default();
                *state.woken.entry(user.to_owned()).or_default() += 1;
                (StatusCode::OK, String::new())
            }
            _ => (StatusCode::NOT_FOUND, String::new()),
        };
        let mut response = Response::new(Full::from(body));
        *response.status_mut() = status;
        response
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Server for Issuer {
    fn base_url(&self) -> &str {
        &self.base
    }

    fn has(&self, facility: Facility) -> bool {
        facility == Facility::Woken
    }

    async fn token(&self, user: &str) -> Result<String, Failure> {
        self.sign(user, &json!({}), None)
    }

    async fn upload(&self, _: &str, _: &[u8]) -> Result<String, Failure> {
        Err(Failure::new("this server hosts nothing"))
    }

    async fn woken(&self, user: &str) -> Result<u64, Failure> {
        Ok(self.state().woken.get(user).copied().unwrap_or_default())
    }

    async fn refuses_anonymous(&self, _: &str) -> Result<bool, Failure> {
        Err(Failure::new("nobody asks this server for tokens"))
    }
}
