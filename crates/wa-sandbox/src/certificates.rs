//! The certificates with which chatd proves its key, and each of their faults alone (observed).

use bytes::Bytes;
use prost::Message;
use rand_core::CryptoRng;
use wa_keys::{PrivateKey, PublicKey};
use wa_proto::handshake::{CertChain, Certificate, CertificateDetails};

const DAY: u64 = 24 * 60 * 60;

/// How long chains are valid before and behind the clock: a test moves it by a month and the client's stays where it is.
const VALID: u64 = 100 * DAY;

/// The root's serial number, and those below it.
const ROOT: u32 = 0;
const INTERMEDIATE: u32 = 1;
const LEAF: u32 = 2;

/// A serial number that nobody has.
const NOBODY: u32 = 77;

/// How the certificate chain of the next handshakes is spoilt, to see clients refuse it: in one way each, so that a
/// client that lacks one check accepts one of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize, serde::Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum CertificateFault {
    /// The intermediate's signature has a flipped bit.
    IntermediateSignature,
    /// The leaf's signature has a flipped bit.
    LeafSignature,
    /// The intermediate names another issuer, and is signed by the root all the same.
    IntermediateIssuer,
    /// The leaf names another issuer, and is signed by the intermediate all the same.
    LeafIssuer,
    /// The leaf certifies another key.
    LeafKey,
    /// Both are valid from tomorrow.
    NotYetValid,
    /// Both were valid until yesterday.
    Expired,
}

/// The keys that sign chatd's certificates.
#[derive(Debug)]
pub(crate) struct Authority {
    pub(crate) root: PrivateKey,
    pub(crate) intermediate: PrivateKey,
}

impl Authority {
    pub(crate) fn generate(rng: &mut impl CryptoRng) -> Self {
        Self { root: PrivateKey::generate(rng), intermediate: PrivateKey::generate(rng) }
    }

    /// A chain that proves `server` at `now`, spoilt if asked for.
    pub(crate) fn chain(
        &self,
        server: &PublicKey,
        fault: Option<CertificateFault>,
        now: u64,
        rng: &mut impl CryptoRng,
    ) -> Vec<u8> {
        use CertificateFault::{
            Expired, IntermediateIssuer, IntermediateSignature, LeafIssuer, LeafKey, LeafSignature,
            NotYetValid,
        };
        let (not_before, not_after) = match fault {
            Some(NotYetValid) => (now + DAY, now + 2 * DAY),
            Some(Expired) => (now.saturating_sub(2 * DAY), now.saturating_sub(DAY)),
            _ => (now.saturating_sub(VALID), now + VALID),
        };
        let mut certify = |issuer: &PrivateKey, serial, issuer_serial, key: &PublicKey, spoilt: bool| {
            let details = CertificateDetails {
                serial: Some(serial),
                issuer_serial: Some(issuer_serial),
                key: Some(Bytes::copy_from_slice(key.as_bytes())),
                not_before: Some(not_before),
                not_after: Some(not_after),
            };
            let details = Bytes::from(details.encode_to_vec());
            let mut signature = *issuer.sign(&details, rng).as_bytes();
            signature[0] ^= u8::from(spoilt);
            Certificate { details: Some(details), signature: Some(Bytes::copy_from_slice(&signature)) }
        };
        let is = |which| fault == Some(which);
        let above_intermediate = if is(IntermediateIssuer) { NOBODY } else { ROOT };
        let above_leaf = if is(LeafIssuer) { NOBODY } else { INTERMEDIATE };
        let certified = if is(LeafKey) { self.root.public_key() } else { *server };
        let below = self.intermediate.public_key();
        let intermediate =
            certify(&self.root, INTERMEDIATE, above_intermediate, &below, is(IntermediateSignature));
        let leaf = certify(&self.intermediate, LEAF, above_leaf, &certified, is(LeafSignature));
        CertChain { leaf: Some(leaf), intermediate: Some(intermediate) }.encode_to_vec()
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand::rngs::StdRng;
    use wa_keys::Signature;

    use super::*;

    const NOW: u64 = 1_800_000_000;

    /// The checks that a chain does not pass.
    fn failed(fault: Option<CertificateFault>) -> Vec<&'static str> {
        let mut rng = StdRng::seed_from_u64(1);
        let (authority, server) =
            (Authority::generate(&mut rng), PrivateKey::generate(&mut rng).public_key());
        let chain = CertChain::decode(&*authority.chain(&server, fault, NOW, &mut rng)).unwrap();
        let read = |certificate: Option<Certificate>, issuer: &PrivateKey| {
            let Certificate { details, signature } = certificate.unwrap();
            let signature = Signature::from_slice(&signature.unwrap()).unwrap();
            let is_signed = issuer.public_key().verify(details.as_ref().unwrap(), &signature).is_ok();
            (CertificateDetails::decode(details.unwrap()).unwrap(), is_signed)
        };
        let (intermediate, is_intermediate_signed) = read(chain.intermediate, &authority.root);
        let (leaf, is_leaf_signed) = read(chain.leaf, &authority.intermediate);
        let is_valid =
            |it: &CertificateDetails| (it.not_before.unwrap()..=it.not_after.unwrap()).contains(&NOW);
        let checks = [
            ("intermediate signature", is_intermediate_signed),
            ("leaf signature", is_leaf_signed),
            ("intermediate issuer", intermediate.issuer_serial == Some(0)),
            ("leaf issuer", leaf.issuer_serial == intermediate.serial),
            ("leaf key", leaf.key.as_deref() == Some(&server.as_bytes()[..])),
            ("dates", is_valid(&intermediate) && is_valid(&leaf)),
        ];
        checks.into_iter().filter(|(_, passes)| !passes).map(|(name, _)| name).collect()
    }

    #[test]
    fn each_fault_is_the_only_one() {
        use CertificateFault::*;
        assert_eq!(failed(None), [""; 0]);
        for (fault, check) in [
            (IntermediateSignature, "intermediate signature"),
            (LeafSignature, "leaf signature"),
            (IntermediateIssuer, "intermediate issuer"),
            (LeafIssuer, "leaf issuer"),
            (LeafKey, "leaf key"),
            (NotYetValid, "dates"),
            (Expired, "dates"),
        ] {
            assert_eq!(failed(Some(fault)), [check], "{fault:?}");
        }
    }
}
