//! `[listen]`: where requests come in (seed part 1).

use std::net::SocketAddr;

use clap::Args;
use serde::Deserialize;
use wa_integrator::BaseUrl;

use super::{over, value};

/// Where requests come in.
#[derive(Debug, Default, Args, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct ListenSettings {
    /// The address to listen on; port 0 takes a free one [default: 127.0.0.1:8080].
    #[arg(id = "listen", long = "listen", value_name = "ADDR", env = "WA_INTEGRATOR_LISTEN")]
    address: Option<SocketAddr>,

    /// The public URL of this server, the tokens' issuer; by default the address, if it is loopback.
    #[arg(long, value_name = "URL", env = "WA_INTEGRATOR_BASE_URL")]
    #[serde(deserialize_with = "value::text")]
    pub(crate) base_url: Option<BaseUrl>,
}

impl ListenSettings {
    pub(super) fn over(self, below: Self) -> Self {
        over!(self, below, address, base_url)
    }

    /// The address to listen on.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address.unwrap_or_else(|| ([127, 0, 0, 1], 8080).into())
    }
}
