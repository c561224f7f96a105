//! WhatsApp's wake-ups: `POST {base}/push` (overview §3.2.2).

use std::fmt;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::request::Parts;
use http::{Method, Response, StatusCode};
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use serde::Deserialize;
use tokio::sync::Semaphore;
use wa_jwt::{KeyCache, RemoteRefusal, RemoteVerifier, TokenRefusal, TokenVerifier};

use super::request::BODY_BYTES_MAX;
use crate::push::{NewWakeUp, Outbox, OutboxStore, PushRequest, PushRequestError, Put};
use crate::tokens::{AuthenticationError, bearer};
use crate::value::answers::{RequestBody, challenged, empty, not_allowed, retry_later, unavailable};
use crate::value::{BaseUrl, Clock, ForAll, PerName, UserIdentifier};

/// Takes WhatsApp's pushes: verified, stored, answered, and only then delivered.
///
/// | request | answer |
/// |---|---|
/// | a push that WhatsApp signed, stored and synced | 200 without a body |
/// | the same for a user to whom this server never issued a token | as [`Strangers`] says |
/// | no `Authorization` | 401 with `WWW-Authenticate: Bearer` |
/// | an `Authorization` of another form | 400, `error="invalid_request"` |
/// | a token that fails any check | 401, `error="invalid_token"`, the same for all |
/// | another content type, too long, malformed | 415, 413, 400 |
/// | too many users woken too often | 429 with `Retry-After` |
/// | no keys to verify with, no room, no store | 503 with `Retry-After` |
/// | another method | 405 with `Allow` |
///
/// One token may come with many pushes: it names neither user nor push, so nothing could tell a repeated one from
/// a second message. Repeated pushes are folded into one wake-up instead, and a user for whom one was just stored is not
/// woken again at once: a busy group wakes its members as often as they are allowed to be woken, and is answered 200.
pub struct Push {
    store: Arc<dyn OutboxStore>,
    outbox: Outbox,
    verifier: RemoteVerifier,
    clock: Clock,
    rules: PushRules,
    per_user: PerName,
    for_all: ForAll,
    room: Semaphore,
}

/// What [`Push`] takes.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PushRules {
    /// The path below the base URL.
    pub path: String,
    /// Who signs pushes: the `iss` claim.
    pub issuer: String,
    /// For whom: the `aud` claim.
    pub audience: String,
    /// The longest life of a token.
    pub lifetime_max: Duration,
    /// By how much clocks may differ, at most five minutes.
    pub skew: Duration,
    /// How many characters a user identifier may have.
    pub user_identifier_chars_max: usize,
    /// How pushes are answered for users to whom this server never issued a token.
    pub strangers: Strangers,
    /// How long a wake-up is worth delivering. Assumed: WhatsApp keeps messages for 30 days.
    pub kept: Duration,
    /// How often a user may be woken a minute.
    pub per_user_a_minute: NonZeroU32,
    /// How many pushes are taken a second.
    pub a_second: NonZeroU32,
    /// How many pushes are worked on at a time.
    pub at_a_time: usize,
}

/// How to answer a push for a user to whom this server never issued a token. The answer takes as long as for anybody.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Deserialize)]
#[non_exhaustive]
#[serde(rename_all = "kebab-case")]
pub enum Strangers {
    /// Store and deliver it: the service's backend knows its users better.
    #[default]
    Deliver,
    /// Answer 200 and drop it.
    Drop,
    /// Answer 404 and drop it.
    NotFound,
}

/// Why a push is not taken, as an answer.
enum Refusal {
    Missing,
    Malformed,
    Token(TokenRefusal),
    Body(PushRequestError),
    BodyBroken,
    TooOften(u64),
    NotFound,
    Later,
}

/// How long a body may take to arrive.
const BODY_TIME: Duration = Duration::from_secs(15);

