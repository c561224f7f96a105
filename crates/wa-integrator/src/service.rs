//! The server's routes as a `tower::Service`: which request goes to which folder (overview §1.3, §3.2.2).

use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::num::NonZeroU32;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body::Body;
use http_body_util::{BodyExt as _, Full};
use tokio::time::Instant;
use tower::Service;
use wa_http_server::{RouteName, has_one_host};

use crate::keys::Keys;
use crate::media::{MediaHost, StorageReference};
use crate::push::Push;
use crate::tokens::{Authenticator, Issuing, KnownUsers, TokenIssuer, UserStore};
use crate::value::Clock;
use crate::value::answers::{
    BodyBroken, IntegratorBody, JSON, RequestBody, empty, explained, is_known, not_allowed, unavailable,
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
/// | `DELETE /user`, recognised | 204: the user, their wake-ups and their files are forgotten |
/// | `POST` of the push path | see [`Push`]; 404 [without it](Self::with_push) |
/// | `POST /media`, and what a storage reference names | see [`MediaHost`]; 404 [without it](Self::with_media) |
/// | keys or clock out of order | 503 with `Retry-After` |
/// | another method of these | 405 with `Allow` |
/// | another path | 404 |
/// | no host, several, or contradicting ones | 400 |
///
/// The key set is sent as `application/json`, as the OpenID examples have it: every JOSE client takes that,
/// while the registered `application/jwk-set+json` is refused by some.
#[derive(Clone)]
pub struct Integrator(Arc<Shared>);

struct Shared {
    issuing: Issuing,
    push: Option<Push>,
    media: Option<MediaHost>,
}

/// Where a request goes.
enum Route {
    Keys,
    Token,
    User,
    Push,
    Upload,
    Hosted(StorageReference),
    Refused(StatusCode),
}

const TOKEN_PATH: &str = "/token";
const USER_PATH: &str = "/user";
const MEDIA_PATH: &str = "/media";

impl Integrator {
    /// The server that issues with `issuer` and `keys` to the users `authenticator` recognises, at `clock`'s time,
    /// at most 60 tokens a minute for each.
    #[must_use]
    pub fn new(issuer: TokenIssuer, keys: Keys, authenticator: impl Authenticator, clock: Clock) -> Self {
        let issuing = Issuing::new(issuer, keys, Arc::new(authenticator), clock);
        Self(Arc::new(Shared { issuing, push: None, media: None }))
    }

    /// This server, taking WhatsApp's pushes. To be called before it is cloned.
    #[must_use]
    pub fn with_push(self, push: Push) -> Self {
        self.changed(|shared| shared.push = Some(push))
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
    pub fn with_users(self, store: Arc<dyn UserStore>) -> Self {
        self.changed(|shared| shared.issuing.remember(KnownUsers::new(store)))
    }

    /// This server with another number of tokens a minute for each user. To be called before it is cloned.
    #[must_use]
    pub fn with_tokens_a_minute(self, tokens: NonZeroU32) -> Self {
        self.changed(|shared| shared.issuing.limit(tokens))
    }

    fn changed(mut self, change: impl FnOnce(&mut Shared)) -> Self {
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
        Some(format!("{}{}", self.0.issuing.issuer.base_url(), push.path()))
    }

    /// The checks that [`failing`](Self::failing) may name.
    pub const CHECKS: [&str; 2] = ["clock", "keys"];

    /// What is out of order in this server, and may be in order in another: its clock, or its keys, so that it can issue
    /// no tokens.
    #[must_use]
    pub fn failing(&self) -> Vec<&'static str> {
        let Issuing { clock, keys, .. } = &self.0.issuing;
        let steady = clock.steady();
        let signer = keys.signer(steady.as_ref().map_or_else(|_| clock.now(), |now| *now));
        let named = Self::CHECKS.into_iter().zip([steady.is_ok(), signer.is_ok()]);
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
        self.0.media.as_ref().map(|_| format!("{}{MEDIA_PATH}", self.0.issuing.issuer.base_url()))
    }

    /// Where the keys are published.
    #[must_use]
    pub fn jwks_url(&self) -> String {
        let issuer = &self.0.issuing.issuer;
        format!("{}{}", issuer.base_url(), issuer.jwks_path())
    }

    /// Where tokens are asked for.
    #[must_use]
    pub fn token_url(&self) -> String {
        format!("{}{TOKEN_PATH}", self.0.issuing.issuer.base_url())
    }

    /// The paths below the base URL that a push path must not be.
    #[must_use]
    pub fn taken_paths(jwks_path: &str) -> [String; 4] {
        [jwks_path.to_owned(), TOKEN_PATH.to_owned(), USER_PATH.to_owned(), MEDIA_PATH.to_owned()]
    }
}

impl<B> Service<Request<B>> for Integrator
where
    B: Body<Data = Bytes> + Send + 'static,
{
    type Response = Response<IntegratorBody>;
    type Error = Infallible;
    type Future = Answer;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let (head, body) = request.into_parts();
        let asked_at = Instant::now();
        let route = self.0.route(&head);
        let name = route.name();
        if let Some(slot) = head.extensions.get::<RouteName>() {
            slot.set(name);
        }
        let at_once = match &route {
            Route::Keys => Some(self.0.serve_keys(&head)),
            Route::Refused(status) => Some(empty(*status)),
            _ => None,
        };
        if let Some(response) = at_once {
            note(name, response.status(), asked_at);
            return Answer::Ready(Some(response.map(IntegratorBody::Left)));
        }
        let shared = Arc::clone(&self.0);
        Answer::Pending(Box::pin(async move {
            let body: RequestBody = body.map_err(|_| BodyBroken).boxed_unsync();
            let answer = shared.answer(route, &head, body).await;
            note(name, answer.status(), asked_at);
            answer
        }))
    }
}

