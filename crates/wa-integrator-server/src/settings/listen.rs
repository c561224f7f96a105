//! `[listen]`: where requests come in (overview part 1).

use std::net::SocketAddr;
use std::time::Duration;

use serde::Deserialize;
use wa_http_server::{ForwardedFor, ProxyProtocol};
use wa_integrator::BaseUrl;

use super::value;
use super::value::{AddressOrNetwork, Within, networks};

/// Where requests come in.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct ListenSettings {
    #[serde(deserialize_with = "value::text")]
    address: Option<SocketAddr>,
    /// The public URL of this server; by default the address, if it is loopback.
    #[serde(deserialize_with = "value::text")]
    pub(crate) base_url: Option<BaseUrl>,
    /// Whether others listen on the same address.
    pub(crate) beside: bool,
    #[serde(deserialize_with = "value::texts")]
    proxy_protocol: Vec<AddressOrNetwork>,
    #[serde(deserialize_with = "value::texts")]
    forwarded_for: Vec<AddressOrNetwork>,
    drain_delay: Within<0, 600, 0>,
}

impl ListenSettings {
    /// The proxies that speak the PROXY protocol, if any do.
    pub(crate) fn proxy_protocol(&self) -> Option<ProxyProtocol> {
        (!self.proxy_protocol.is_empty()).then(|| ProxyProtocol::new(&networks(&self.proxy_protocol)))
    }

    /// The proxies that are believed.
    pub(crate) fn forwarded_for(&self) -> ForwardedFor {
        ForwardedFor::new(&networks(&self.forwarded_for))
    }

    /// How long the server goes on after it was asked to end.
    pub(crate) const fn drain_delay(&self) -> Duration {
        self.drain_delay.seconds()
    }

    /// The address to listen on.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address.unwrap_or_else(|| ([127, 0, 0, 1], 8080).into())
    }
}
