//! The server's routes as a `tower::Service`: published keys, tokens, pushes (seed §1.3, §3.2.2).

mod issuing;
mod route;

use std::{
    convert::Infallible,
    fmt,
    future::Future,
    net::SocketAddr,
    num::{NonZero, NonZeroU32},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header, request::Parts};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Body;
use tokio::{sync::Semaphore, time::Instant};
use tower::Service;
use wa_http::HttpClient;

use self::route::Route;
pub(crate) use crate::answer::{empty, not_allowed, retry_later};
use crate::{
    AnswerBody, AuthenticationError, Authenticator, Clock, Health, Keys, MediaHost, Principal, Push,
    StorageReference, TokenIssuer,
    answer::explained,
    push::{BodyBroken, PushRoute, RequestBody},
    rate::PerUser,
    store::Store,
    users::{UserLog, Users},
};

/// The third party's server without its sockets; cheap to clone.
///
/// Only the bodies of pushes and uploads are read, and only once it is known whose they are. Refusals of
/// WhatsApp's requests have none, those of our own clients are problems (RFC 9457). Signing runs on tokio's
/// blocking threads, four for each processor at most, so the service is called inside a tokio runtime.
///
/// | request | answer |
/// |---|---|
/// | `GET`, `HEAD` of the JWKS path | 200 `application/json` with a strong `ETag`, or 304 |
/// | `POST /token`, recognised | 200 `{"token": text, "expires_at": Unix seconds}`, never cached |
/// | `POST /token`, not recognised | 401 with `WWW-Authenticate: Bearer` |
/// | `POST /token`, too often for one user | 429 with `Retry-After` |
/// | `POST /token` with more than 4 KiB | 413 |
/// | `POST` of the push path | see [`Push`]; 404 [without it](Self::with_push) |
/// | `POST /media`, and whatever a storage reference names | see [`MediaHost`]; 404 [without it](Self::with_media) |
/// | keys or clock out of order | 503 with `Retry-After` |
/// | another method of these | 405 with `Allow` |
/// | another path | 404 |
/// | no host, several, or contradicting ones | 400 |
///
/// The key set is sent as `application/json`, as the OpenID examples have it: every JOSE client takes that,
/// while the registered `application/jwk-set+json` is refused by some.
pub struct Integrator<A>(Arc<Shared<A>>);

struct Shared<A> {
    issuer: Arc<TokenIssuer>,
    keys: Keys,
    authenticator: A,
    clock: Clock,
    limit: PerUser,
    room: Arc<Semaphore>,
    signing: Arc<Semaphore>,
    push: Option<Arc<dyn PushRoute>>,
    media: Option<MediaHost>,
    users: Option<Arc<dyn UserLog>>,
    health: Health,
}

/// The other end of the connection that a request came on, as one of its extensions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PeerAddress(pub SocketAddr);

impl<A: Authenticator> Integrator<A> {
    /// The server that issues with `issuer` and `keys` to the users `authenticator` recognises, at `clock`'s time,
    /// at most 60 tokens a minute for each.
    #[must_use]
    pub fn new(issuer: TokenIssuer, keys: Keys, authenticator: A, clock: Clock) -> Self {
        let processors = std::thread::available_parallelism().map_or(1, NonZero::get);
        Self(Arc::new(Shared {
            issuer: Arc::new(issuer),
            keys,
            authenticator,
            limit: PerUser::new(TOKENS_A_MINUTE, clock.clone()),
            clock,
            room: Arc::new(Semaphore::new(WAITING_MAX)),
            signing: Arc::new(Semaphore::new(SIGNING_OF_A_PROCESSOR * processors)),
            push: None,
            media: None,
            users: None,
            health: Health::new(),
        }))
    }

    /// This server, taking WhatsApp's pushes. To be called before it is cloned.
    #[must_use]
    pub fn with_push<S, C>(self, push: Push<S, C>) -> Self
    where
        S: Store + Clone,
        C: HttpClient + 'static,
    {
        self.changed(|shared| shared.push = Some(Arc::new(push)))
    }

    /// This server, hosting media. To be called before it is cloned.
    ///
    /// A fetch that shows a token is checked as a push is, if pushes are taken; without them nothing can be checked,
    /// and [`MediaFetchAuth::Required`](wa_profile::MediaFetchAuth::Required) refuses every fetch.
    #[must_use]
    pub fn with_media(self, media: MediaHost) -> Self {
        self.changed(|shared| shared.media = Some(media))
    }

    /// This server, noting in `store` who got a token. To be called before it is cloned.
    #[must_use]
    pub fn with_users(self, store: impl Store) -> Self {
        self.changed(|shared| shared.users = Some(Arc::new(Users::new(store))))
    }

    /// This server, ready only while the store answers. To be called before it is cloned.
    #[must_use]
    pub fn with_health(self, health: Health) -> Self {
        self.changed(|shared| shared.health = health)
    }