/// An answer, there already or under way.
#[must_use = "does nothing unless awaited"]
pub enum Answer {
    /// It needed nobody else; taken when polled.
    Ready(Option<Response<IntegratorBody>>),
    /// It is being worked on.
    Pending(Pin<Box<dyn Future<Output = Response<IntegratorBody>> + Send>>),
}

impl Future for Answer {
    type Output = Result<Response<IntegratorBody>, Infallible>;

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

impl Route {
    /// The label of metrics.
    const fn name(&self) -> &'static str {
        match self {
            Self::Keys => "jwks",
            Self::Token => "token",
            Self::User => "user",
            Self::Push => "push",
            Self::Upload => "media_upload",
            Self::Hosted(_) => "media",
            Self::Refused(_) => "none",
        }
    }
}

impl Shared {
    fn route(&self, request: &Parts) -> Route {
        if !has_one_host(request) {
            return Route::Refused(StatusCode::BAD_REQUEST);
        }
        let issuer = &self.issuing.issuer;
        match request.uri.path().strip_prefix(issuer.base_url().path()) {
            Some(path) if path == issuer.jwks_path() => Route::Keys,
            Some(TOKEN_PATH) => Route::Token,
            Some(USER_PATH) => Route::User,
            Some(path) if self.push.as_ref().is_some_and(|push| push.path() == path) => Route::Push,
            Some(MEDIA_PATH) if self.media.is_some() => Route::Upload,
            Some(path) if self.media.is_some() => {
                hosted(path).map_or(Route::Refused(StatusCode::NOT_FOUND), Route::Hosted)
            }
            _ => Route::Refused(StatusCode::NOT_FOUND),
        }
    }

