//! `[telemetry]`: how logs look, and where traces are sent (OTLP 1.5).

use serde::Deserialize;
use wa_integrator::BaseUrl;

use super::value;
use super::value::Within;

/// How logs look; and where traces are sent, by a program that was built with `otel`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct TelemetrySettings {
    /// The collector, if there is one.
    #[serde(deserialize_with = "value::text")]
    pub(crate) otlp_endpoint: Option<BaseUrl>,
    traces_of_a_thousand: Within<0, 1000, 1000>,
    /// How logs are written.
    #[serde(deserialize_with = "value::choice")]
    pub(crate) log_format: LogFormat,
    /// Whether every request is logged.
    pub(crate) access_log: bool,
}

/// How logs are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum LogFormat {
    /// A line for people.
    #[default]
    Text,
    /// A JSON object a line.
    Json,
}

impl TelemetrySettings {
    /// Which share of all requests is traced, from 0 to 1.
    #[cfg(feature = "otel")]
    pub(crate) fn share(&self) -> f64 {
        u32::try_from(self.traces_of_a_thousand.count()).map_or(1.0, f64::from) / 1000.0
    }
}