    /// This server with another number of tokens a minute for each user. To be called before it is cloned.
    #[must_use]
    pub fn with_tokens_a_minute(self, tokens: NonZeroU32) -> Self {
        self.changed(|shared| shared.limit = PerUser::new(tokens, shared.clock.clone()))
    }

    fn changed(mut self, change: impl FnOnce(&mut Shared<A>)) -> Self {
        match Arc::get_mut(&mut self.0) {
            Some(shared) => change(shared),
            None => tracing::error!("a server that was cloned already is not changed"),
        }
        self
    }

    /// Where pushes are sent, if they are taken.
    #[must_use]
    pub fn push_url(&self) -> Option<String> {
        let push = self.0.push.as_ref()?;
        Some(format!("{}{}", self.0.issuer.base_url(), push.path()))
    }

    /// What [`failing`](Self::failing) may name.
    pub const CHECKS: [&str; 4] = ["clock", "keys", "media", "store"];

    /// What is out of order: the clock or the keys, so that no tokens can be issued, the blobs of hosted media as they
    /// were used last, the store as [`Health`] found it last.
    #[must_use]
    pub fn failing(&self) -> Vec<&'static str> {
        let clock = self.0.clock.steady();
        let keys = self.0.keys.signer(clock.as_ref().map_or_else(|_| self.0.clock.now(), |now| *now));
        let media = self.0.media.as_ref().is_none_or(MediaHost::is_ready);
        let checks = [clock.is_ok(), keys.is_ok(), media, self.0.health.is_good()];
        let named = Self::CHECKS.into_iter().zip(checks);
        named.filter_map(|(name, passes)| (!passes).then_some(name)).collect()
    }

    /// Whether nothing is [out of order](Self::failing).
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.failing().is_empty()
    }

    /// Where media is uploaded, if it is hosted.
    #[must_use]
    pub fn media_url(&self) -> Option<String> {
        self.0.media.as_ref().map(|_| format!("{}{MEDIA_PATH}", self.0.issuer.base_url()))
    }

    /// Where the keys are published.
    #[must_use]
    pub fn jwks_url(&self) -> String {
        format!("{}{}", self.0.issuer.base_url(), self.0.issuer.jwks_path())
    }

    /// Where tokens are asked for.
    #[must_use]
    pub fn token_url(&self) -> String {
        format!("{}{TOKEN_PATH}", self.0.issuer.base_url())
    }
}

impl<A, B> Service<Request<B>> for Integrator<A>
where
    A: Authenticator,
    B: Body<Data = Bytes> + Send + 'static,
{
    type Response = Response<AnswerBody>;
    type Error = Infallible;
    type Future = Answer;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let (head, body) = request.into_parts();
        let asked_at = Instant::now();
        let route = match self.0.route(&head) {
            Route::Answered(name, response) => {
                note(name, response.status(), asked_at);
                return Answer::Ready(Some(response.map(AnswerBody::from)));
            }
            route => route,
        };
        let shared = Arc::clone(&self.0);
        Answer::Pending(Box::pin(async move {
            let body: RequestBody = body.map_err(|_| BodyBroken).boxed_unsync();
            let name = route.name();
            let answer = match (route, &shared.push, &shared.media) {
                (Route::Token, _, _) => {
                    explained(shared.serve_token(&head).await.map(AnswerBody::from), &head.method)
                }
                (Route::Push, Some(push), _) => push.answer(&head, body).await.map(AnswerBody::from),
                (Route::Upload, _, Some(media)) => {
                    explained(shared.upload(media, &head, body).await, &head.method)
                }
                (Route::Hosted(reference), _, Some(media)) => {
                    let answer = shared.hosted(media, &reference, &head).await;
                    // WhatsApp fetches; our own clients delete.
                    if head.method == Method::DELETE { explained(answer, &head.method) } else { answer }
                }
                _ => empty(StatusCode::NOT_FOUND).map(AnswerBody::from),
            };
            note(name, answer.status(), asked_at);
            answer
        }))
    }
}

/// An answer, there already or under way.
#[must_use = "does nothing unless awaited"]
pub enum Answer {
    /// It needed nobody else; taken when polled.
    Ready(Option<Response<AnswerBody>>),
    /// It is being worked on.
    Pending(Pin<Box<dyn Future<Output = Response<AnswerBody>> + Send>>),
}

impl Future for Answer {
    type Output = Result<Response<AnswerBody>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut *self {
            Self::Ready(response) => {
                response.take().map_or(Poll::Pending, |response| Poll::Ready(Ok(response)))
            }
            Self::Pending(answering) => answering.as_mut().poll(context).map(Ok),
        }
    }
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Answer")
    }
}