    async fn answer(&self, route: Route, head: &Parts, body: RequestBody) -> Response<IntegratorBody> {
        let ours = |answer: Response<Full<Bytes>>| explained(answer.map(IntegratorBody::Left), &head.method);
        match (route, &self.push, &self.media) {
            (Route::Token, _, _) => ours(self.issuing.answer(head).await),
            (Route::User, _, _) => ours(self.forget(head).await),
            (Route::Push, Some(push), _) => push.answer(head, body).await.map(IntegratorBody::Left),
            (Route::Upload, _, Some(media)) => explained(self.upload(media, head, body).await, &head.method),
            (Route::Hosted(reference), _, Some(media)) => {
                let answer = self.hosted(media, &reference, head).await;
                // WhatsApp fetches; our own clients delete.
                if head.method == Method::DELETE { explained(answer, &head.method) } else { answer }
            }
            _ => empty(StatusCode::NOT_FOUND).map(IntegratorBody::Left),
        }
    }

    fn serve_keys(&self, request: &Parts) -> Response<Full<Bytes>> {
        if request.method != Method::GET && request.method != Method::HEAD {
            return not_allowed("GET, HEAD");
        }
        let Ok(key_set) = self.issuing.keys.key_set(self.issuing.clock.now()) else { return unavailable() };
        let etag = key_set.etag().to_str().unwrap_or_default();
        let known = is_known(&request.headers, etag);
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
    async fn upload(
        &self,
        media: &MediaHost,
        request: &Parts,
        body: RequestBody,
    ) -> Response<IntegratorBody> {
        match self.issuing.principal(request).await {
            Ok(principal) => media.upload(principal, request, body).await,
            Err(response) => response.map(IntegratorBody::Left),
        }
    }

    /// Lets anybody fetch who has the reference, and the owner delete.
    async fn hosted(
        &self,
        media: &MediaHost,
        reference: &StorageReference,
        request: &Parts,
    ) -> Response<IntegratorBody> {
        let mut owner = None;
        if request.method == Method::DELETE {
            match self.issuing.principal(request).await {
                Ok(principal) => owner = Some(principal),
                Err(response) => return response.map(IntegratorBody::Left),
            }
        } else if media.needs_token() || request.headers.contains_key(header::AUTHORIZATION) {
            let refusal = match &self.push {
                Some(push) => push.refusal(request).await,
                None => media.needs_token().then(unavailable),
            };
            if let Some(refusal) = refusal {
                return refusal.map(IntegratorBody::Left);
            }
        }
        media.hosted(reference, request, owner).await
    }

    /// Forgets the user who asks, or for whom the service's backend made a credential.
    async fn forget(&self, request: &Parts) -> Response<Full<Bytes>> {
        if request.method != Method::DELETE {
            return not_allowed("DELETE");
        }
        let principal = match self.issuing.principal(request).await {
            Ok(principal) => principal,
            Err(response) => return response,
        };
        let user = principal.user_identifier();
        let files = match &self.media {
            Some(media) => media.forget_user(user).await,
            None => Ok(0),
        };
        let forgotten = match files {
            Ok(_) => self.issuing.forget(user).await,
            Err(error) => Err(error),
        };
        match forgotten {
            Ok(_) => empty(StatusCode::NO_CONTENT),
            Err(error) => {
                tracing::error!(%error, "a user was not forgotten");
                unavailable()
            }
        }
    }
}

impl fmt::Debug for Integrator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Integrator")
            .field("base_url", self.0.issuing.issuer.base_url())
            .finish_non_exhaustive()
    }
}

/// What a path below the base URL names, with or without a slash at its end.
fn hosted(path: &str) -> Option<StorageReference> {
    let name = path.strip_prefix('/')?;
    StorageReference::parse(name.strip_suffix('/').unwrap_or(name))
}

/// Records one answer. Labels come from a fixed set, so the number of series is bounded.
fn note(route: &'static str, status: StatusCode, asked_at: Instant) {
    tracing::Span::current().record("route", route).record("status", i64::from(status.as_u16()));
    let labels = [("route", route.to_owned()), ("status", status.as_str().to_owned())];
    metrics::counter!("wa_integrator_requests_total", &labels).increment(1);
    metrics::histogram!("wa_integrator_request_seconds", "route" => route).record(asked_at.elapsed());
}
