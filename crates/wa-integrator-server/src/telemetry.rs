//! What the program says of itself while it runs: logs on standard error, and, built with `otel`, traces to a collector
//! (OTLP 1.5 over HTTP).

#[cfg(feature = "otel")]
mod traces;

use std::env::{self, VarError};
use std::io;

use tracing_subscriber::filter::Directive;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer as _};

use crate::cli::LOG;
use crate::error::StartError;
use crate::settings::{LogFormat, Settings};

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
    pub(crate) fn begin(settings: &Settings) -> Result<Self, StartError> {
        let telemetry = &settings.telemetry;
        let filter = filter(env::var(LOG), telemetry.access_log)?;
        let logs = tracing_subscriber::fmt::layer().with_writer(io::stderr);
        let logs = match telemetry.log_format {
            LogFormat::Text => logs.with_filter(filter).boxed(),
            LogFormat::Json => logs.json().flatten_event(true).with_filter(filter).boxed(),
        };
        let subscriber = tracing_subscriber::registry().with(logs);
        #[cfg(feature = "otel")]
        {
            let collector = telemetry.otlp_endpoint.as_ref();
            let traces =
                collector.map(|url| traces::Traces::to(url, telemetry.share(), settings)).transpose()?;
            subscriber.with(traces.as_ref().map(traces::Traces::layer)).init();
            Ok(Self { traces })
        }
        #[cfg(not(feature = "otel"))]
        {
            subscriber.init();
            match &telemetry.otlp_endpoint {
                Some(_) => Err(StartError::NotBuilt { name: "opentelemetry" }),
                None => Ok(Self {}),
            }
        }
    }

    /// Sends what has not been sent yet, for a few seconds at most.
    #[cfg_attr(not(feature = "otel"), expect(clippy::unused_async, reason = "as with traces"))]
    pub(crate) async fn end(self) {
        #[cfg(feature = "otel")]
        if let Some(traces) = self.traces {
            traces.end().await;
        }
    }
}

/// What is logged, as the variable says; requests only if they are asked for, by it or by the setting.
fn filter(variable: Result<String, VarError>, access: bool) -> Result<EnvFilter, StartError> {
    let refused = |reason: String| StartError::LogFilter { reason };
    let text = match variable {
        Ok(text) if !text.is_empty() => text,
        Ok(_) | Err(VarError::NotPresent) => "info".to_owned(),
        Err(VarError::NotUnicode(_)) => return Err(refused("it is not UTF-8".to_owned())),
    };
    let named = text.contains(ACCESS);
    let filter = EnvFilter::try_new(&text).map_err(|error| refused(error.to_string()))?;
    if named {
        return Ok(filter);
    }
    let level = if access { "info" } else { "off" };
    let access: Directive =
        format!("{ACCESS}={level}").parse().map_err(|_| refused("the access log".to_owned()))?;
    Ok(filter.add_directive(access))
}

/// Where the server logs requests.
const ACCESS: &str = "wa_http_server::access";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_logged_where_somebody_asks_for_them() {
        let of = |text: &str, access| filter(Ok(text.to_owned()), access).unwrap().to_string();
        assert!(of("", false).contains("wa_http_server::access=off"));
        assert!(of("info", true).contains("wa_http_server::access=info"));
        assert!(of("warn,wa_http_server::access=info", false).contains("wa_http_server::access=info"));
    }

    #[test]
    fn a_filter_that_is_none_is_refused() {
        let refused = filter(Ok("wa_integrator=loud".to_owned()), false).unwrap_err();
        assert!(refused.to_string().starts_with("WA_INTEGRATOR_LOG is no filter: "), "{refused}");
    }
}
