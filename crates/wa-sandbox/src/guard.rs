//! Who may use the control interface: programs on this machine, but no web page that a browser here shows.
//!
//! A page of a stranger's could send requests to loopback. It cannot choose `Host` and `Origin`: a name that resolves to
//! loopback is no loopback name, and a browser says where a request comes from. Off loopback a token is demanded instead,
//! which no page knows.

use std::net::IpAddr;

use hyper::header::{AUTHORIZATION, HOST, HeaderMap, ORIGIN};
use hyper::http::uri::Authority;
use sha2::{Digest, Sha256};

use crate::api::Problem;

/// Whether a request may go on. `authority` is the URI's, which HTTP/2 has in place of `Host`.
pub(crate) fn admit(
    headers: &HeaderMap,
    authority: Option<&Authority>,
    token: Option<&str>,
) -> Result<(), Problem> {
    if let Some(token) = token {
        let given = headers.get(AUTHORIZATION).and_then(|it| it.to_str().ok()?.strip_prefix("Bearer "));
        return match given.is_some_and(|given| is_same(given, token)) {
            true => Ok(()),
            false => {
                Err(Problem::new(401, "token-required", "say Authorization: Bearer and the sandbox's token"))
            }
        };
    }
    let named = headers.get(HOST).map_or(authority.map(Authority::as_str), |host| host.to_str().ok());
    let host = named.and_then(|host| host.parse::<Authority>().ok());
    if !host.as_ref().is_some_and(|host| is_loopback(host.host())) {
        let detail = format!("Host is {:?}; use 127.0.0.1 or localhost", named.unwrap_or_default());
        return Err(Problem::new(403, "foreign-host", detail));
    }
    // What a page lets a browser load needs no Origin, but says whence it comes.
    let site = headers.get("sec-fetch-site").and_then(|site| site.to_str().ok());
    if site.is_some_and(|site| !matches!(site, "same-origin" | "none")) {
        return Err(Problem::new(403, "foreign-origin", "another site's page may not do this"));
    }
    let Some(origin) = headers.get(ORIGIN) else { return Ok(()) };
    let authority = origin.to_str().ok().and_then(|origin| origin.split_once("://")?.1.parse().ok());
    if authority != host {
        return Err(Problem::new(
            403,
            "foreign-origin",
            format!("Origin is {origin:?}: web pages may not do this"),
        ));
    }
    Ok(())
}

fn is_loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    host.eq_ignore_ascii_case("localhost") || address.is_ok_and(|address| address.is_loopback())
}

/// Compared by their hashes, so that the time it takes says nothing about the token.
fn is_same(given: &str, token: &str) -> bool {
    Sha256::digest(given) == Sha256::digest(token)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admitted(headers: &[(&str, &str)], token: Option<&str>) -> Result<(), &'static str> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(
                hyper::header::HeaderName::from_bytes(name.as_bytes()).unwrap(),
                value.parse().unwrap(),
            );
        }
        admit(&map, None, token).map_err(|problem| problem.kind)
    }

    #[test]
    fn programs_of_this_machine_are_admitted() {
        for host in ["127.0.0.1:7400", "localhost:7400", "LOCALHOST", "[::1]:7400", "127.0.0.1"] {
            assert_eq!(admitted(&[("host", host)], None), Ok(()), "{host}");
        }
        let own = [("host", "localhost:7400"), ("origin", "http://localhost:7400")];
        assert_eq!(admitted(&own, None), Ok(()));
        for site in ["same-origin", "none"] {
            assert_eq!(admitted(&[("host", "localhost:7400"), ("sec-fetch-site", site)], None), Ok(()));
        }
    }

    #[test]
    fn a_web_page_is_not() {
        for (headers, kind) in [
            (&[("host", "evil.example:7400")][..], "foreign-host"),
            (&[("host", "127.0.0.1.evil.example")], "foreign-host"),
            (&[("host", "192.168.1.2")], "foreign-host"),
            (&[], "foreign-host"),
            (&[("host", "localhost:7400"), ("origin", "http://evil.example")], "foreign-origin"),
            (&[("host", "localhost:7400"), ("origin", "null")], "foreign-origin"),
            (&[("host", "localhost:7400"), ("sec-fetch-site", "cross-site")], "foreign-origin"),
            (&[("host", "localhost:7400"), ("sec-fetch-site", "same-site")], "foreign-origin"),
            (&[("host", "localhost:7400"), ("origin", "http://localhost:9999")], "foreign-origin"),
        ] {
            assert_eq!(admitted(headers, None), Err(kind), "{headers:?}");
        }
    }

    #[test]
    fn off_loopback_the_token_decides() {
        let with = |value| admitted(&[("host", "box.example"), ("authorization", value)], Some("secret"));
        assert_eq!(with("Bearer secret"), Ok(()));
        for value in ["Bearer secre", "Bearer secret ", "secret", "Basic secret"] {
            assert_eq!(with(value), Err("token-required"), "{value}");
        }
        assert_eq!(admitted(&[("host", "127.0.0.1")], Some("secret")), Err("token-required"));
    }
}