impl PushRules {
    /// What the profile says of pushes to the integrator at `base_url`: as [`Strangers::Deliver`] has it, 60 a
    /// minute for a user, 20,000 a second in all, 1024 at a time.
    #[must_use]
    pub fn new(push: &wa_profile::Push, base_url: &BaseUrl, user_identifier_chars_max: usize) -> Self {
        const PER_USER: NonZeroU32 = NonZeroU32::new(60).expect("not zero");
        const FOR_ALL: NonZeroU32 = NonZeroU32::new(20_000).expect("not zero");
        Self {
            path: push.path.clone(),
            issuer: push.issuer.clone(),
            audience: push.audience(base_url.as_str()).to_owned(),
            lifetime_max: push.lifetime_max,
            skew: Duration::from_secs(60),
            user_identifier_chars_max,
            strangers: Strangers::Deliver,
            kept: Duration::from_secs(30 * 24 * 60 * 60),
            per_user_a_minute: PER_USER,
            a_second: FOR_ALL,
            at_a_time: 1024,
        }
    }
}

impl Push {
    /// Takes pushes that a key of `keys` signed, stores them in `store`, and rings `outbox`.
    #[must_use]
    pub fn new(
        store: Arc<dyn OutboxStore>,
        outbox: Outbox,
        keys: KeyCache,
        rules: PushRules,
        clock: Clock,
    ) -> Self {
        let verifier = TokenVerifier::new(&rules.issuer, &rules.audience, rules.lifetime_max);
        Self {
            store,
            outbox,
            verifier: RemoteVerifier::new(verifier.with_skew(rules.skew), keys),
            per_user: PerName::new(rules.per_user_a_minute),
            for_all: ForAll::new(rules.a_second),
            room: Semaphore::new(rules.at_a_time),
            clock,
            rules,
        }
    }

    /// The path below the base URL.
    pub(crate) fn path(&self) -> &str {
        &self.rules.path
    }

    /// The answer to a push.
    pub(crate) async fn answer(&self, request: &Parts, body: RequestBody) -> Response<Full<Bytes>> {
        if request.method != Method::POST {
            return not_allowed("POST");
        }
        let taken = self.take(request, body).await;
        let outcome = taken.as_ref().err().map_or("taken", Refusal::name);
        metrics::counter!("wa_integrator_pushes_total", "outcome" => outcome).increment(1);
        match taken {
            Ok(()) => empty(StatusCode::OK),
            Err(refusal) => refusal.response(),
        }
    }

    /// Why a request is refused that must show WhatsApp's token; `None` if it does.
    pub(crate) async fn refusal(&self, request: &Parts) -> Option<Response<Full<Bytes>>> {
        let refused = self.authenticate(request, self.clock.now()).await;
        refused.err().map(Refusal::response)
    }

    async fn take(&self, request: &Parts, body: RequestBody) -> Result<(), Refusal> {
        let now = self.clock.now();
        // A push that waits here for a key takes up no room of those that have one.
        self.authenticate(request, now).await?;
        // Only WhatsApp comes this far.
        let _room = self.room.try_acquire().map_err(|_| Refusal::Later)?;
        PushRequest::check_content_type(&request.headers).map_err(Refusal::Body)?;
        let body = read(body).await?;
        let push = match PushRequest::parse(&body, self.rules.user_identifier_chars_max) {
            Ok(push) => push,
            Err(PushRequestError::User(_)) => return self.stranger(),
            Err(error) => return Err(Refusal::Body(error)),
        };
        self.for_all.check().map_err(Refusal::TooOften)?;
        self.store(push.to, now).await
    }

    /// Cheap checks, the key, the signature, the claims: in this order.
    async fn authenticate(&self, request: &Parts, now: u64) -> Result<(), Refusal> {
        let token = bearer(&request.headers).map_err(|error| match error {
            AuthenticationError::Missing => Refusal::Missing,
            _ => Refusal::Malformed,
        })?;
        match self.verifier.verify(token, now).await {
            Ok(_) => Ok(()),
            Err(RemoteRefusal::Token(refusal)) => Err(Refusal::Token(refusal)),
            Err(RemoteRefusal::Unavailable) => Err(Refusal::Later),
        }
    }

