//! What the program says of itself while it runs: logs on standard error, and, built with `otel`, traces to a collector
//! (OTLP 1.5 over HTTP).

use std::io;

use tracing_subscriber::{EnvFilter, Layer as _, layer::SubscriberExt as _, util::SubscriberInitExt as _};

use crate::{
    cli::{LOG, StartError},
    settings::TelemetrySettings,
};

/// Where spans go, until it is over.
pub(crate) struct Telemetry {
    #[cfg(feature = "otel")]
    traces: Option<traces::Traces>,
}

impl Telemetry {
    /// Logs from now on, and traces if the settings name a collector.
    ///
    /// # Errors
    /// [`StartError`].
    pub(crate) fn begin(settings: &TelemetrySettings) -> Result<Self, StartError> {
        let filter = EnvFilter::try_from_env(LOG).unwrap_or_else(|_| EnvFilter::new("info"));
        let logs = tracing_subscriber::fmt::layer().with_writer(io::stderr).with_filter(filter);
        let subscriber = tracing_subscriber::registry().with(logs);
        #[cfg(feature = "otel")]
        {
            let traces =
                settings.endpoint().map(|url| traces::Traces::to(url, settings.share())).transpose()?;
            subscriber.with(traces.as_ref().map(traces::Traces::layer)).init();
            Ok(Self { traces })
        }
        #[cfg(not(feature = "otel"))]
        {
            subscriber.init();
            match settings.endpoint() {
                Some(_) => Err(StartError::NotBuilt { name: "opentelemetry" }),
                None => Ok(Self {}),
            }
        }
    }

    /// Sends what has not been sent yet, for a few seconds at most.
    pub(crate) async fn end(self) {
        #[cfg(feature = "otel")]
        if let Some(traces) = self.traces {
            traces.end().await;
        }
    }
}

#[cfg(feature = "otel")]
mod traces;
