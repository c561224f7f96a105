//! The body of a push: `{"to": user identifier}` (overview §3.2.2).

use http::{HeaderMap, header};
use serde_json::Value;
use wa_jwt::strict_json;

use crate::push::PushRequestError;
use crate::value::UserIdentifier;

/// Whom a push wakes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PushRequest {
    /// The user to be woken.
    pub to: UserIdentifier,
}

impl PushRequest {
    /// Reads a body of at most 4 KiB; members that are not known are ignored.
    ///
    /// # Errors
    /// [`PushRequestError::TooLarge`], [`PushRequestError::Malformed`], or [`PushRequestError::User`] for a name
    /// that no user can have.
    pub fn parse(body: &[u8], user_identifier_chars_max: usize) -> Result<Self, PushRequestError> {
        if body.len() > BODY_BYTES_MAX {
            return Err(PushRequestError::TooLarge);
        }
        let body = strict_json(body).ok_or(PushRequestError::Malformed)?;
        let Some(Value::String(to)) = body.get("to") else {
            return Err(PushRequestError::Malformed);
        };
        Ok(Self { to: UserIdentifier::new(to, user_identifier_chars_max)? })
    }

    /// Checks that the request says that its body is JSON.
    ///
    /// # Errors
    /// [`PushRequestError::ContentType`].
    pub fn check_content_type(headers: &HeaderMap) -> Result<(), PushRequestError> {
        let mut values = headers.get_all(header::CONTENT_TYPE).iter();
        let only = values.next().filter(|_| values.next().is_none());
        let essence = only.and_then(|value| value.to_str().ok()).and_then(|text| text.split(';').next());
        match essence {
            Some(essence) if essence.trim().eq_ignore_ascii_case("application/json") => Ok(()),
            _ => Err(PushRequestError::ContentType),
        }
    }
}

/// How long a body may be.
pub(crate) const BODY_BYTES_MAX: usize = 4 * 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::UserIdentifierError;

    #[test]
    fn the_published_sample_and_further_members() {
        for body in [
            r#"{"to":"alice421"}"#,
            r#" { "to" : "alice421" } "#,
            r#"{"to":"alice421","from":"bob","to_too":{"to":1}}"#,
        ] {
            let request = PushRequest::parse(body.as_bytes(), 40).unwrap();
            assert_eq!(request.to.as_str(), "alice421");
        }
    }

    #[test]
    fn other_bodies_are_refused_with_the_exact_reason() {
        let long = format!(r#"{{"to":"alice","x":"{}"}}"#, "x".repeat(4096));
        let name = format!(r#"{{"to":"{}"}}"#, "x".repeat(41));
        for (body, error) in [
            ("", PushRequestError::Malformed),
            ("to=alice", PushRequestError::Malformed),
            ("[]", PushRequestError::Malformed),
            (r#"{"To":"alice"}"#, PushRequestError::Malformed),
            (r#"{"to":1}"#, PushRequestError::Malformed),
            (r#"{"to":null}"#, PushRequestError::Malformed),
            (r#"{"to":["alice"]}"#, PushRequestError::Malformed),
            (r#"{"to":"alice","to":"bob"}"#, PushRequestError::Malformed),
            (r#"{"to":"alice"}x"#, PushRequestError::Malformed),
            (&long, PushRequestError::TooLarge),
            (r#"{"to":""}"#, PushRequestError::User(UserIdentifierError::Empty)),
            (&name, PushRequestError::User(UserIdentifierError::TooLong { max: 40 })),
            (r#"{"to":"a\nb"}"#, PushRequestError::User(UserIdentifierError::Control { position: 1 })),
        ] {
            assert_eq!(PushRequest::parse(body.as_bytes(), 40), Err(error), "{body:.60}");
        }
        assert_eq!(PushRequest::parse(b"{\"to\":\"\xff\"}", 40), Err(PushRequestError::Malformed));
    }

    #[test]
    fn the_content_type_is_json() {
        let check = |values: &[&str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(header::CONTENT_TYPE, value.parse().unwrap());
            }
            PushRequest::check_content_type(&headers)
        };
        for value in ["application/json", "Application/JSON; charset=utf-8", "application/json;x=y"] {
            assert_eq!(check(&[value]), Ok(()), "{value}");
        }
        for values in [
            &[][..],
            &[""],
            &["text/json"],
            &["application/jsonp"],
            &["application/json", "application/json"],
        ] {
            assert_eq!(check(values), Err(PushRequestError::ContentType), "{values:?}");
        }
    }
}
