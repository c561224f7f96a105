//! `[admin]`: where operators ask for readiness and metrics.

use std::net::{Ipv4Addr, SocketAddr};
use std::str::FromStr;

use serde::Deserialize;

use super::value;

/// Where operators ask.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct AdminSettings {
    /// Without it there is no such listener.
    #[serde(deserialize_with = "value::text")]
    listen: Option<AdminAddress>,
}

/// An address, of which a port alone is the loopback one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct AdminAddress(SocketAddr);

impl AdminSettings {
    /// The address, if there is to be such a listener.
    pub(crate) fn address(&self) -> Option<SocketAddr> {
        self.listen.map(|AdminAddress(address)| address)
    }
}

impl FromStr for AdminAddress {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let port = || text.parse().ok().map(|port: u16| SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
        let address = text.parse().ok().or_else(port);
        address.map(Self).ok_or("an admin address is a port, or an address and a port")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_alone_is_loopback() {
        let of = |text: &str| text.parse::<AdminAddress>().map(|AdminAddress(address)| address.to_string());
        assert_eq!(of("9464").as_deref(), Ok("127.0.0.1:9464"));
        assert_eq!(of("0.0.0.0:9464").as_deref(), Ok("0.0.0.0:9464"));
        assert_eq!(of("[::1]:9464").as_deref(), Ok("[::1]:9464"));
        assert!(of("example:1").is_err() && of("70000").is_err() && of("").is_err());
    }
}
