//! `[limits]`: what connections may take (overview part 1).

use std::time::Duration;

use clap::Args;
use serde::Deserialize;
use wa_http_server::ConnectionLimits;

use super::over;
use super::value::Within;

/// What connections may take.
#[derive(Debug, Default, Args, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct LimitSettings {
    /// How many connections are served at a time [default: 1024].
    #[arg(long, value_name = "N", env = "WA_INTEGRATOR_CONNECTIONS")]
    connections: Option<Within<1, 100_000>>,

    /// How many of them one address may have, or one IPv6 network of 64 bits [default: 256, or as many as there are if
    /// that is set]. Behind a proxy that does not say for whom it connects, all of them.
    #[arg(long, value_name = "N", env = "WA_INTEGRATOR_CONNECTIONS_PER_ADDRESS")]
    connections_per_address: Option<Within<1, 100_000>>,

    /// How many seconds an answer may take [default: 15].
    #[arg(long, value_name = "SECONDS", env = "WA_INTEGRATOR_HANDLER_SECONDS")]
    handler_seconds: Option<Within<1, 600>>,

    /// How many seconds an HTTP/1.1 connection may wait for its next request [default: 75].
    #[arg(long, value_name = "SECONDS", env = "WA_INTEGRATOR_IDLE_SECONDS")]
    idle_seconds: Option<Within<1, 3600>>,

    /// How many seconds a connection lives before it is asked to end, give or take a tenth [default: 600].
    #[arg(long, value_name = "SECONDS", env = "WA_INTEGRATOR_AGE_SECONDS")]
    age_seconds: Option<Within<1, 86_400>>,

    /// How many seconds are left for what has begun when the server ends [default: 10].
    #[arg(long, value_name = "SECONDS", env = "WA_INTEGRATOR_DRAIN_SECONDS")]
    drain_seconds: Option<Within<0, 3600>>,
}

impl LimitSettings {
    pub(super) fn over(self, below: Self) -> Self {
        over!(
            self,
            below,
            connections,
            connections_per_address,
            handler_seconds,
            idle_seconds,
            age_seconds,
            drain_seconds,
        )
    }

    /// The limits on connections.
    pub(crate) fn connections(&self) -> ConnectionLimits {
        let count = |value: u64| usize::try_from(value).unwrap_or(usize::MAX);
        let mut limits = ConnectionLimits::default();
        if let Some(connections) = self.connections {
            limits = limits.with_connections(count(connections.value()));
        }
        if let Some(connections) = self.connections_per_address {
            limits.connections_per_address = count(connections.value());
        }
        for (limit, seconds) in [
            (&mut limits.handler, self.handler_seconds.map(Within::value)),
            (&mut limits.idle, self.idle_seconds.map(Within::value)),
            (&mut limits.age, self.age_seconds.map(Within::value)),
            (&mut limits.drain, self.drain_seconds.map(Within::value)),
        ] {
            if let Some(seconds) = seconds {
                *limit = Duration::from_secs(seconds);
            }
        }
        limits
    }
}
