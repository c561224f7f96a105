//! Direct paths: where a file lies, in both directions (overview §4.1.1; RO 1.0.3).

use std::fmt;

use http::Uri;

use crate::DirectPathError;

/// The path of an encrypted file at a media host.
///
/// It comes from a peer or goes to one, and is a capability: with it the encrypted file may be fetched. Never
/// shown by `Debug`.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct DirectPath(String);

impl DirectPath {
    /// The path of a file that a WhatsApp user sent (overview §4.1.1: `/v/t{file_reference}`), its query included.
    ///
    /// Only printable ASCII that a URI may have, no empty or relative segment, so that nothing but the path of the
    /// profile's host is ever fetched.
    ///
    /// # Errors
    /// [`DirectPathError`].
    pub fn from_whatsapp(text: &str, media: &wa_profile::MediaRules) -> Result<Self, DirectPathError> {
        if text.len() > BYTES_MAX {
            return Err(DirectPathError::TooLong);
        }
        if !text.starts_with(&media.whatsapp_path_prefix) {
            return Err(DirectPathError::Prefix);
        }
        let path_length = text.find('?').unwrap_or(text.len());
        for (offset, byte) in text.bytes().enumerate() {
            if !is_allowed(byte) || (byte == b'?' && offset != path_length) {
                return Err(DirectPathError::Character { offset });
            }
        }
        let path = text.get(..path_length).unwrap_or_default();
        check_segments(path)?;
        Ok(Self(text.to_owned()))
    }

    /// The path of a file that the integrator hosts (RO 1.0.3), from its storage reference.
    ///
    /// # Errors
    /// [`DirectPathError::Character`] and [`DirectPathError::Segment`] for an integrator or a reference that is not
    /// one plain segment; offsets are in the part.
    pub fn hosted(
        integrator: &str,
        storage_reference: &str,
        media: &wa_profile::MediaRules,
    ) -> Result<Self, DirectPathError> {
        for part in [integrator, storage_reference] {
            check_segment(part)?;
        }
        let path = media.interop_direct_path.replace("{integrator}", integrator);
        let path = path.replace("{storage_reference}", storage_reference);
        if path.len() > BYTES_MAX {
            return Err(DirectPathError::TooLong);
        }
        Ok(Self(path))
    }

    /// The path's text, as it stands in a message.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Where to fetch it: the path at this origin, for example `https://mmg.whatsapp.net`.
    ///
    /// # Errors
    /// [`DirectPathError::Origin`] if that is no scheme and host alone.
    pub fn at(&self, origin: &str) -> Result<Uri, DirectPathError> {
        let host: Uri = origin.parse().map_err(|_| DirectPathError::Origin)?;
        let is_origin = host.scheme().is_some() && host.host().is_some() && matches!(host.path(), "" | "/");
        if !is_origin || host.query().is_some() || origin.ends_with('/') || origin.contains(['@', '#']) {
            return Err(DirectPathError::Origin);
        }
        format!("{origin}{}", self.0).parse().map_err(|_| DirectPathError::Origin)
    }
}

impl fmt::Debug for DirectPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DirectPath(..)")
    }
}

/// WhatsApp's are below 500 (observed).
const BYTES_MAX: usize = 2048;

/// What RFC 3986 lets stand in a path and a query; a percent sign begins an encoding, which stays as it is.
fn is_allowed(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@/?%".contains(&byte)
}

fn check_segments(path: &str) -> Result<(), DirectPathError> {
    let segments = path.strip_prefix('/').ok_or(DirectPathError::Prefix)?;
    for (index, segment) in segments.split('/').enumerate() {
        let lower = segment.to_ascii_lowercase();
        let decoded = lower.replace("%2e", ".");
        // A slash or backslash in disguise, or an encoding that is encoded once more.
        let is_disguised = ["%2f", "%5c", "%00", "%25"].iter().any(|hidden| lower.contains(hidden));
        // Only the last segment may be empty: some paths end in a slash.
        let is_empty = segment.is_empty() && (index == 0 || index < segments.matches('/').count());
        if is_empty || is_disguised || decoded == "." || decoded == ".." {
            return Err(DirectPathError::Segment);
        }
    }
    Ok(())
}

