//! The one `Authorization: Bearer` header of a request (RFC 6750 §2.1).

use http::{HeaderMap, header};

use crate::tokens::AuthenticationError;

/// The credential: one header, the scheme in any case, one space, characters of `b64token`.
pub(crate) fn bearer(headers: &HeaderMap) -> Result<&str, AuthenticationError> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let value = values.next().ok_or(AuthenticationError::Missing)?;
    if values.next().is_some() || value.len() > HEADER_BYTES_MAX {
        return Err(AuthenticationError::Malformed);
    }
    let text = value.to_str().map_err(|_| AuthenticationError::Malformed)?;
    match text.split_once(' ') {
        Some((scheme, credential)) if scheme.eq_ignore_ascii_case("bearer") && is_b64token(credential) => {
            Ok(credential)
        }
        _ => Err(AuthenticationError::Malformed),
    }
}

/// How long the header may be.
const HEADER_BYTES_MAX: usize = 8 * 1024;

fn is_b64token(text: &str) -> bool {
    let body = text.trim_end_matches('=');
    let character =
        |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~' | b'+' | b'/');
    !body.is_empty() && body.bytes().all(character)
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn read(values: &[&[u8]]) -> Result<String, AuthenticationError> {
        let mut request = Request::new(());
        for value in values {
            let value = http::HeaderValue::from_bytes(value).unwrap();
            request.headers_mut().append(header::AUTHORIZATION, value);
        }
        bearer(request.headers()).map(str::to_owned)
    }

    #[test]
    fn the_header_is_one_bearer() {
        let longest = [&b"Bearer "[..], &[b'x'; 8 * 1024 - 7]].concat();
        for (value, credential) in
            [(&b"Bearer abc"[..], "abc"), (b"bEARER a-._~+/b==", "a-._~+/b=="), (b"bearer x", "x")]
        {
            assert_eq!(read(&[value]), Ok(credential.to_owned()));
        }
        assert!(read(&[&longest]).is_ok());
        assert_eq!(read(&[]), Err(AuthenticationError::Missing));
        for values in [
            &[&b""[..]][..],
            &[b"abc"],
            &[b"Basic abc"],
            &[b"Bearer"],
            &[b"Bearer "],
            &[b"Bearer  abc"],
            &[b"Bearer abc "],
            &[b"Bearer\tabc"],
            &[b" Bearer abc"],
            &[b"Bearer a b"],
            &[b"Bearer a,b"],
            &[b"Bearer =abc"],
            &[b"Bearer ="],
            &[b"Bearer \xc3\xa9"],
            &[b"Bearer abc", b"Bearer abc"],
            &[b"Basic abc", b"Bearer abc"],
            &[&[&longest[..], b"x"].concat()],
        ] {
            assert_eq!(read(values), Err(AuthenticationError::Malformed), "{values:?}");
        }
    }
}
