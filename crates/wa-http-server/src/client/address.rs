//! Who asks, behind proxies that are trusted to say so (RFC 7239 §8.1 on forged ones).

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use http::HeaderMap;
use ipnet::IpNet;

use crate::client::is_among;

/// The other end of the connection that a request came on, as one of its extensions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PeerAddress(pub SocketAddr);

/// The address of the client: the other end of the connection, or the one a trusted proxy names; an extension of every
/// request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ClientAddress(pub IpAddr);

impl ClientAddress {
    /// The address; of an IPv6 address its network of 64 bits, since a client that has one of them has all.
    #[must_use]
    pub fn network(self) -> IpAddr {
        match self.0.to_canonical() {
            IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
            address => address,
        }
    }
}

/// Which proxies are believed when they say for whom they ask; by default none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ForwardedFor {
    proxies: Arc<[IpNet]>,
}

impl ForwardedFor {
    /// Believes `X-Forwarded-For` from these proxies only.
    #[must_use]
    pub fn new(proxies: &[IpNet]) -> Self {
        Self { proxies: proxies.into() }
    }

    /// Who asks through `peer`: from the right, the first address of `X-Forwarded-For` that is no trusted proxy.
    /// What stands left of it was written by that address. Where the header stops making sense, the last trusted
    /// proxy is who asks.
    pub(crate) fn client(&self, peer: SocketAddr, headers: &HeaderMap) -> IpAddr {
        let mut client = peer.ip().to_canonical();
        if self.proxies.is_empty() {
            return client;
        }
        let lines = headers.get_all("x-forwarded-for").iter().rev();
        let hops = lines.flat_map(|line| line.to_str().unwrap_or_default().rsplit(','));
        for hop in hops {
            if !is_among(&self.proxies, client) {
                break;
            }
            match hop.trim().parse::<IpAddr>() {
                Ok(address) => client = address.to_canonical(),
                Err(_) => break,
            }
        }
        client
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn client(proxies: &[&str], lines: &[&str]) -> String {
        let network =
            |proxy: &&str| proxy.parse::<IpAddr>().map(IpNet::from).or_else(|_| proxy.parse()).unwrap();
        let proxies: Vec<IpNet> = proxies.iter().map(network).collect();
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append("x-forwarded-for", HeaderValue::from_str(line).unwrap());
        }
        ForwardedFor::new(&proxies).client("10.0.0.1:5".parse().unwrap(), &headers).to_string()
    }

    #[test]
    fn nobody_is_believed_by_default() {
        assert_eq!(client(&[], &["1.2.3.4"]), "10.0.0.1");
        assert_eq!(client(&["10.0.0.2"], &["1.2.3.4"]), "10.0.0.1");
    }

    #[test]
    fn the_right_most_address_that_is_no_proxy_counts() {
        for (lines, expected) in [
            (&[][..], "10.0.0.1"),
            (&["1.2.3.4"], "1.2.3.4"),
            (&["6.6.6.6, 1.2.3.4"], "1.2.3.4"),
            (&["6.6.6.6, 10.0.0.2, 1.2.3.4"], "1.2.3.4"),
            (&["6.6.6.6, 1.2.3.4, 10.0.0.2"], "1.2.3.4"),
            (&["6.6.6.6", "1.2.3.4", "10.9.9.9,10.0.0.2"], "1.2.3.4"),
            (&["1.2.3.4, unknown"], "10.0.0.1"),
            (&["1.2.3.4, unknown, 10.0.0.3"], "10.0.0.3"),
            (&["1.2.3.4,"], "10.0.0.1"),
            (&["2001:db8::1"], "2001:db8::1"),
            (&["::ffff:1.2.3.4"], "1.2.3.4"),
        ] {
            assert_eq!(client(&["10.0.0.0/8"], lines), expected, "{lines:?}");
        }
    }
}
