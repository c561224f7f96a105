//! The built-in authenticator: a credential that the service's own backend made with a shared secret.

use std::fmt;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use http::request::Parts;
use sha2::Sha256;
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use crate::{AuthenticationError, Authenticator, Principal, UserIdentifier, bearer::bearer};

/// Recognises users by credentials made with a secret of 32 bytes.
///
/// A credential is one line of four parts joined by dots:
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
    user_identifier_chars_max: usize,
}

impl SharedSecret {
    /// The authenticator with this secret, for identifiers of at most this many characters.
    #[must_use]
    pub fn new(secret: [u8; 32], user_identifier_chars_max: usize) -> Self {
        Self { secret: Zeroizing::new(secret), user_identifier_chars_max }
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
        let (user, expiry) = parts(text).ok_or(malformed)?;
        if !bool::from(mac.as_slice().ct_eq(&self.mac(text))) {
            return Err(AuthenticationError::NotGenuine);
        }
        if expiry <= now {
            return Err(AuthenticationError::Expired);
        }
        if expiry - now > LIFETIME_SECONDS_MAX {
            return Err(AuthenticationError::TooLongLived);
        }
        let user = String::from_utf8(user).map_err(|_| malformed)?;
        Ok(Principal::new(UserIdentifier::new(&user, self.user_identifier_chars_max)?))
    }

    fn mac(&self, text: &str) -> [u8; 32] {
        #[expect(clippy::expect_used, reason = "HMAC takes a key of any length")]
        let mut mac = Hmac::<Sha256>::new_from_slice(self.secret.as_slice()).expect("any length");
        mac.update(text.as_bytes());
        mac.finalize().into_bytes().into()
    }
}

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
/// Enough for 40 characters of four bytes.
const CREDENTIAL_BYTES_MAX: usize = 512;

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
        let long = "x".repeat(513);
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
            (String::new(), crate::UserIdentifierError::Empty),
            ("x".repeat(41), crate::UserIdentifierError::TooLong { max: 40 }),
            ("a\n".to_owned(), crate::UserIdentifierError::Control { position: 1 }),
        ] {
            let text = format!("wau1.{}.{EXPIRY}", URL_SAFE_NO_PAD.encode(name));
            let credential = format!("{text}.{}", URL_SAFE_NO_PAD.encode(secret.mac(&text)));
            assert_eq!(secret.verify(&credential, EXPIRY - 60), Err(error.into()));
        }
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
