//! The built-in authenticator: a credential that the service's own backend made with a shared secret.

use std::fmt;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use http::request::Parts;
use sha2::Sha256;
use subtle::{Choice, ConstantTimeEq as _};
use zeroize::Zeroizing;

use super::backend_token::BackendToken;
use crate::tokens::{AuthenticationError, Authenticator, Principal, bearer};
use crate::value::UserIdentifier;

/// Recognises users by credentials made with a secret of 32 bytes; with two of them while they are exchanged.
///
/// A credential is one of two forms. A JSON web token that every language has a library for:
///
/// ```text
/// {"alg":"HS256","typ":"JWT"} . {"aud":"wa-integrator","sub":<user identifier>,"exp":<expiry>} . <mac>
/// ```
///
/// * the algorithm is HS256 with the 32 bytes of the secret (not with their hexadecimal digits) as the key;
/// * `aud` is the text `wa-integrator`, `sub` the user identifier, `exp` at most five minutes ahead; further claims are
///   ignored, except `nbf` and `iat`, which must not lie ahead by more than half a minute.
///
/// Or one line of four parts joined by dots, for where there is no such library:
///
/// ```text
/// wau1.<user identifier>.<expiry>.<mac>
/// ```
///
/// * the user identifier's UTF-8, in base64url without padding;
/// * the expiry in Unix seconds, decimal; at most five minutes ahead;
/// * HMAC-SHA256 with the secret over everything before the last dot, in base64url without padding.
///
/// In Python, with the secret's file as `wa-integrator` writes it:
///
/// ```python
/// import base64, hmac, time
/// def b64(data): return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
/// secret = bytes.fromhex(open("shared-secret").read())
/// text = f"wau1.{b64('alice'.encode())}.{int(time.time()) + 60}"
/// print(f"Authorization: Bearer {text}.{b64(hmac.digest(secret, text.encode(), 'sha256'))}")
/// ```
///
/// With the secret `000102…1f`, the user `alice` and the expiry 1700000060 that is
/// `wau1.YWxpY2U.1700000060.-IaFLj7HCB_S-LKmim5lxuu-ve2HhinfWyI2N9BTwVw`.
#[derive(Clone)]
pub struct SharedSecret {
    secret: Zeroizing<[u8; 32]>,
    also: Option<Zeroizing<[u8; 32]>>,
    user_identifier_chars_max: usize,
}

impl SharedSecret {
    /// The authenticator with this secret, for identifiers of at most this many characters.
    #[must_use]
    pub fn new(secret: [u8; 32], user_identifier_chars_max: usize) -> Self {
        Self { secret: Zeroizing::new(secret), also: None, user_identifier_chars_max }
    }

    /// This authenticator, taking also what was made with another secret: that of yesterday, or of tomorrow.
    #[must_use]
    pub fn with_other_secret(mut self, also: [u8; 32]) -> Self {
        self.also = Some(Zeroizing::new(also));
        self
    }

    /// The credential of this user until `expiry` in Unix seconds.
    #[must_use]
    pub fn credential(&self, user: &UserIdentifier, expiry: u64) -> String {
        let text = format!("{SCHEME}.{}.{expiry}", URL_SAFE_NO_PAD.encode(user.as_str()));
        let mac = URL_SAFE_NO_PAD.encode(self.mac(&text));
        format!("{text}.{mac}")
    }

    /// The user whom `credential` names, at `now` in Unix seconds.
    ///
    /// # Errors
    /// [`AuthenticationError`], the form first, then the MAC, then the time, then the identifier.
    pub fn verify(&self, credential: &str, now: u64) -> Result<Principal, AuthenticationError> {
        if credential.len() > CREDENTIAL_BYTES_MAX {
            return Err(AuthenticationError::Malformed);
        }
        let malformed = AuthenticationError::Malformed;
        let (text, mac) = credential.rsplit_once('.').ok_or(malformed)?;
        let mac = URL_SAFE_NO_PAD.decode(mac).map_err(|_| malformed)?;
        let token = BackendToken::parse(text);
        let (user, expiry) = match &token {
            Some(_) => (Vec::new(), 0),
            None => parts(text).ok_or(malformed)?,
        };
        if !self.is_genuine(text, &mac) {
            return Err(AuthenticationError::NotGenuine);
        }
        let (user, expiry) = match token {
            Some(token) => token.claims(now)?,
            None => (user, expiry),
        };
        if expiry <= now {
            return Err(AuthenticationError::Expired);
        }
        if expiry - now > LIFETIME_SECONDS_MAX {
            return Err(AuthenticationError::TooLongLived);
        }
        let user = String::from_utf8(user).map_err(|_| malformed)?;
        Ok(Principal::new(UserIdentifier::new(&user, self.user_identifier_chars_max)?))
    }

