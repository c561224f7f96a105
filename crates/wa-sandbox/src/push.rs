//! Push notifications: WhatsApp wakes the third party's server when a message waits for somebody who is not
//! connected (overview §3.2.2; RO 1.0.3).
//!
//! Tokens are signed here as the published sample has them, with a key of WhatsApp's own that is served at
//! `/.well-known/jwks`. A test may also have any header and claims signed, to see what the third party refuses.

use std::collections::{BTreeSet, VecDeque};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::RSA_PKCS1_SHA256;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::api::{Problem, read};
use crate::signing_key::{KeyGeneration, SigningKey};
use crate::world::World;

/// How many answers to pushes are kept to be asked for.
const MAX_REMEMBERED: usize = 1000;

/// How long before now a token was issued, and how long it lives.
const ISSUED_BEFORE: u64 = 60;

/// A push that is to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PushDue {
    /// The integrator's base URL.
    pub base_url: String,
    /// The user identifier.
    pub to: String,
}

/// What came of a push.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Pushed {
    /// Counts from 1.
    pub(crate) number: u64,
    /// In Unix seconds of the sandbox's clock.
    pub(crate) at: u64,
    pub(crate) to: String,
    /// The integrator's base URL.
    pub(crate) url: String,
    /// Which HTTP it was sent with.
    pub(crate) http: u8,
    /// The answer's status; none if there was no answer.
    pub(crate) status: Option<u16>,
    /// Whether the answer had a body.
    pub(crate) body: bool,
    /// Why there was no answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) failure: Option<String>,
}

/// Everything about pushes that lasts.
#[derive(Debug)]
pub(crate) struct Pushes {
    /// The newest last; all are published, the newest signs.
    keys: Vec<(String, SigningKey)>,
    made: u32,
    /// Which HTTP pushes are sent with.
    pub(crate) http: u8,
    answers: VecDeque<Pushed>,
    count: u64,
}

/// Users who are to be woken, each once however many messages came.
#[derive(Debug, Default)]
pub(crate) struct Wanted(BTreeSet<(u16, String)>);

/// What a test asks to have signed.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wish {
    #[serde(default)]
    header: Map<String, Value>,
    claims: Map<String, Value>,
}

impl Pushes {
    pub(crate) fn new() -> Result<Self, KeyGeneration> {
        let mut pushes = Self { keys: Vec::new(), made: 0, http: 1, answers: VecDeque::new(), count: 0 };
        pushes.rotate()?;
        Ok(pushes)
    }

    /// The keys, to be kept.
    pub(crate) fn save(&self) -> Value {
        let keys = self.keys.iter().filter_map(|(kid, key)| Some((kid, hex::encode(key.to_pkcs8()?))));
        json!({ "made": self.made, "keys": keys.collect::<Vec<_>>() })
    }

    /// Goes on with keys that were kept, if they can be used.
    pub(crate) fn load(&mut self, state: &Value) -> Option<()> {
        let keys: Vec<(String, String)> = serde_json::from_value(state.get("keys")?.clone()).ok()?;
        let key = |text: &str| SigningKey::of_pkcs8(&hex::decode(text).ok()?);
        let keys = keys.into_iter().map(|(kid, text)| Some((kid, key(&text)?)));
        self.keys = keys.collect::<Option<Vec<_>>>().filter(|keys| !keys.is_empty())?;
        self.made = u32::try_from(state.get("made")?.as_u64()?).ok()?;
        Some(())
    }

    /// The published keys.
    pub(crate) fn jwks(&self) -> String {
        let keys: Vec<Value> = self.keys.iter().map(|(kid, key)| key.jwk(kid)).collect();
        json!({ "keys": keys }).to_string()
    }

    /// A new key signs; the one before stays published, those before it go.
    pub(crate) fn rotate(&mut self) -> Result<(), KeyGeneration> {
        self.made += 1;
        self.keys.push((format!("sandbox-{}", self.made), SigningKey::generate()?));
        let surplus = self.keys.len().saturating_sub(2);
        self.keys.drain(..surplus);
        Ok(())
    }