    async fn store(&self, user: UserIdentifier, now: u64) -> Result<(), Refusal> {
        let too_often = self.per_user.check(user.as_str());
        let wake_up = NewWakeUp {
            user,
            sinks: self.outbox.sinks(),
            received_at: now,
            // Woken often enough already: it waits for its turn.
            due_at: now.saturating_add(too_often.err().unwrap_or(0)),
            expires_at: now.saturating_add(self.rules.kept.as_secs()),
            for_strangers: self.rules.strangers == Strangers::Deliver,
        };
        match self.store.put_wake_up(wake_up).await {
            Ok(Put { known: false }) => self.stranger_stored(),
            Ok(Put { known: true }) => {
                self.outbox.ring();
                Ok(())
            }
            Err(error) => {
                tracing::error!(%error, "a push was not stored");
                Err(Refusal::Later)
            }
        }
    }

    fn stranger_stored(&self) -> Result<(), Refusal> {
        if self.rules.strangers == Strangers::Deliver {
            self.outbox.ring();
        }
        self.stranger()
    }

    fn stranger(&self) -> Result<(), Refusal> {
        tracing::debug!("a push for somebody who never got a token");
        if self.rules.strangers == Strangers::NotFound { Err(Refusal::NotFound) } else { Ok(()) }
    }
}

impl Refusal {
    /// The label of a metric.
    const fn name(&self) -> &'static str {
        match self {
            Self::Missing => "no_token",
            Self::Malformed => "malformed_token",
            Self::Token(_) => "refused_token",
            Self::Body(_) => "refused_body",
            Self::BodyBroken => "broken_body",
            Self::TooOften(_) => "too_often",
            Self::NotFound => "stranger",
            Self::Later => "unavailable",
        }
    }

    /// The answer to the sender of a push, who may not be WhatsApp: it never says which check a token failed.
    fn response(self) -> Response<Full<Bytes>> {
        match self {
            Self::Missing => challenged(StatusCode::UNAUTHORIZED, "Bearer realm=\"wa-integrator\""),
            Self::Malformed => challenged(
                StatusCode::BAD_REQUEST,
                "Bearer realm=\"wa-integrator\", error=\"invalid_request\"",
            ),
            Self::Token(refusal) => {
                // Anybody may send these: counted, and not logged by default.
                let reason = refusal.name();
                metrics::counter!("wa_integrator_tokens_refused_total", "reason" => reason).increment(1);
                tracing::debug!(%refusal, "a push is not WhatsApp's");
                challenged(
                    StatusCode::UNAUTHORIZED,
                    "Bearer realm=\"wa-integrator\", error=\"invalid_token\"",
                )
            }
            Self::Body(PushRequestError::ContentType) => empty(StatusCode::UNSUPPORTED_MEDIA_TYPE),
            Self::Body(PushRequestError::TooLarge) => empty(StatusCode::PAYLOAD_TOO_LARGE),
            Self::Body(_) | Self::BodyBroken => empty(StatusCode::BAD_REQUEST),
            Self::TooOften(seconds) => retry_later(StatusCode::TOO_MANY_REQUESTS, seconds),
            Self::NotFound => empty(StatusCode::NOT_FOUND),
            Self::Later => unavailable(),
        }
    }
}

impl fmt::Debug for Push {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Push").field("rules", &self.rules).finish_non_exhaustive()
    }
}

async fn read(body: RequestBody) -> Result<Bytes, Refusal> {
    // The limit holds while the body streams, whatever its headers say.
    let reading = Limited::new(body, BODY_BYTES_MAX).collect();
    match tokio::time::timeout(BODY_TIME, reading).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(Refusal::Body(PushRequestError::TooLarge)),
        Ok(Err(_)) | Err(_) => Err(Refusal::BodyBroken),
    }
}
