//! The integrator's base URL: the issuer of its tokens, and what its paths hang from (overview §3.2.2 `$BASE_URL`).

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use http::Uri;
use http::uri::Scheme;
use thiserror::Error;

/// An absolute `https` URL without a trailing slash; `http` is taken on a loopback host only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BaseUrl {
    text: String,
    path_start: usize,
}

/// Why a URL is no base URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum BaseUrlError {
    /// It is not an absolute URL with a scheme and a host.
    #[error("is not an absolute url")]
    NotAbsolute,
    /// Its scheme is neither `https`, nor `http` on a loopback host.
    #[error("must be https, or http on a loopback host")]
    Scheme,
    /// It carries a user, a query or a fragment.
    #[error("must have no user, query or fragment")]
    Extra,
    /// Its path is not plain: empty segments, dots, or characters outside letters, digits, `-`, `_`, `.`, `~`.
    #[error("has a path that is not plain")]
    Path,
    /// It is longer than allowed.
    #[error("is longer than {max} bytes")]
    TooLong {
        /// How many bytes it may have.
        max: usize,
    },
}

impl BaseUrl {
    /// The base URL of a server that listens on this loopback address, without TLS.
    ///
    /// # Errors
    /// [`BaseUrlError::Scheme`] for any other address.
    pub fn from_loopback(address: SocketAddr) -> Result<Self, BaseUrlError> {
        format!("http://{address}").parse()
    }

    /// The URL's text, never ending in a slash.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Its path: empty, or beginning with a slash and not ending in one.
    #[must_use]
    pub fn path(&self) -> &str {
        self.text.get(self.path_start..).unwrap_or_default()
    }
}

impl FromStr for BaseUrl {
    type Err = BaseUrlError;

    fn from_str(text: &str) -> Result<Self, BaseUrlError> {
        if text.len() > BYTES_MAX {
            return Err(BaseUrlError::TooLong { max: BYTES_MAX });
        }
        if text.contains(['#', '?', '@']) {
            return Err(BaseUrlError::Extra);
        }
        let uri: Uri = text.parse().map_err(|_| BaseUrlError::NotAbsolute)?;
        let (Some(scheme), Some(host)) = (uri.scheme(), uri.host()) else {
            return Err(BaseUrlError::NotAbsolute);
        };
        let allowed = *scheme == Scheme::HTTPS || (*scheme == Scheme::HTTP && is_loopback(host));
        if !allowed {
            return Err(BaseUrlError::Scheme);
        }
        let path = uri.path().strip_suffix('/').unwrap_or(uri.path());
        if !path.is_empty() && !path.split('/').skip(1).all(is_plain) {
            return Err(BaseUrlError::Path);
        }
        let text = text.strip_suffix('/').unwrap_or(text).to_owned();
        Ok(Self { path_start: text.len() - path.len(), text })
    }
}

impl fmt::Display for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Leaves room in a token of 4096 bytes for everything else it says.
const BYTES_MAX: usize = 1024;

/// Whether a URL's host is this machine.
#[must_use]
pub(crate) fn is_loopback(host: &str) -> bool {
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    host == "localhost" || bare.parse().is_ok_and(|address: IpAddr| address.is_loopback())
}

fn is_plain(segment: &str) -> bool {
    let character = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
    !matches!(segment, "" | "." | "..") && segment.bytes().all(character)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_https_and_loopback() {
        for (text, written, path) in [
            ("https://integrator.com", "https://integrator.com", ""),
            ("https://integrator.com/", "https://integrator.com", ""),
            ("https://foobar.com/whatsapp", "https://foobar.com/whatsapp", "/whatsapp"),
            ("https://foobar.com:8443/a/b-c/", "https://foobar.com:8443/a/b-c", "/a/b-c"),
            ("http://127.0.0.1:8080", "http://127.0.0.1:8080", ""),
            ("http://[::1]:8080/x", "http://[::1]:8080/x", "/x"),
            ("http://localhost", "http://localhost", ""),
        ] {
            let url: BaseUrl = text.parse().unwrap();
            assert_eq!((url.as_str(), url.path(), url.to_string().as_str()), (written, path, written));
        }
        let url = BaseUrl::from_loopback("127.0.0.1:81".parse().unwrap()).unwrap();
        assert_eq!(url.as_str(), "http://127.0.0.1:81");
    }

    #[test]
    fn refuses_the_rest_with_the_exact_reason() {
        let long = format!("https://integrator.com/{}", "x".repeat(1024));
        for (text, error) in [
            ("", BaseUrlError::NotAbsolute),
            ("/path", BaseUrlError::NotAbsolute),
            ("integrator.com", BaseUrlError::NotAbsolute),
            ("https://", BaseUrlError::NotAbsolute),
            ("http://integrator.com", BaseUrlError::Scheme),
            ("http://127.0.0.1.example", BaseUrlError::Scheme),
            ("http://0.0.0.0:8080", BaseUrlError::Scheme),
            ("ftp://localhost", BaseUrlError::Scheme),
            ("https://me@integrator.com", BaseUrlError::Extra),
            ("https://integrator.com/?a", BaseUrlError::Extra),
            ("https://integrator.com/#a", BaseUrlError::Extra),
            ("https://integrator.com//", BaseUrlError::Path),
            ("https://integrator.com/a//b", BaseUrlError::Path),
            ("https://integrator.com/../b", BaseUrlError::Path),
            ("https://integrator.com/%2e", BaseUrlError::Path),
            (&long, BaseUrlError::TooLong { max: 1024 }),
        ] {
            assert_eq!(text.parse::<BaseUrl>(), Err(error), "{text:?}");
        }
        assert_eq!(BaseUrl::from_loopback("0.0.0.0:80".parse().unwrap()), Err(BaseUrlError::Scheme));
    }
}
