//! Tokens of one issuer whose keys are fetched: parse, key, signature, claims, in this order.

use std::fmt;
use std::sync::Arc;

use crate::cache::{KeyCache, Lookup};
use crate::error::{RemoteRefusal, TokenRefusal};
use crate::memory::{TokenMemory, digest};
use crate::verifier::{TokenVerifier, VerifiedClaims};

/// Verifies tokens of one issuer with keys that are fetched, and remembers which it has verified.
pub struct RemoteVerifier {
    verifier: TokenVerifier,
    keys: KeyCache,
    memory: TokenMemory,
}

impl RemoteVerifier {
    /// Takes what `verifier` takes, signed by a key of `keys`.
    #[must_use]
    pub fn new(verifier: TokenVerifier, keys: KeyCache) -> Self {
        Self { verifier, keys, memory: TokenMemory::default() }
    }

    /// The claims of a token, at `now` in Unix seconds.
    ///
    /// A token that was verified before is not verified again, unless its time is over, the key set has changed since,
    /// or there is none that may be used.
    ///
    /// # Errors
    /// [`RemoteRefusal`].
    pub async fn verify(&self, token: &str, now: u64) -> Result<Arc<VerifiedClaims>, RemoteRefusal> {
        let digest = digest(token);
        if let Some(claims) = self.keys.current(now).and_then(|keys| self.memory.get(&digest, &keys)) {
            self.verifier.check_dates(&claims, now)?;
            return Ok(claims);
        }
        let compact = self.verifier.parse(token)?;
        let keys = match self.keys.lookup(&compact.kid, now).await {
            Lookup::Known(keys) => keys,
            Lookup::Unknown => return Err(TokenRefusal::UnknownKey.into()),
            Lookup::Unavailable => return Err(RemoteRefusal::Unavailable),
        };
        let claims = Arc::new(self.verifier.verify_compact(&compact, &keys, now)?);
        self.memory.put(digest, Arc::clone(&claims), keys);
        Ok(claims)
    }
}

