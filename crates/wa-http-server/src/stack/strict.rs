//! One reading of every request: exactly one host (RFC 9112 §3.2, RFC 9113 §8.3.1; hyperium/hyper#3777), and no transfer
//! coding but `chunked` (RFC 9112 §6.1, §11.2). hyper checks neither; a proxy in front may read such a request otherwise.

use http::request::Parts;
use http::uri::Authority;
use http::{Version, header};

/// Whether nobody can read this head in two ways.
pub(crate) fn has_one_reading(request: &Parts, host_required: bool) -> bool {
    let is_old = request.version <= Version::HTTP_10 && !request.headers.contains_key(header::HOST);
    (has_one_host(request) || (is_old && !host_required)) && is_coding_plain(request)
}

/// hyper takes a body that was compressed on its way for one that was not.
fn is_coding_plain(request: &Parts) -> bool {
    let mut codings = request.headers.get_all(header::TRANSFER_ENCODING).iter();
    match (codings.next(), codings.next()) {
        (None, _) => true,
        (Some(coding), None) => coding.as_bytes().eq_ignore_ascii_case(b"chunked"),
        (Some(_), Some(_)) => false,
    }
}

/// Whether the request names exactly one host, and only that one.
///
/// HTTP/1.1 needs one `Host` header; HTTP/2 needs `:authority` or one `Host`. An authority in the target is the same:
/// HTTP/1.1 would let us believe the target (RFC 9112 §3.2.2), but not every proxy does.
#[must_use]
pub fn has_one_host(request: &Parts) -> bool {
    let mut values = request.headers.get_all(header::HOST).iter();
    let (host, further) = (values.next(), values.next());
    if further.is_some() {
        return false;
    }
    let named: Option<Authority> = match host.map(|value| value.as_bytes().try_into()) {
        None => None,
        Some(Ok(authority)) => Some(authority),
        Some(Err(_)) => return false,
    };
    if named.as_ref().is_some_and(|authority| authority.as_str().contains('@')) {
        return false;
    }
    match (request.version, named, request.uri.authority()) {
        (_, Some(named), Some(authority)) => named == *authority,
        (Version::HTTP_2, None, Some(_)) => true,
        (_, named, _) => named.is_some(),
    }
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn request(version: Version, uri: &str, hosts: &[&str]) -> Parts {
        let mut builder = Request::builder().version(version).uri(uri);
        for host in hosts {
            builder = builder.header(header::HOST, *host);
        }
        builder.body(()).unwrap().into_parts().0
    }

    #[test]
    fn one_host_is_taken() {
        for (version, uri, hosts) in [
            (Version::HTTP_11, "/", &["a.example"][..]),
            (Version::HTTP_11, "/", &["a.example:8080"]),
            (Version::HTTP_11, "/", &["[::1]:80"]),
            (Version::HTTP_11, "http://a.example/", &["a.example"]),
            (Version::HTTP_2, "http://a.example/", &[]),
            (Version::HTTP_2, "http://a.example/", &["a.example"]),
            (Version::HTTP_2, "/", &["a.example"]),
        ] {
            assert!(has_one_host(&request(version, uri, hosts)), "{version:?} {uri} {hosts:?}");
        }
    }

    #[test]
    fn none_several_and_broken_hosts_are_refused() {
        for (version, uri, hosts) in [
            (Version::HTTP_11, "/", &[][..]),
            (Version::HTTP_11, "http://a.example/", &[]),
            (Version::HTTP_11, "http://b.example/", &["a.example"]),
            (Version::HTTP_11, "http://a.example:80/", &["a.example"]),
            (Version::HTTP_11, "/", &["a.example", "a.example"]),
            (Version::HTTP_11, "/", &["a.example", "b.example"]),
            (Version::HTTP_11, "/", &[""]),
            (Version::HTTP_11, "/", &["a b"]),
            (Version::HTTP_11, "/", &["me@a.example"]),
            (Version::HTTP_11, "/", &["a.example/path"]),
            (Version::HTTP_10, "/", &[]),
            (Version::HTTP_2, "/", &[]),
            (Version::HTTP_2, "http://a.example/", &["b.example"]),
            (Version::HTTP_2, "http://a.example/", &["a.example", "a.example"]),
        ] {
            assert!(!has_one_host(&request(version, uri, hosts)), "{version:?} {uri} {hosts:?}");
        }
    }

    #[test]
    fn no_coding_but_chunked_is_taken() {
        for (codings, taken) in [
            (&[][..], true),
            (&["chunked"], true),
            (&["Chunked"], true),
            (&["gzip, chunked"], false),
            (&["gzip", "chunked"], false),
            (&["chunked", "chunked"], false),
            (&["identity"], false),
            (&[""], false),
        ] {
            let mut request = Request::builder().header(header::HOST, "a");
            for coding in codings {
                request = request.header(header::TRANSFER_ENCODING, *coding);
            }
            let head = request.body(()).unwrap().into_parts().0;
            assert_eq!(has_one_reading(&head, true), taken, "{codings:?}");
        }
    }
}
