//! The program's listeners: the public one and the operators' (overview part 1).

use std::net::SocketAddr;
use std::time::Duration;

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use wa_http_server::{ConnectionLimits, Drain, Server, Tls};
use wa_integrator::{Admin, BaseUrl, Readiness, ServerMetrics, describe_metrics, private_file};

use super::assembly::Parts;
use super::signals::{Reload, Signals, Stop};
use crate::error::StartError;
use crate::settings::Settings;

/// Sockets that are bound and not served yet.
pub(crate) struct Listening {
    server: Server,
    admin: Option<(Server, PrometheusHandle)>,
    tls: Option<Tls>,
    is_healthy: Box<dyn Fn() -> bool + Send + Sync>,
}

impl Listening {
    /// Binds what the settings name, or takes the socket that a service manager has passed on.
    pub(crate) async fn open(settings: &Settings) -> Result<Self, StartError> {
        let (address, limits) = (settings.listen.address(), settings.limits.connections());
        let mut server = match listenfd::ListenFd::from_env().take_tcp_listener(0).ok().flatten() {
            Some(listener) => Server::from_listener(listener, limits)?,
            None if settings.listen.beside => beside(address, limits).await?,
            None => Server::bind(address, limits).await?,
        };
        server = server.with_observer(ServerMetrics).with_forwarded_for(settings.listen.forwarded_for());
        if let Some(proxy_protocol) = settings.listen.proxy_protocol() {
            server = server.with_proxy_protocol(proxy_protocol);
        }
        let files = settings.tls.files()?;
        // Not refused: certificates were given so before anybody looked.
        if let Some(Err(error)) = files.as_ref().map(|files| private_file::check_existing(&files.key)) {
            tracing::warn!(%error, "the key of the certificate");
        }
        let tls = files.map(Tls::open).transpose()?;
        let tls = tls.map(|tls| tls.with_observer(ServerMetrics));
        if let Some(tls) = &tls {
            server = server.with_tls(tls.clone());
        }
        let admin = match settings.admin.address() {
            Some(address) => Some((Server::bind(address, admin_limits()).await?, recorder()?)),
            None => None,
        };
        Ok(Self { server, admin, tls, is_healthy: Box::new(|| true) })
    }

    /// These listeners, telling operators how this finds the process.
    pub(crate) fn with_health(mut self, is_healthy: impl Fn() -> bool + Send + Sync + 'static) -> Self {
        self.is_healthy = Box::new(is_healthy);
        self
    }

    /// Where requests are answered.
    pub(crate) fn url(&self) -> String {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://{}", self.server.address())
    }

    /// Where operators ask, if they can.
    pub(crate) fn admin_url(&self) -> Option<String> {
        self.admin.as_ref().map(|(server, _)| format!("http://{}", server.address()))
    }

    /// The base URL of a server that nobody else reaches.
    pub(crate) fn base_url(&self) -> Result<BaseUrl, StartError> {
        let address = self.server.address();
        let missing = |_| StartError::BaseUrlMissing { address };
        match self.tls {
            Some(_) if address.ip().is_loopback() => self.url().parse().map_err(missing),
            Some(_) => Err(StartError::BaseUrlMissing { address }),
            None => BaseUrl::from_loopback(address).map_err(missing),
        }
    }

    /// Serves until the program is asked to end, and then to the end: not ready any more, after a while nothing new,
    /// and at a second signal at once. Operators are answered until the last.
    pub(crate) async fn serve(self, parts: Parts, signals: Signals, settings: &Settings) {
        let Self { server, admin, tls, is_healthy } = self;
        let Parts { integrator, readiness, drain, directory, .. } = parts;
        let beside = Drain::new();
        let operators = operators(admin, readiness, is_healthy, &beside);
        let Signals { mut stop, reload } = signals;
        let reloading = certificate(tls, reload, settings.tls.refresh());
        let public = async {
            server.run_until(integrator, &drain).await;
            beside.cut();
        };
        let ending = end(&drain, &mut stop, settings.listen.drain_delay());
        tokio::select! {
            ((), ()) = async { tokio::join!(public, operators) } => {}
            () = ending => {}
            () = reloading => {}
        }
        drop(directory);
    }
}

/// Beside other processes, where the operating system can.
#[cfg(unix)]
#[expect(clippy::unused_async, reason = "as where it cannot")]
async fn beside(address: SocketAddr, limits: ConnectionLimits) -> Result<Server, StartError> {
    Ok(Server::bind_beside(address, limits)?)
}

/// Where two processes cannot share a port.
#[cfg(not(unix))]
async fn beside(address: SocketAddr, limits: ConnectionLimits) -> Result<Server, StartError> {
    Ok(Server::bind(address, limits).await?)
}

/// Stage by stage, as the signals say. Never ready: what is served says when it is over.
async fn end(drain: &Drain, signals: &mut Stop, delay: Duration) {
    signals.asked().await;
    tracing::info!(?delay, "leaving");
    drain.leave();
    tokio::select! {
        () = tokio::time::sleep(delay) => drain.end(),
        () = signals.asked() => drain.cut(),
    }
    signals.asked().await;
    drain.cut();
    std::future::pending().await
}

/// Answers operators until `beside` is over.
async fn operators(
    admin: Option<(Server, PrometheusHandle)>,
    readiness: Readiness,
    is_healthy: Box<dyn Fn() -> bool + Send + Sync>,
    beside: &Drain,
) {
    let Some((server, recorder)) = admin else { return };
    let rendering = recorder.clone();
    let upkeep = async {
        loop {
            tokio::time::sleep(UPKEEP_INTERVAL).await;
            recorder.run_upkeep();
        }
    };
    let process = metrics_process::Collector::default();
    process.describe();
    let render = move || {
        process.collect();
        rendering.render()
    };
    let admin = Admin::new(readiness, render).with_health(is_healthy);
    tokio::select! {
        () = server.run_until(admin, beside) => {}
        () = upkeep => {}
    }
}

/// Keeps the certificate fresh, and never returns.
async fn certificate(tls: Option<Tls>, mut reload: Reload, refresh: Duration) {
    let Some(tls) = tls else { return std::future::pending().await };
    let asked = tls.clone();
    let on_demand = async move {
        loop {
            reload.asked().await;
            match asked.reload() {
                Ok(changed) => {
                    tracing::info!(
                        changed,
                        expires_at = asked.expires_at(),
                        "the certificate was read again"
                    );
                }
                Err(error) => tracing::error!(%error, "the certificate in use is kept"),
            }
        }
    };
    tokio::join!(tls.run(refresh), on_demand);
}

/// Renders what is measured. There is one for the process.
fn recorder() -> Result<PrometheusHandle, StartError> {
    let name = Matcher::Full("wa_integrator_request_seconds".to_owned());
    let builder = PrometheusBuilder::new().set_buckets_for_metric(name, &SECONDS);
    let recorder = builder.and_then(PrometheusBuilder::install_recorder).map_err(|_| StartError::Recorder)?;
    describe_metrics();
    Ok(recorder)
}

const SECONDS: [f64; 10] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.25, 1.0, 5.0, 15.0];
const UPKEEP_INTERVAL: Duration = Duration::from_secs(5);

/// Operators are few.
fn admin_limits() -> ConnectionLimits {
    let mut limits = ConnectionLimits::default().with_connections(64);
    limits.host_required = false;
    limits
}
