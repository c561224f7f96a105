//! `[limits]`: what connections may take (overview part 1).

use serde::Deserialize;
use wa_http_server::ConnectionLimits;

use super::value::Within;

/// What connections may take.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct LimitSettings {
    connections: Option<Within<1, 100_000, 1>>,
    connections_per_address: Option<Within<1, 100_000, 1>>,
    handler_seconds: Within<1, 600, 15>,
    idle_seconds: Within<1, 3600, 75>,
    age_seconds: Within<1, 86_400, 600>,
    drain_seconds: Within<0, 3600, 10>,
}

impl LimitSettings {
    /// The limits on connections.
    pub(crate) fn connections(&self) -> ConnectionLimits {
        let mut limits = ConnectionLimits::default();
        if let Some(connections) = self.connections {
            limits = limits.with_connections(connections.count());
        }
        if let Some(connections) = self.connections_per_address {
            limits.connections_per_address = connections.count();
        }
        limits.handler = self.handler_seconds.seconds();
        limits.idle = self.idle_seconds.seconds();
        limits.age = self.age_seconds.seconds();
        limits.drain = self.drain_seconds.seconds();
        limits
    }
}