    /// Whether one of the secrets made this; all of them are tried, whichever it was.
    fn is_genuine(&self, text: &str, mac: &[u8]) -> bool {
        let secrets = std::iter::once(&self.secret).chain(&self.also);
        let genuine = secrets.map(|secret| mac.ct_eq(&compute(secret, text)));
        bool::from(genuine.fold(Choice::from(0), |any, one| any | one))
    }

    fn mac(&self, text: &str) -> [u8; 32] {
        compute(&self.secret, text)
    }
}

#[async_trait]
impl Authenticator for SharedSecret {
    async fn authenticate(&self, request: &Parts, now: u64) -> Result<Principal, AuthenticationError> {
        self.verify(bearer(&request.headers)?, now)
    }
}

impl fmt::Debug for SharedSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SharedSecret(…)")
    }
}

/// Names the form of a credential; under the MAC, so that no other use of the secret can be taken for one.
const SCHEME: &str = "wau1";
/// How far ahead a credential may expire.
const LIFETIME_SECONDS_MAX: u64 = 300;
/// Enough for 40 characters of four bytes, in either form.
const CREDENTIAL_BYTES_MAX: usize = 1024;

/// The HMAC of a text.
fn compute(secret: &[u8; 32], text: &str) -> [u8; 32] {
    #[expect(clippy::expect_used, reason = "HMAC takes a key of any length")]
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).expect("any length");
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().into()
}

