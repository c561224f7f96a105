//! `[limits]`: what connections may take (seed part 1).

use clap::Args;
use serde::Deserialize;
use wa_integrator::ConnectionLimits;

use super::{over, value::Within};

/// What connections may take.
#[derive(Debug, Default, Args, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct LimitSettings {
    /// How many connections are served at a time [default: 1024].
    #[arg(long, value_name = "N", env = "WA_INTEGRATOR_CONNECTIONS")]
    connections: Option<Within<1, 100_000>>,
}

impl LimitSettings {
    pub(super) fn over(self, below: Self) -> Self {
        over!(self, below, connections)
    }

    /// The limits on connections.
    pub(crate) fn connections(&self) -> ConnectionLimits {
        let limits = ConnectionLimits::default();
        match self.connections {
            Some(connections) => {
                limits.with_connections(usize::try_from(connections.value()).unwrap_or(usize::MAX))
            }
            None => limits,
        }
    }
}
