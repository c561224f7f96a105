//! `[telemetry]`: how logs look, and where traces are sent (OTLP 1.5).

use clap::{Args, ValueEnum};
use serde::Deserialize;
use wa_integrator::BaseUrl;

use super::value::Within;
use super::{over, value};

/// How logs look; and where traces are sent, by a program that was built with `otel`.
#[derive(Debug, Default, Args, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct TelemetrySettings {
    /// The collector that traces are sent to by OTLP over HTTP, such as `http://127.0.0.1:4318`; none by default. Needs a
    /// program that was built with `otel`.
    #[arg(long, value_name = "URL", env = "WA_INTEGRATOR_OTLP_ENDPOINT")]
    #[serde(deserialize_with = "value::text")]
    otlp_endpoint: Option<BaseUrl>,

    /// How many of a thousand requests are traced [default: 1000].
    #[arg(long, value_name = "N", env = "WA_INTEGRATOR_TRACES_OF_A_THOUSAND")]
    traces_of_a_thousand: Option<Within<0, 1000>>,

    /// How logs are written [default: text].
    #[arg(long, value_enum, env = "WA_INTEGRATOR_LOG_FORMAT")]
    log_format: Option<LogFormat>,

    /// Log every request: method, route, status, bytes, how long it took; nobody's name or address [default: false].
    #[arg(long, env = "WA_INTEGRATOR_ACCESS_LOG", num_args = 0..=1, require_equals = true,
        default_missing_value = "true")]
    access_log: Option<bool>,
}

/// How logs are written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum LogFormat {
    /// A line for people
    #[default]
    Text,
    /// A JSON object a line
    Json,
}

impl TelemetrySettings {
    pub(super) fn over(self, below: Self) -> Self {
        over!(self, below, otlp_endpoint, traces_of_a_thousand, log_format, access_log)
    }

    /// How logs are written.
    pub(crate) fn log_format(&self) -> LogFormat {
        self.log_format.unwrap_or_default()
    }

    /// Whether every request is logged.
    pub(crate) fn is_access_logged(&self) -> bool {
        self.access_log.unwrap_or(false)
    }

    /// The collector, if there is one.
    pub(crate) const fn endpoint(&self) -> Option<&BaseUrl> {
        self.otlp_endpoint.as_ref()
    }

    /// Which share of all requests is traced, from 0 to 1.
    #[cfg(feature = "otel")]
    pub(crate) fn share(&self) -> f64 {
        let of_a_thousand = self.traces_of_a_thousand.map_or(1000, Within::value);
        u32::try_from(of_a_thousand).map_or(1.0, f64::from) / 1000.0
    }
}