    /// Only the newest key stays published.
    pub(crate) fn revoke_older(&mut self) {
        let surplus = self.keys.len().saturating_sub(1);
        self.keys.drain(..surplus);
    }

    /// A token for a push, as the published sample has it.
    pub(crate) fn token(&self, world: &World, base_url: &str, now: u64) -> Option<String> {
        let rules = &world.profile.push;
        let iat = now.saturating_sub(ISSUED_BEFORE);
        let claims = json!({
            "iss": rules.issuer,
            "aud": rules.audience(base_url),
            "iat": iat,
            "exp": iat.saturating_add(rules.lifetime_max.as_secs()),
        });
        self.sign(&Map::new(), &claims)
    }

    /// What a test wishes signed, with the newest key unless the header names another one that is published.
    fn sign_wish(&self, body: &[u8]) -> Result<Value, Problem> {
        let Wish { header, claims } = read(body)?;
        let token = self.sign(&header, &Value::Object(claims));
        token.map(|token| json!({ "token": token })).ok_or_else(cannot_sign)
    }

    fn sign(&self, changes: &Map<String, Value>, claims: &Value) -> Option<String> {
        let (newest, _) = self.keys.last()?;
        let mut header = json!({ "alg": "RS256", "kid": newest, "typ": "JWT" });
        header.as_object_mut()?.extend(changes.clone());
        let named = header.get("kid").and_then(Value::as_str);
        let (_, key) = self.keys.iter().find(|(kid, _)| Some(kid.as_str()) == named).or(self.keys.last())?;
        let signed = format!(
            "{}.{}",
            URL_SAFE_NO_PAD.encode(header.to_string()),
            URL_SAFE_NO_PAD.encode(claims.to_string())
        );
        let signature = URL_SAFE_NO_PAD.encode(key.sign(signed.as_bytes())?);
        Some(format!("{signed}.{signature}"))
    }

    /// Forgets the answers.
    pub(crate) fn forget(&mut self) {
        self.answers.clear();
    }

    /// Keeps the newest answers, and gives each its number.
    pub(crate) fn remember(&mut self, mut pushed: Pushed) -> Pushed {
        self.count += 1;
        pushed.number = self.count;
        if self.answers.len() == MAX_REMEMBERED {
            self.answers.pop_front();
        }
        self.answers.push_back(pushed.clone());
        pushed
    }

    /// A request of the control interface about pushes, by its path below `/v1/`.
    pub(crate) fn control(&mut self, path: &str, body: &[u8]) -> Result<Value, Problem> {
        match path {
            "pushes" => return Ok(json!({ "pushes": self.answers })),
            "push-token" => return self.sign_wish(body),
            "push-key" => self.rotate().map_err(|_| cannot_sign())?,
            "push-key/revoke-older" => self.revoke_older(),
            "push-http/1" => self.http = 1,
            "push-http/2" => self.http = 2,
            _ => return Err(Problem::bad_request("bad-version", "pushes go over HTTP 1 or 2")),
        }
        Ok(json!({}))
    }
}

fn cannot_sign() -> Problem {
    Problem::new(500, "cannot-sign", "the system's cryptography refused")
}

impl SigningKey {
    /// The RS256 signature of these bytes.
    fn sign(&self, message: &[u8]) -> Option<Vec<u8>> {
        let mut signature = vec![0; self.pair().public_modulus_len()];
        self.pair().sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message, &mut signature).ok()?;
        Some(signature)
    }
}

impl Wanted {
    /// A message waits for this user.
    pub(crate) fn wake(&mut self, integrator: u16, to: &str) {
        self.0.insert((integrator, to.to_owned()));
    }
}

impl World {
    /// A push to send.
    #[must_use]
    pub fn poll_push(&mut self) -> Option<PushDue> {
        let (integrator, to) = self.wanted_pushes.0.pop_first()?;
        let base_url = self.integrators.get(&integrator)?.base_url.clone();
        Some(PushDue { base_url, to })
    }
}
