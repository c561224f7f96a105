//! `[telemetry]`: where traces are sent (OTLP 1.5).

use clap::Args;
use serde::Deserialize;
use wa_integrator::BaseUrl;

use super::{over, value, value::Within};

/// Where traces are sent, by a program that was built with `otel`.
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
}

impl TelemetrySettings {
    pub(super) fn over(self, below: Self) -> Self {
        over!(self, below, otlp_endpoint, traces_of_a_thousand)
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
