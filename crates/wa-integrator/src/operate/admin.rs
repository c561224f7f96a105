//! What the server's operators ask, on a listener of its own: health, readiness, metrics, build.

use std::convert::Infallible;
use std::fmt;
use std::future::{Ready, ready};
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use tower::Service;

use crate::operate::Readiness;
use crate::value::answers::{IntegratorBody, JSON, empty, not_allowed};

const TEXT: &str = "text/plain; charset=utf-8";
const PROMETHEUS: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The routes of the admin listener; cheap to clone. It is served by a server of its own, on an
/// address that the public cannot reach: nobody is asked for a credential.
///
/// | request | answer |
/// |---|---|
/// | `GET /health` | 200 `ok`; 503 once [the check](Self::with_health) says that the process should be started anew |
/// | `GET /ready` | 200 `{"ready":true,"failing":[],"degraded":[]}`, or 503 with the names of what fails; `degraded` names what is away for all replicas |
/// | `GET /metrics` | 200, Prometheus's text format |
/// | `GET /build` | 200 `{"name": text, "version": text, "commit": text or null}` |
/// | another method, another path | 405 with `Allow`, 404 |
#[derive(Clone)]
pub struct Admin {
    readiness: Readiness,
    metrics: Arc<dyn Fn() -> String + Send + Sync>,
    is_healthy: Arc<dyn Fn() -> bool + Send + Sync>,
}

impl Admin {
    /// Tells this readiness, and whatever `metrics` renders.
    #[must_use]
    pub fn new(readiness: Readiness, metrics: impl Fn() -> String + Send + Sync + 'static) -> Self {
        Self { readiness, metrics: Arc::new(metrics), is_healthy: Arc::new(|| true) }
    }

    /// These routes, with a check that fails once only a new start helps.
    #[must_use]
    pub fn with_health(mut self, is_healthy: impl Fn() -> bool + Send + Sync + 'static) -> Self {
        self.is_healthy = Arc::new(is_healthy);
        self
    }

    fn answer(&self, method: &Method, path: &str) -> Response<Full<Bytes>> {
        let (status, kind, body) = match path {
            "/health" if (self.is_healthy)() => (StatusCode::OK, TEXT, "ok\n".to_owned()),
            "/health" => (StatusCode::SERVICE_UNAVAILABLE, TEXT, "start anew\n".to_owned()),
            "/ready" => {
                let failing = self.readiness.failing();
                let ready = failing.is_empty();
                let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
                let degraded = self.readiness.degraded();
                let body = serde_json::json!({"ready": ready, "failing": failing, "degraded": degraded});
                (status, JSON, body.to_string())
            }
            "/metrics" => (StatusCode::OK, PROMETHEUS, (self.metrics)()),
            "/build" => (StatusCode::OK, JSON, build()),
            _ => return empty(StatusCode::NOT_FOUND),
        };
        if method != Method::GET && method != Method::HEAD {
            return not_allowed("GET, HEAD");
        }
        let mut response = empty(status);
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from(body.len()));
        if method == Method::GET {
            *response.body_mut() = Full::from(body);
        }
        response
    }
}

impl<B> Service<Request<B>> for Admin {
    type Response = Response<IntegratorBody>;
    type Error = Infallible;
    type Future = Ready<Result<Response<IntegratorBody>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        ready(Ok(self.answer(request.method(), request.uri().path()).map(IntegratorBody::Left)))
    }
}

impl fmt::Debug for Admin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Admin").field("readiness", &self.readiness).finish_non_exhaustive()
    }
}

/// The commit that was built, where the build says it.
pub(super) const COMMIT: Option<&str> = option_env!("WA_INTEGRATOR_COMMIT");

/// What was built.
fn build() -> String {
    let commit = COMMIT;
    let version = env!("CARGO_PKG_VERSION");
    serde_json::json!({"name": "wa-integrator", "version": version, "commit": commit}).to_string()
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt as _;
    use wa_http_server::Drain;

    use super::*;
    use crate::operate::Dependencies;

    async fn ask(admin: &Admin, method: Method, path: &str) -> (u16, String) {
        let response = admin.answer(&method, path);
        let status = response.status().as_u16();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn what_is_asked_is_told_and_nothing_else() {
        let admin = Admin::new(Readiness::new(Drain::new()), || "some_metric 1\n".to_owned());
        assert_eq!(ask(&admin, Method::GET, "/health").await, (200, "ok\n".to_owned()));
        assert_eq!(ask(&admin, Method::GET, "/metrics").await, (200, "some_metric 1\n".to_owned()));
        assert_eq!(ask(&admin, Method::HEAD, "/metrics").await, (200, String::new()));
        let (status, build) = ask(&admin, Method::GET, "/build").await;
        assert!(status == 200 && build.contains(env!("CARGO_PKG_VERSION")), "{build}");
        assert_eq!(ask(&admin, Method::POST, "/metrics").await, (405, String::new()));
        for path in ["/", "/token", "/push", "/.well-known/oauth/openid/jwks", "/metrics/", "/READY"] {
            assert_eq!(ask(&admin, Method::GET, path).await, (404, String::new()), "{path}");
        }
    }

    #[tokio::test]
    async fn readiness_names_what_fails() {
        let drain = Drain::new();
        let fails = Arc::new(std::sync::atomic::AtomicBool::new(false));
        let shown = Arc::clone(&fails);
        let readiness = Readiness::new(drain.clone())
            .with_check("keys", || true)
            .with_check("store", move || !shown.load(std::sync::atomic::Ordering::Relaxed));
        let admin = Admin::new(readiness, String::new);
        let ready = async || {
            let (status, body) = ask(&admin, Method::GET, "/ready").await;
            let body: serde_json::Value = serde_json::from_str(&body).unwrap();
            assert_eq!(body["ready"], status == 200);
            (status, body["failing"].to_string())
        };
        assert_eq!(ready().await, (200, "[]".to_owned()));
        fails.store(true, std::sync::atomic::Ordering::Relaxed);
        assert_eq!(ready().await, (503, r#"["store"]"#.to_owned()));
        drain.leave();
        assert_eq!(ready().await, (503, r#"["draining","store"]"#.to_owned()));
        fails.store(false, std::sync::atomic::Ordering::Relaxed);
        assert_eq!(ready().await, (503, r#"["draining"]"#.to_owned()));
    }

    /// A7: all replicas share it, so none is better than another.
    #[tokio::test]
    async fn what_all_replicas_share_takes_none_out_of_service() {
        let dependencies = Dependencies::new().with("store", || true).with("media", || false);
        let readiness = Readiness::new(Drain::new()).with_dependencies(dependencies);
        let admin = Admin::new(readiness, String::new);
        let (status, body) = ask(&admin, Method::GET, "/ready").await;
        assert_eq!(status, 200);
        let body: serde_json::Value = serde_json::from_str(&body).unwrap();
        assert_eq!(body, serde_json::json!({"degraded": ["media"], "failing": [], "ready": true}));
    }

    #[tokio::test]
    async fn health_fails_once_only_a_new_start_helps() {
        let admin = Admin::new(Readiness::new(Drain::new()), String::new).with_health(|| false);
        assert_eq!(ask(&admin, Method::GET, "/health").await, (503, "start anew\n".to_owned()));
    }
}
