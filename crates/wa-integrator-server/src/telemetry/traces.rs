//! Spans of requests and deliveries as traces (OTLP 1.5 over HTTP, protobuf).
//!
//! What a span says is what the logs say: no user, no token, no address of a hosted file.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_http::{HttpClient, HttpError};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider};
use tokio::runtime::Handle;
use tracing::{Level, Metadata, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::registry::LookupSpan;
use wa_http::{HttpClient as _, HyperClient};
use wa_integrator::BaseUrl;

use crate::error::StartError;
use crate::run::backend;
use crate::settings::Settings;

/// The way to a collector.
pub(crate) struct Traces(SdkTracerProvider);

impl Traces {
    /// Sends this share of all traces, from 0 to 1, to the collector at `url`, in the background and some at a time;
    /// what it does not take in time is dropped.
    ///
    /// # Errors
    /// [`StartError::Collector`].
    pub(crate) fn to(url: &BaseUrl, share: f64, settings: &Settings) -> Result<Self, StartError> {
        let refused = |_| StartError::Collector;
        let client = Client {
            client: backend(&settings.trust.trust()?),
            runtime: Handle::current(),
            failing: Arc::default(),
        };
        let exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(client)
            .with_protocol(Protocol::HttpBinary)
            .with_endpoint(format!("{url}/v1/traces"))
            .with_timeout(PATIENCE)
            .build()
            .map_err(refused)?;
        let resource = Resource::builder().with_service_name("wa-integrator").build();
        let provider = SdkTracerProvider::builder()
            .with_batch_exporter(exporter)
            .with_sampler(Sampler::TraceIdRatioBased(share))
            .with_resource(resource);
        Ok(Self(provider.build()))
    }

    /// What takes spans from the program.
    pub(crate) fn layer<S>(&self) -> impl Layer<S> + use<S>
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        // Requests have their spans from the server's crate, whose access log is no part of a trace.
        let is_ours = |of: &Metadata<'_>| {
            of.target().starts_with("wa_integrator")
                || of.is_span() && of.target().starts_with("wa_http_server")
        };
        let ours = move |of: &Metadata<'_>| *of.level() <= Level::INFO && is_ours(of);
        let layer = tracing_opentelemetry::layer().with_tracer(self.0.tracer("wa-integrator"));
        // Not where in the source, nor on which thread.
        layer
            .with_location(false)
            .with_threads(false)
            .with_tracked_inactivity(false)
            .with_filter(filter_fn(ours))
    }

    /// Sends the rest.
    pub(crate) async fn end(self) {
        // It waits for a thread of its own, which asks this runtime to send.
        let ended = tokio::task::spawn_blocking(move || self.0.shutdown_with_timeout(PATIENCE)).await;
        if !matches!(ended, Ok(Ok(()))) {
            tracing::warn!("traces were not sent in time");
        }
    }
}

/// Our client for the exporter, whose thread knows no runtime.
#[derive(Debug)]
struct Client {
    client: HyperClient,
    runtime: Handle,
    /// Whether it fails right now: the log is told once.
    failing: Arc<AtomicBool>,
}

impl HttpClient for Client {
    fn send_bytes<'client, 'sending>(
        &'client self,
        request: Request<Bytes>,
    ) -> Pin<Box<dyn Future<Output = Result<Response<Bytes>, HttpError>> + Send + 'sending>>
    where
        'client: 'sending,
        Self: 'sending,
    {
        let (client, failing) = (self.client.clone(), Arc::clone(&self.failing));
        let sending = self.runtime.spawn(async move {
            let answer = client.send(request).await;
            let fails = !answer.as_ref().is_ok_and(|answer| answer.status().is_success());
            if failing.swap(fails, Ordering::Relaxed) != fails {
                say(fails, &answer);
            }
            answer
        });
        Box::pin(async move { Ok(sending.await??) })
    }
}

fn say(fails: bool, answer: &Result<Response<Bytes>, wa_http::HttpError>) {
    match answer {
        Ok(_) if !fails => tracing::info!("traces are taken again"),
        Ok(answer) => tracing::warn!(status = answer.status().as_u16(), "traces are not taken"),
        Err(error) => tracing::warn!(%error, "traces are not taken"),
    }
}

/// How long a collector may take.
const PATIENCE: Duration = Duration::from_secs(3);