/// The user's bytes and the expiry of `wau1.<user>.<expiry>`.
fn parts(text: &str) -> Option<(Vec<u8>, u64)> {
    let (user, expiry) = text.strip_prefix(SCHEME)?.strip_prefix('.')?.split_once('.')?;
    let plain = !expiry.starts_with('0') && expiry.bytes().all(|byte| byte.is_ascii_digit());
    let expiry = expiry.parse().ok().filter(|_| plain)?;
    Some((URL_SAFE_NO_PAD.decode(user).ok()?, expiry))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::value::UserIdentifierError;

    /// Computed with Python's `hmac` from the documented format.
    const ALICE: &str = "wau1.YWxpY2U.1700000060.-IaFLj7HCB_S-LKmim5lxuu-ve2HhinfWyI2N9BTwVw";
    const ZOE: &str = "wau1.em_DqyDwn6aK.1700000060.s9MCZaho_r6O5nBqHUKHjL6CSPMp4fgW5d30b8Fp384";
    const EXPIRY: u64 = 1_700_000_060;

    fn shared_secret() -> SharedSecret {
        SharedSecret::new(std::array::from_fn(|index| u8::try_from(index).unwrap()), 40)
    }

    fn user(text: &str) -> UserIdentifier {
        UserIdentifier::new(text, 40).unwrap()
    }

    #[test]
    fn makes_and_takes_the_worked_examples() {
        let secret = shared_secret();
        for (credential, name) in [(ALICE, "alice"), (ZOE, "zoë 🦊")] {
            assert_eq!(secret.credential(&user(name), EXPIRY), credential);
            assert_eq!(secret.verify(credential, EXPIRY - 60), Ok(Principal::new(user(name))));
        }
    }

    #[test]
    fn its_time_ends_with_its_expiry_and_is_short() {
        let secret = shared_secret();
        assert!(secret.verify(ALICE, EXPIRY - 1).is_ok());
        assert_eq!(secret.verify(ALICE, EXPIRY), Err(AuthenticationError::Expired));
        assert_eq!(secret.verify(ALICE, u64::MAX), Err(AuthenticationError::Expired));
        assert!(secret.verify(ALICE, EXPIRY - 300).is_ok());
        assert_eq!(secret.verify(ALICE, EXPIRY - 301), Err(AuthenticationError::TooLongLived));
    }

    #[test]
    fn every_changed_byte_is_refused() {
        let secret = shared_secret();
        for index in 0..ALICE.len() {
            for replacement in [b'A', b'1', b'.'] {
                let mut changed = ALICE.as_bytes().to_vec();
                if changed[index] == replacement {
                    continue;
                }
                changed[index] = replacement;
                let refused = secret.verify(std::str::from_utf8(&changed).unwrap(), EXPIRY - 60).unwrap_err();
                let expected = [AuthenticationError::NotGenuine, AuthenticationError::Malformed];
                assert!(expected.contains(&refused), "byte {index}: {refused}");
            }
        }
        let other = SharedSecret::new([9; 32], 40);
        assert_eq!(other.verify(ALICE, EXPIRY - 60), Err(AuthenticationError::NotGenuine));
    }

    #[test]
    fn another_form_is_malformed() {
        let secret = shared_secret();
        let padded = format!("{ALICE}=");
        let long = "x".repeat(1025);
        let signed = |text: &str| format!("{text}.{}", URL_SAFE_NO_PAD.encode(secret.mac(text)));
        for credential in [
            "",
            "wau1",
            "wau1.YWxpY2U",
            "wau1.YWxpY2U.1700000060",
            &padded,
            &long,
            &signed("wau2.YWxpY2U.1700000060"),
            &signed("wau1YWxpY2U.1700000060"),
            &signed("wau1.YWxpY2U.01700000060"),
            &signed("wau1.YWxpY2U.+1700000060"),
            &signed("wau1.YWxpY2U.99999999999999999999"),
            &signed("wau1.YWxpY2U=.1700000060"),
            &signed("wau1.YWxpY2V.1700000060"),
            &signed("wau1._w.1700000060"),
        ] {
            let refused = secret.verify(credential, EXPIRY - 60);
            assert_eq!(refused, Err(AuthenticationError::Malformed), "{credential:?}");
        }
    }

    #[test]
    fn a_genuine_credential_for_no_possible_user_is_refused() {
        let secret = shared_secret();
        for (name, error) in [
            (String::new(), UserIdentifierError::Empty),
            ("x".repeat(41), UserIdentifierError::TooLong { max: 40 }),
            ("a\n".to_owned(), UserIdentifierError::Control { position: 1 }),
        ] {
            let text = format!("wau1.{}.{EXPIRY}", URL_SAFE_NO_PAD.encode(name));
            let credential = format!("{text}.{}", URL_SAFE_NO_PAD.encode(secret.mac(&text)));
            assert_eq!(secret.verify(&credential, EXPIRY - 60), Err(error.into()));
        }
    }

    /// A JSON web token with these claims, made as any library makes it.
    fn token(secret: &SharedSecret, header: &str, claims: &str) -> String {
        let text = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
        format!("{text}.{}", URL_SAFE_NO_PAD.encode(secret.mac(&text)))
    }

    #[test]
    fn a_token_of_the_backends_own_names_its_user() {
        let (secret, now) = (shared_secret(), EXPIRY - 60);
        let header = r#"{"alg":"HS256","typ":"JWT"}"#;
        let claims =
            format!(r#"{{"aud":"wa-integrator","sub":"zoë 🦊","exp":{EXPIRY},"iat":{now},"x":[1]}}"#);
        assert_eq!(secret.verify(&token(&secret, header, &claims), now), Ok(Principal::new(user("zoë 🦊"))));
        // As another library makes it.
        let made = jsonwebtoken::encode(
            &jsonwebtoken::Header::new(jsonwebtoken::Algorithm::HS256),
            &serde_json::json!({"aud": "wa-integrator", "sub": "alice", "exp": EXPIRY}),
            &jsonwebtoken::EncodingKey::from_secret(secret.secret.as_slice()),
        );
        assert_eq!(secret.verify(&made.unwrap(), now), Ok(Principal::new(user("alice"))));
        for (header, claims, error) in [
            (r#"{"alg":"none"}"#, claims.as_str(), AuthenticationError::Malformed),
            (r#"{"alg":"HS512"}"#, &claims, AuthenticationError::Malformed),
            (r#"{"alg":"RS256"}"#, &claims, AuthenticationError::Malformed),
            (r#"{"alg":"HS256","crit":["x"]}"#, &claims, AuthenticationError::Malformed),
            (r#"{"alg":"HS256","alg":"HS256"}"#, &claims, AuthenticationError::Malformed),
            (header, "{}", AuthenticationError::Malformed),
            (header, r#"{"aud":"another","sub":"alice","exp":1700000060}"#, AuthenticationError::Malformed),
            (
                header,
                r#"{"aud":["wa-integrator"],"sub":"alice","exp":1700000060}"#,
                AuthenticationError::Malformed,
            ),
            (header, r#"{"aud":"wa-integrator","sub":7,"exp":1700000060}"#, AuthenticationError::Malformed),
            (
                header,
                r#"{"aud":"wa-integrator","sub":"alice","exp":"1700000060"}"#,
                AuthenticationError::Malformed,
            ),
            (
                header,
                r#"{"aud":"wa-integrator","sub":"alice","exp":1700000060.5}"#,
                AuthenticationError::Malformed,
            ),
            (
                header,
                r#"{"aud":"wa-integrator","sub":"alice","sub":"bob","exp":1700000060}"#,
                AuthenticationError::Malformed,
            ),
            (
                header,
                r#"{"aud":"wa-integrator","sub":"alice","exp":1700000000}"#,
                AuthenticationError::Expired,
            ),
            (
                header,
                r#"{"aud":"wa-integrator","sub":"alice","exp":1700000301}"#,
                AuthenticationError::TooLongLived,
            ),
            (
                header,
                r#"{"aud":"wa-integrator","sub":"alice","exp":1700000060,"nbf":1700000031}"#,
                AuthenticationError::Expired,
            ),
            (
                header,
                r#"{"aud":"wa-integrator","sub":"","exp":1700000060}"#,
                UserIdentifierError::Empty.into(),
            ),
        ] {
            assert_eq!(secret.verify(&token(&secret, header, claims), now), Err(error), "{header} {claims}");
        }
        let mut forged = token(&secret, header, &claims);
        forged.replace_range(forged.len() - 4.., "AAAA");
        assert_eq!(secret.verify(&forged, now), Err(AuthenticationError::NotGenuine));
    }

    #[test]
    fn two_secrets_are_good_at_once() {
        let (old, new) = (SharedSecret::new([1; 32], 40), SharedSecret::new([2; 32], 40));
        let both = SharedSecret::new([2; 32], 40).with_other_secret([1; 32]);
        for made_by in [&old, &new] {
            let credential = made_by.credential(&user("alice"), EXPIRY);
            assert!(both.verify(&credential, EXPIRY - 1).is_ok());
        }
        assert_eq!(both.credential(&user("alice"), EXPIRY), new.credential(&user("alice"), EXPIRY));
        let other = SharedSecret::new([3; 32], 40).credential(&user("alice"), EXPIRY);
        assert_eq!(both.verify(&other, EXPIRY - 1), Err(AuthenticationError::NotGenuine));
    }

    proptest! {
        #[test]
        fn every_credential_names_its_user_and_no_other_text_does(
            name in "[^\\p{C}\\p{Z}]{1,40}",
            left in 1_u64..=300,
            forged in "(wau1|.{0,4})\\.[\\w-]{0,60}\\.[0-9]{0,21}\\.[\\w-]{43}",
        ) {
            let (secret, now) = (shared_secret(), EXPIRY);
            let credential = secret.credential(&user(&name), now + left);
            prop_assert_eq!(secret.verify(&credential, now), Ok(Principal::new(user(&name))));
            let refused = secret.verify(&forged, now).unwrap_err();
            prop_assert!(matches!(refused, AuthenticationError::Malformed | AuthenticationError::NotGenuine));
        }
    }

    #[test]
    fn debug_does_not_show_the_secret() {
        assert_eq!(format!("{:?}", shared_secret()), "SharedSecret(…)");
    }
}