fn check_segment(part: &str) -> Result<(), DirectPathError> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    if let Some(offset) = part.bytes().position(|byte| !plain(byte)) {
        return Err(DirectPathError::Character { offset });
    }
    if matches!(part, "" | "." | "..") { Err(DirectPathError::Segment) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use wa_profile::Profile;

    use super::*;

    #[test]
    fn whatsapps_paths_are_fetched_from_its_host() {
        let media = Profile::default().media;
        for path in [
            "/v/t62.7118-24/1234_5678_n.enc?ccb=11-4&oh=01_AbC-d&oe=65F0&_nc_sid=5e03e0",
            "/v/t/f1/m1/abc",
            "/v/t62.15575-24/a.enc?mms3=true",
            "/v/tx/",
            "/v/ta%20b",
        ] {
            let parsed = DirectPath::from_whatsapp(path, &media).unwrap();
            assert_eq!(parsed.as_str(), path);
            let uri = parsed.at(&media.whatsapp_origin).unwrap();
            assert_eq!(uri.to_string(), format!("https://mmg.whatsapp.net{path}"));
            assert_eq!(uri.host(), Some("mmg.whatsapp.net"));
        }
    }

    #[test]
    fn hosted_paths_are_as_the_offer_prints_them() {
        let media = Profile::default().media;
        let path = DirectPath::hosted("42", "Zm9v_-", &media).unwrap();
        assert_eq!(path.as_str(), "/interop/whatsapp/download/42/Zm9v_-/");
        for (integrator, reference, error) in [
            ("", "a", DirectPathError::Segment),
            ("1", "", DirectPathError::Segment),
            ("..", "a", DirectPathError::Segment),
            ("1", ".", DirectPathError::Segment),
            ("1/2", "a", DirectPathError::Character { offset: 1 }),
            ("1", "a?b", DirectPathError::Character { offset: 1 }),
            ("1", "%2e", DirectPathError::Character { offset: 0 }),
            ("1", "{integrator}", DirectPathError::Character { offset: 0 }),
        ] {
            assert_eq!(
                DirectPath::hosted(integrator, reference, &media),
                Err(error),
                "{integrator} {reference}"
            );
        }
        assert_eq!(DirectPath::hosted("1", &"x".repeat(2048), &media), Err(DirectPathError::TooLong));
    }

    #[test]
    fn what_could_lead_elsewhere_is_refused_with_the_exact_reason() {
        let media = Profile::default().media;
        let long = format!("/v/t{}", "x".repeat(2045));
        for (path, error) in [
            ("", DirectPathError::Prefix),
            ("v/tx", DirectPathError::Prefix),
            ("/V/tx", DirectPathError::Prefix),
            ("//evil.example/v/tx", DirectPathError::Prefix),
            ("@evil.example/v/tx", DirectPathError::Prefix),
            (".evil.example/v/tx", DirectPathError::Prefix),
            (":81/v/tx", DirectPathError::Prefix),
            ("https://mmg.whatsapp.net/v/tx", DirectPathError::Prefix),
            ("/v/tx y", DirectPathError::Character { offset: 5 }),
            ("/v/tx\r\nHost: evil", DirectPathError::Character { offset: 5 }),
            ("/v/tx\\..", DirectPathError::Character { offset: 5 }),
            ("/v/tx#a", DirectPathError::Character { offset: 5 }),
            ("/v/tx?a?b", DirectPathError::Character { offset: 7 }),
            ("/v/tx\0", DirectPathError::Character { offset: 5 }),
            ("/v/tx\u{e9}", DirectPathError::Character { offset: 5 }),
            ("/v/tx/../y", DirectPathError::Segment),
            ("/v/tx/%2E%2e/y", DirectPathError::Segment),
            ("/v/tx/.%2e", DirectPathError::Segment),
            ("/v/tx/./y", DirectPathError::Segment),
            ("/v/tx//y", DirectPathError::Segment),
            ("/v/tx%2fy", DirectPathError::Segment),
            ("/v/tx%5Cy", DirectPathError::Segment),
            ("/v/tx%00", DirectPathError::Segment),
            ("/v/tx/%252e%252e/y", DirectPathError::Segment),
            (&long, DirectPathError::TooLong),
        ] {
            assert_eq!(DirectPath::from_whatsapp(path, &media), Err(error), "{path:?}");
        }
    }

    #[test]
    fn only_an_origin_is_an_origin() {
        let media = Profile::default().media;
        let path = DirectPath::from_whatsapp("/v/tx", &media).unwrap();
        assert_eq!(path.at("http://127.0.0.1:81").unwrap().to_string(), "http://127.0.0.1:81/v/tx");
        for origin in [
            "",
            "mmg.whatsapp.net",
            "https://a.example/",
            "https://a.example/b",
            "https://a?b",
            "https://a@b",
        ] {
            assert_eq!(path.at(origin), Err(DirectPathError::Origin), "{origin:?}");
        }
        assert!(!format!("{path:?}").contains("/v/t"));
    }
}
