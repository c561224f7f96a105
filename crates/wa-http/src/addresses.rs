//! Which addresses may be connected to: a name that somebody else chose must not lead into the own network.
//!
//! The check is on the addresses that a name was resolved to, the very ones that are connected to, so that a name
//! cannot mean one address when it is checked and another one afterwards.

use std::error::Error;
use std::fmt;
use std::future::Future;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::vec;

use hyper_util::client::legacy::connect::dns::{GaiResolver, Name};
use tower::Service;

use crate::error::Unresolved;

/// Which addresses a client connects to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Addresses {
    /// Every address, also private ones.
    #[default]
    Any,
    /// Those that are reached over the Internet: no loopback, private, link-local, shared, reserved or multicast
    /// ones, also not inside an IPv6 address that stands for an IPv4 one.
    Public,
}

/// Resolves names with the system's resolver, to allowed addresses only.
#[derive(Clone, Debug)]
pub(crate) struct Resolver {
    system: GaiResolver,
    allowed: Addresses,
}

/// All addresses of a name, or the address itself, are not allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NotPublic;

impl Addresses {
    /// Whether this address is one of them.
    #[must_use]
    pub fn allow(self, address: IpAddr) -> bool {
        match (self, address) {
            (Self::Any, _) => true,
            (Self::Public, IpAddr::V4(address)) => is_public_v4(address),
            (Self::Public, IpAddr::V6(address)) => is_public_v6(address),
        }
    }

    /// Whether a URL's host, if it is an address, is one of them; a name is checked once it is resolved.
    pub(crate) fn allow_host(self, host: &str) -> bool {
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        bare.parse().map_or(true, |address| self.allow(address))
    }
}

impl Resolver {
    pub(crate) fn new(allowed: Addresses) -> Self {
        Self { system: GaiResolver::new(), allowed }
    }
}

impl Service<Name> for Resolver {
    type Response = vec::IntoIter<SocketAddr>;
    type Error = Box<dyn Error + Send + Sync>;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.system.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let resolving = self.system.call(name);
        let allowed = self.allowed;
        Box::pin(async move { only(allowed, resolving.await.map_err(|error| unresolved(&error))?) })
    }
}

/// The system tells the two apart in its words only: by a number that the standard library does not pass on.
fn unresolved(error: &std::io::Error) -> Unresolved {
    if error.to_string().contains("emporary") { Unresolved::NoAnswer } else { Unresolved::NoSuchHost }
}

fn only(
    allowed: Addresses,
    resolved: impl Iterator<Item = SocketAddr>,
) -> Result<vec::IntoIter<SocketAddr>, Box<dyn Error + Send + Sync>> {
    let mut resolved = resolved.peekable();
    let any = resolved.peek().is_some();
    let found: Vec<_> = resolved.filter(|address| allowed.allow(address.ip())).collect();
    if any && found.is_empty() {
        return Err(NotPublic.into());
    }
    Ok(found.into_iter())
}

/// RFC 6890 and what it has become.
fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let special = matches!(
        (a, b, c),
        (0 | 10 | 127 | 224..=255, _, _)
            | (100, 64..=127, _)
            | (169, 254, _)
            | (172, 16..=31, _)
            | (192, 168, _)
            | (198, 18 | 19, _)
            | (192, 0, 0 | 2)
            | (192, 88, 99)
            | (198, 51, 100)
            | (203, 0, 113)
    );
    !special
}

/// Global unicast (2000::/3) without what is special in it; addresses that carry an IPv4 address are that one.
fn is_public_v6(address: Ipv6Addr) -> bool {
    if let Some(inner) = address.to_ipv4_mapped() {
        return is_public_v4(inner);
    }
    match address.segments() {
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] | [0x2002, high, low, ..] => is_public_v4(joined(high, low)),
        // Teredo, benchmarks, documentation and the like: 2001::/23, 2001:db8::/32, 3fff::/20.
        [0x2001, 0..=0x1ff | 0xdb8, ..] | [0x3fff, 0..=0xfff, ..] => false,
        [first, ..] => first & 0xe000 == 0x2000,
    }
}

fn joined(high: u16, low: u16) -> Ipv4Addr {
    Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low))
}

impl fmt::Display for NotPublic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the address is not public")
    }
}

impl Error for NotPublic {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_reached_over_the_internet_is_refused() {
        for address in [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "100.64.0.1",
            "100.127.255.255",
            "127.0.0.1",
            "127.255.255.255",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.1",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "239.255.255.255",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::127.0.0.1",
            "64:ff9b::7f00:1",
            "64:ff9b::a9fe:a9fe",
            "64:ff9b:1::1",
            "100::1",
            "2001::1",
            "2001:2::1",
            "2001:db8::1",
            "2002:7f00:1::",
            "2002:c0a8:101::",
            "3fff::1",
            "5f00::1",
            "fc00::1",
            "fd12:3456::1",
            "fe80::1",
            "fec0::1",
            "ff02::1",
        ] {
            let address: IpAddr = address.parse().unwrap();
            assert!(!Addresses::Public.allow(address), "{address}");
            assert!(Addresses::Any.allow(address));
        }
    }

    #[test]
    fn what_is_reached_over_the_internet_is_allowed() {
        for address in [
            "1.1.1.1",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "126.0.0.1",
            "128.0.0.1",
            "169.253.0.1",
            "172.15.0.1",
            "172.32.0.1",
            "192.0.1.1",
            "192.167.0.1",
            "198.17.0.1",
            "198.20.0.1",
            "223.255.255.255",
            "2606:4700::1111",
            "2001:4860:4860::8888",
            "2a03:2880:f003::1",
            "64:ff9b::101:101",
            "2002:101:101::",
            "::ffff:1.1.1.1",
        ] {
            assert!(Addresses::Public.allow(address.parse().unwrap()), "{address}");
        }
    }

    #[test]
    fn hosts_that_are_addresses_are_checked_at_once_and_names_later() {
        for host in ["127.0.0.1", "[::1]", "[::ffff:127.0.0.1]"] {
            assert!(!Addresses::Public.allow_host(host), "{host}");
        }
        for host in ["1.1.1.1", "localhost", "whatsapp.com"] {
            assert!(Addresses::Public.allow_host(host), "{host}");
        }
    }

    #[test]
    fn a_name_that_is_not_there_is_no_server_that_does_not_answer() {
        let said = |text: &str| unresolved(&std::io::Error::other(text)).to_string();
        let lookup = "failed to lookup address information";
        assert_eq!(said(&format!("{lookup}: Name or service not known")), "no such host");
        assert_eq!(said(&format!("{lookup}: nodename nor servname provided, or not known")), "no such host");
        assert_eq!(
            said(&format!("{lookup}: Temporary failure in name resolution")),
            "no name server answers"
        );
    }

    #[test]
    fn of_several_addresses_only_the_public_ones_remain() {
        let address = |text: &str| -> SocketAddr { text.parse().unwrap() };
        let mixed = [address("127.0.0.1:443"), address("1.1.1.1:443"), address("[fe80::1]:443")];
        let left: Vec<_> = only(Addresses::Public, mixed.into_iter()).unwrap().collect();
        assert_eq!(left, [address("1.1.1.1:443")]);
        assert!(only(Addresses::Public, mixed.into_iter().take(1)).unwrap_err().is::<NotPublic>());
        assert_eq!(only(Addresses::Any, mixed.into_iter()).unwrap().count(), 3);
        assert_eq!(only(Addresses::Public, std::iter::empty()).unwrap().count(), 0, "the name is unknown");
    }
}