impl fmt::Debug for RemoteVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RemoteVerifier").field("verifier", &self.verifier).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use bytes::Bytes;
    use http::{Request, Response, Uri};
    use serde_json::json;
    use wa_http::{HttpClient, HttpError};

    use super::*;
    use crate::cache::KeyCacheRules;
    use crate::key_set::ForeignKeySet;
    use crate::memory::TOKENS_MAX;
    use crate::rsa::VerifyRs256;
    use crate::test_engine::aws_lc;
    use crate::verifier::tests::{KID, sample, signed_raw, signing_key};

    /// A time at which the sample is good.
    const NOW: u64 = 1_688_670_000;
    const HOUR: u64 = 3600;

    /// How many signatures were verified, by all tests of this process that use the engine below.
    static VERIFIED: AtomicUsize = AtomicUsize::new(0);

    struct Counting(Arc<dyn VerifyRs256>);

    impl VerifyRs256 for Counting {
        fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
            VERIFIED.fetch_add(1, Ordering::SeqCst);
            self.0.verifies(message, signature)
        }
    }

    fn counting(modulus: &[u8], exponent: &[u8]) -> Option<Arc<dyn VerifyRs256>> {
        Some(Arc::new(Counting(aws_lc(modulus, exponent)?)))
    }

    #[derive(Clone)]
    struct Publisher(Arc<Mutex<Option<String>>>);

    impl HttpClient for Publisher {
        async fn send(&self, _: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
            let body = self.0.lock().unwrap().clone().ok_or(HttpError::Timeout)?;
            Ok(Response::builder().header("content-type", "application/json").body(body.into()).unwrap())
        }
    }

    fn document(kid: &str) -> String {
        let key = signing_key().public_key();
        json!({"keys": [{"kty": "RSA", "kid": kid, "n": key.n(), "e": key.e()}]}).to_string()
    }

    fn remote(publisher: &Publisher) -> RemoteVerifier {
        let url = Uri::from_static("https://whatsapp.com/.well-known/jwks");
        let keys = KeyCache::new(publisher.clone(), url, KeyCacheRules::default(), counting);
        let lifetime_max = Duration::from_secs(HOUR);
        RemoteVerifier::new(TokenVerifier::new("WHATSAPP", "https://integrator.com", lifetime_max), keys)
    }

    fn token(number: usize) -> String {
        let header = json!({"alg": "RS256", "kid": KID}).to_string();
        let mut claims = sample();
        claims["number"] = json!(number);
        signed_raw(header.as_bytes(), claims.to_string().as_bytes())
    }

    /// One test, since it counts for the process.
    #[tokio::test]
    async fn a_verified_token_is_not_verified_again_for_as_long_as_nothing_has_changed() {
        let publisher = Publisher(Arc::new(Mutex::new(Some(document(KID)))));
        let remote = remote(&publisher);
        let verified = || VERIFIED.load(Ordering::SeqCst);
        let good = token(0);
        for _ in 0..3 {
            assert!(remote.verify(&good, NOW).await.is_ok());
        }
        assert_eq!(verified(), 1, "once");
        let mut forged = good.clone();
        forged.pop();
        for _ in 0..2 {
            assert!(remote.verify(&forged, NOW).await.is_err());
        }
        assert_eq!(remote.memory.len(), 1, "what was refused is not remembered");

        let before = verified();
        let over = remote.verify(&good, NOW + HOUR).await;
        assert_eq!(over.unwrap_err(), TokenRefusal::Expired.into(), "times are judged on each hit");
        let early = remote.verify(&good, NOW - HOUR).await;
        assert_eq!(early.unwrap_err(), TokenRefusal::NotYetValid.into());
        assert_eq!(verified(), before);

        // The same keys published again are another set.
        *publisher.0.lock().unwrap() = Some(document(KID));
        remote.keys.renew(NOW + 15).await;
        assert!(remote.verify(&good, NOW + 15).await.is_ok());
        assert_eq!(verified(), before + 1, "after a changed set it is verified again");

        *publisher.0.lock().unwrap() = Some(document("another"));
        remote.keys.renew(NOW + 30).await;
        let gone = remote.verify(&good, NOW + 30).await;
        assert_eq!(gone.unwrap_err(), TokenRefusal::UnknownKey.into(), "its key has gone");
    }

    #[tokio::test]
    async fn where_the_keys_are_too_old_nothing_is_remembered() {
        let publisher = Publisher(Arc::new(Mutex::new(Some(document(KID)))));
        let url = Uri::from_static("https://whatsapp.com/.well-known/jwks");
        let rules = KeyCacheRules { fresh: (Duration::ZERO, Duration::ZERO), ..KeyCacheRules::default() };
        let rules = KeyCacheRules { stale_max: Duration::from_secs(60), ..rules };
        let keys = KeyCache::new(publisher.clone(), url, rules, aws_lc);
        let lifetime_max = Duration::from_secs(HOUR);
        let verifier = TokenVerifier::new("WHATSAPP", "https://integrator.com", lifetime_max);
        let remote = RemoteVerifier::new(verifier, keys);
        let good = token(0);
        assert!(remote.verify(&good, NOW).await.is_ok());
        *publisher.0.lock().unwrap() = None;
        assert!(remote.verify(&good, NOW + 60).await.is_ok());
        assert_eq!(remote.verify(&good, NOW + 61).await.unwrap_err(), RemoteRefusal::Unavailable);
    }

    #[tokio::test]
    async fn the_memory_is_bounded() {
        let memory = TokenMemory::default();
        let keys = Arc::<ForeignKeySet>::default();
        let claims = Arc::new(VerifiedClaims::default());
        for number in 0..3 * TOKENS_MAX {
            memory.put(digest(&number.to_string()), Arc::clone(&claims), Arc::clone(&keys));
            assert!(memory.len() <= TOKENS_MAX);
        }
        assert!(memory.get(&digest(&(3 * TOKENS_MAX - 1).to_string()), &keys).is_some());
        assert!(memory.get(&digest("0"), &keys).is_none());
    }
}