impl<A: Authenticator> Shared<A> {
    fn serve_keys(&self, request: &Parts) -> Response<Full<Bytes>> {
        if request.method != Method::GET && request.method != Method::HEAD {
            return not_allowed("GET, HEAD");
        }
        let key_set = match self.keys.key_set(self.clock.now()) {
            Ok(key_set) => key_set,
            Err(_) => return retry_later(StatusCode::SERVICE_UNAVAILABLE, RETRY_SECONDS),
        };
        let mut tags = request.headers.get_all(header::IF_NONE_MATCH).iter();
        let known = tags.any(|tags| tags.to_str().is_ok_and(|tags| key_set.matches(tags)));
        let mut response = empty(if known { StatusCode::NOT_MODIFIED } else { StatusCode::OK });
        let headers = response.headers_mut();
        headers.insert(header::ETAG, key_set.etag().clone());
        headers.insert(header::CACHE_CONTROL, key_set.cache_control().clone());
        if known {
            return response;
        }
        let body = key_set.body();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(JSON));
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from(body.len()));
        if request.method == Method::GET {
            *response.body_mut() = Full::new(body);
        }
        response
    }

    /// Recognises the user, and only then reads the file.
    async fn upload(&self, media: &MediaHost, request: &Parts, body: RequestBody) -> Response<AnswerBody> {
        match self.principal(request).await {
            Ok(principal) => media.upload(principal, request, body).await,
            Err(response) => response.map(AnswerBody::from),
        }
    }

    /// Lets anybody fetch who has the reference, and the owner delete.
    async fn hosted(
        &self,
        media: &MediaHost,
        reference: &StorageReference,
        request: &Parts,
    ) -> Response<AnswerBody> {
        let mut owner = None;
        if request.method == Method::DELETE {
            match self.principal(request).await {
                Ok(principal) => owner = Some(principal),
                Err(response) => return response.map(AnswerBody::from),
            }
        } else if media.needs_token() || request.headers.contains_key(header::AUTHORIZATION) {
            let refusal = match &self.push {
                Some(push) => push.refusal(request).await,
                None => {
                    media.needs_token().then(|| retry_later(StatusCode::SERVICE_UNAVAILABLE, RETRY_SECONDS))
                }
            };
            if let Some(refusal) = refusal {
                return refusal.map(AnswerBody::from);
            }
        }
        media.hosted(reference, request, owner).await
    }

    async fn principal(&self, request: &Parts) -> Result<Principal, Response<Full<Bytes>>> {
        let now = self.clock.steady().map_err(|error| unavailable(&error))?;
        self.authenticator.authenticate(request, now).await.map_err(unauthenticated)
    }
}

impl<A> Clone for Integrator<A> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<A> fmt::Debug for Integrator<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Integrator").field("base_url", self.0.issuer.base_url()).finish_non_exhaustive()
    }
}

const TOKEN_PATH: &str = "/token";
const MEDIA_PATH: &str = "/media";
const JSON: &str = "application/json";
const CHALLENGE_MISSING: &str = "Bearer realm=\"wa-integrator\"";
const CHALLENGE_REFUSED: &str = "Bearer realm=\"wa-integrator\", error=\"invalid_token\"";
/// How many tokens are being signed or wait to be; beyond that the answer is 503.
const WAITING_MAX: usize = 256;
/// While one ends and the next is being handed over, a processor has others.
const SIGNING_OF_A_PROCESSOR: usize = 4;
const RETRY_SECONDS: u64 = 1;
const TOKENS_A_MINUTE: NonZeroU32 = NonZeroU32::new(60).expect("not zero");

/// Counts an answer. Routes and statuses are few, whoever asks for whatever.
fn note(route: &'static str, status: StatusCode, asked_at: Instant) {
    tracing::Span::current().record("route", route).record("status", i64::from(status.as_u16()));
    let labels = [("route", route.to_owned()), ("status", status.as_str().to_owned())];
    metrics::counter!("wa_integrator_requests_total", &labels).increment(1);
    metrics::histogram!("wa_integrator_request_seconds", "route" => route).record(asked_at.elapsed());
}

/// One answer for every refused credential; which check it failed is only in the log.
fn unauthenticated(error: AuthenticationError) -> Response<Full<Bytes>> {
    if error == AuthenticationError::Unavailable {
        return retry_later(StatusCode::SERVICE_UNAVAILABLE, RETRY_SECONDS);
    }
    tracing::debug!(%error, "credential refused");
    let missing = error == AuthenticationError::Missing;
    let challenge = if missing { CHALLENGE_MISSING } else { CHALLENGE_REFUSED };
    let mut response = empty(StatusCode::UNAUTHORIZED);
    response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
    response
}

/// Nothing is wrong with the request.
fn unavailable(error: &dyn std::error::Error) -> Response<Full<Bytes>> {
    tracing::error!(%error, "no token issued");
    retry_later(StatusCode::SERVICE_UNAVAILABLE, RETRY_SECONDS)
}
