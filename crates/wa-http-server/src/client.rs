//! Who is at the other end: the peer, for whom a proxy connects or asks, and how many connections each address has.

mod address;
mod places;
mod proxy_protocol;

pub use address::{ClientAddress, ForwardedFor, PeerAddress};
pub(crate) use places::PerAddress;
pub use proxy_protocol::ProxyProtocol;

use std::net::IpAddr;

use ipnet::IpNet;

/// Whether this address is in one of the networks; an IPv4 address in IPv6 counts as what it is.
pub(crate) fn is_among(networks: &[IpNet], address: IpAddr) -> bool {
    let address = address.to_canonical();
    networks.iter().any(|network| network.contains(&address))
}
