//! Fingerprints: what two people compare to know that nobody stands between them (observed).

use std::fmt;

use bytes::Bytes;
use prost::Message as _;
use sha2::{Digest, Sha512};
use subtle::ConstantTimeEq;
use wa_keys::PublicKey;
use wa_proto::signal::{CombinedFingerprint, LogicalFingerprint};

/// Hashes that make one side's fingerprint. Each key that somebody tries, to find one with the same digits, costs so many
/// (observed).
const ITERATIONS: usize = 5200;

/// What `Display` and the QR code are made of; both sides show the same digits.
#[derive(Clone, PartialEq, Eq)]
pub struct Fingerprint {
    version: u32,
    local: [u8; 32],
    remote: [u8; 32],
}

/// One side: who it is, and its identity keys.
#[derive(Clone, Copy, Debug)]
pub struct Party<'a> {
    /// The stable identifier, for instance a phone number.
    pub identifier: &'a [u8],
    /// The identity key of each device. A third party's user has exactly one (overview §3); a WhatsApp user may have
    /// several, which enter sorted.
    pub identities: &'a [PublicKey],
}

impl Fingerprint {
    /// The fingerprint of a conversation; `version` 1 is for phone-number identifiers.
    pub fn new(version: u32, local: Party<'_>, remote: Party<'_>) -> Self {
        Self { version, local: local.hash(), remote: remote.hash() }
    }

    /// The bytes of the QR code.
    pub fn scannable(&self) -> Bytes {
        let side = |hash: &[u8; 32]| Some(LogicalFingerprint { content: Some(Bytes::copy_from_slice(hash)) });
        let form = CombinedFingerprint {
            version: Some(self.version),
            local: side(&self.local),
            remote: side(&self.remote),
        };
        form.encode_to_vec().into()
    }

    /// Whether the other side's QR code shows the same two sides, crosswise. Bytes that are no code match nothing.
    pub fn matches(&self, scanned: &[u8]) -> bool {
        let Ok(theirs) = CombinedFingerprint::decode(scanned) else { return false };
        let content =
            |side: Option<LogicalFingerprint>| side.and_then(|side| side.content).unwrap_or_default();
        let same =
            self.remote.ct_eq(&content(theirs.local)[..]) & self.local.ct_eq(&content(theirs.remote)[..]);
        theirs.version == Some(self.version) && same.into()
    }
}

impl Party<'_> {
    fn hash(&self) -> [u8; 32] {
        let mut identities: Vec<[u8; 33]> = self.identities.iter().map(PublicKey::to_prefixed).collect();
        identities.sort_unstable();
        let identities = identities.concat();
        // Two bytes of a version, which has always been 0 (observed).
        let first =
            Sha512::new().chain_update([0, 0]).chain_update(&identities).chain_update(self.identifier);
        let mut hash = first.chain_update(&identities).finalize();
        for _ in 1..ITERATIONS {
            hash = Sha512::new().chain_update(hash).chain_update(&identities).finalize();
        }
        <[u8; 64]>::from(hash).first_chunk().copied().unwrap_or_default()
    }
}

impl fmt::Display for Fingerprint {
    /// Sixty digits, the smaller half first.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (local, remote) = (digits(&self.local), digits(&self.remote));
        if local <= remote { write!(f, "{local}{remote}") } else { write!(f, "{remote}{local}") }
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fingerprint({self})")
    }
}

/// Six groups of five digits, each from five bytes.
fn digits(hash: &[u8; 32]) -> String {
    let group =
        |bytes: &[u8]| bytes.iter().fold(0u64, |number, byte| number << 8 | u64::from(*byte)) % 100_000;
    hash.chunks_exact(5).map(|bytes| format!("{:05}", group(bytes))).collect()
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Deserialize)]
    struct Primitives {
        fingerprint: Vec<Recorded>,
    }

    #[derive(Deserialize)]
    struct Recorded {
        version: u32,
        local_id: String,
        local_key: String,
        remote_id: String,
        remote_key: String,
        display: String,
        scannable: String,
    }

    #[test]
    fn recorded_fingerprints_hold() {
        let recorded: Primitives =
            serde_json::from_str(include_str!("../tests/vectors/primitives.json")).unwrap();
        assert!(!recorded.fingerprint.is_empty());
        for case in recorded.fingerprint {
            let key = |text| [PublicKey::from_prefixed(&hex::decode(text).unwrap()).unwrap()];
            let (local_key, remote_key) = (key(&case.local_key), key(&case.remote_key));
            let local = Party { identifier: case.local_id.as_bytes(), identities: &local_key };
            let remote = Party { identifier: case.remote_id.as_bytes(), identities: &remote_key };
            let ours = Fingerprint::new(case.version, local, remote);
            assert_eq!(ours.to_string(), case.display);
            assert_eq!(hex::encode(ours.scannable()), case.scannable);

            let theirs = Fingerprint::new(case.version, remote, local);
            assert_eq!(theirs.to_string(), case.display);
            assert!(ours.matches(&theirs.scannable()));
            assert!(!ours.matches(&ours.scannable()));
            assert!(!ours.matches(b"") && !ours.matches(b"\xFF"));

            // Somebody stands between the two: one side is right, whichever.
            let between = Party { identifier: case.local_id.as_bytes(), identities: &remote_key };
            for theirs in [(remote, between), (between, local)] {
                assert!(!ours.matches(&Fingerprint::new(case.version, theirs.0, theirs.1).scannable()));
            }
        }
    }

    #[test]
    fn the_order_of_a_users_devices_does_not_matter() {
        let keys = [[1; 32], [2; 32]].map(|key| wa_keys::PrivateKey::from_bytes(key).public_key());
        let (forth, back) = ([keys[0], keys[1]], [keys[1], keys[0]]);
        let party = |identities| Party { identifier: b"x", identities };
        assert_eq!(party(&forth).hash(), party(&back).hash());
        assert_ne!(party(&forth).hash(), party(&forth[..1]).hash());
    }
}
