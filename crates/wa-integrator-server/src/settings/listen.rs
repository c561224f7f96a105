//! `[listen]`: where requests come in (overview part 1).

use std::net::SocketAddr;
use std::time::Duration;

use clap::Args;
use serde::Deserialize;
use wa_http_server::{ForwardedFor, ProxyProtocol};
use wa_integrator::BaseUrl;

use super::value::{AddressOrNetwork, Within, networks};
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

    /// Listen beside other processes that do so on the same address, for a restart without a gap [default: false].
    /// A socket that a service manager passes on (LISTEN_FDS) is used in place of the address, whatever this says.
    #[arg(
        id = "listen_beside",
        long = "listen-beside",
        num_args = 0..=1,
        default_missing_value = "true",
        value_name = "BOOL",
        env = "WA_INTEGRATOR_LISTEN_BESIDE"
    )]
    beside: Option<bool>,

    /// Proxies that say for whom they connect by the PROXY protocol, as addresses or networks separated by commas;
    /// nobody else may connect then.
    #[arg(long, value_name = "NETWORK", env = "WA_INTEGRATOR_PROXY_PROTOCOL", value_delimiter = ',')]
    #[serde(deserialize_with = "value::texts")]
    proxy_protocol: Option<Vec<AddressOrNetwork>>,

    /// HTTP proxies that are believed when they say in X-Forwarded-For for whom they ask.
    #[arg(long, value_name = "NETWORK", env = "WA_INTEGRATOR_FORWARDED_FOR", value_delimiter = ',')]
    #[serde(deserialize_with = "value::texts")]
    forwarded_for: Option<Vec<AddressOrNetwork>>,

    /// How many seconds the server goes on after it was asked to end, not ready any more, so that balancers take it
    /// out first [default: 0].
    #[arg(long, value_name = "SECONDS", env = "WA_INTEGRATOR_DRAIN_DELAY")]
    drain_delay: Option<Within<0, 600>>,
}

impl ListenSettings {
    pub(super) fn over(self, below: Self) -> Self {
        over!(self, below, address, base_url, beside, proxy_protocol, forwarded_for, drain_delay)
    }

    /// Whether others listen on the same address.
    pub(crate) fn is_beside(&self) -> bool {
        self.beside.unwrap_or(false)
    }

    /// The proxies that speak the PROXY protocol, if any do.
    pub(crate) fn proxy_protocol(&self) -> Option<ProxyProtocol> {
        let proxies = networks(self.proxy_protocol.as_deref().filter(|proxies| !proxies.is_empty())?);
        Some(ProxyProtocol::new(&proxies))
    }

    /// The proxies that are believed.
    pub(crate) fn forwarded_for(&self) -> ForwardedFor {
        ForwardedFor::new(&networks(self.forwarded_for.as_deref().unwrap_or_default()))
    }

    /// How long the server goes on after it was asked to end.
    pub(crate) fn drain_delay(&self) -> Duration {
        Duration::from_secs(self.drain_delay.map_or(0, Within::value))
    }

    /// The address to listen on.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address.unwrap_or_else(|| ([127, 0, 0, 1], 8080).into())
    }
}
