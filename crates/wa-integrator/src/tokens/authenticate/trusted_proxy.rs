//! Users named by a proxy in front that has authenticated them, for example by their TLS certificates.

use std::fmt;

use async_trait::async_trait;
use http::HeaderName;
use http::request::Parts;
use ipnet::IpNet;
use wa_http_server::PeerAddress;

use crate::tokens::{AuthenticationError, Authenticator, Principal};
use crate::value::UserIdentifier;

/// Recognises users by a header that a proxy sets, when the request comes from one of the configured proxies.
///
/// The proxy must remove the header from what its clients send, and nobody else may reach this server from the
/// proxy's address. The peer is the other end of the connection ([`PeerAddress`]); no forwarding header is
/// believed. The header's value is the user identifier in UTF-8.
#[derive(Clone, PartialEq, Eq)]
pub struct TrustedProxy {
    header: HeaderName,
    proxies: Vec<IpNet>,
    user_identifier_chars_max: usize,
}

impl TrustedProxy {
    /// Believes `header` from the addresses of these networks, for identifiers of at most this many characters.
    #[must_use]
    pub fn new(header: HeaderName, proxies: &[IpNet], user_identifier_chars_max: usize) -> Self {
        Self { header, proxies: proxies.to_vec(), user_identifier_chars_max }
    }

    fn user(&self, request: &Parts) -> Result<Principal, AuthenticationError> {
        let peer = request.extensions.get::<PeerAddress>().map(|PeerAddress(peer)| peer.ip().to_canonical());
        if !peer.is_some_and(|peer| self.proxies.iter().any(|proxies| proxies.contains(&peer))) {
            return Err(AuthenticationError::NotTrusted);
        }
        let mut values = request.headers.get_all(&self.header).iter();
        let value = values.next().ok_or(AuthenticationError::Missing)?;
        if values.next().is_some() {
            return Err(AuthenticationError::Malformed);
        }
        let text = std::str::from_utf8(value.as_bytes()).map_err(|_| AuthenticationError::Malformed)?;
        Ok(Principal::new(UserIdentifier::new(text, self.user_identifier_chars_max)?))
    }
}

#[async_trait]
impl Authenticator for TrustedProxy {
    async fn authenticate(&self, request: &Parts, _: u64) -> Result<Principal, AuthenticationError> {
        self.user(request)
    }
}

impl fmt::Debug for TrustedProxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TrustedProxy").field("header", &self.header).field("proxies", &self.proxies).finish()
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderValue, Request};

    use super::*;
    use crate::value::UserIdentifierError;

    fn recognised(peer: Option<&str>, values: &[&[u8]]) -> Result<String, AuthenticationError> {
        let header = HeaderName::from_static("x-user");
        let proxy =
            TrustedProxy::new(header, &["10.0.0.0/31".parse().unwrap(), "::1/128".parse().unwrap()], 40);
        let mut request = Request::new(());
        if let Some(peer) = peer {
            request.extensions_mut().insert(PeerAddress(peer.parse().unwrap()));
        }
        for value in values {
            request.headers_mut().append("x-user", HeaderValue::from_bytes(value).unwrap());
        }
        // What a client may claim about itself changes nothing.
        request.headers_mut().insert("x-forwarded-for", HeaderValue::from_static("10.0.0.1"));
        request.headers_mut().insert("forwarded", HeaderValue::from_static("for=10.0.0.1"));
        proxy.user(&request.into_parts().0).map(|user| user.user_identifier().as_str().to_owned())
    }

    #[test]
    fn only_the_proxy_names_users() {
        for peer in ["10.0.0.1:1234", "[::1]:5", "[::ffff:10.0.0.1]:9"] {
            assert_eq!(recognised(Some(peer), &["zoë".as_bytes()]), Ok("zoë".to_owned()), "{peer}");
        }
        for peer in [Some("10.0.0.2:1234"), Some("127.0.0.1:1"), None] {
            assert_eq!(recognised(peer, &[b"alice"]), Err(AuthenticationError::NotTrusted), "{peer:?}");
        }
    }

    #[test]
    fn the_header_is_one_identifier() {
        for (values, error) in [
            (&[][..], AuthenticationError::Missing),
            (&[&b"alice"[..], b"alice"], AuthenticationError::Malformed),
            (&[b"\xff"], AuthenticationError::Malformed),
            (&[b""], UserIdentifierError::Empty.into()),
            (&[&[b'x'; 41]], UserIdentifierError::TooLong { max: 40 }.into()),
        ] {
            assert_eq!(recognised(Some("10.0.0.1:1"), values), Err(error), "{values:?}");
        }
    }
}
