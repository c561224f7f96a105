//! The server's certificate chain: root, intermediate, leaf, static key (observed; no client checks more).

use bytes::Bytes;
use prost::Message;
use rand_core::CryptoRng;
use wa_keys::{PrivateKey, PublicKey, Signature};
use wa_proto::handshake::{CertChain, Certificate, CertificateDetails};

use crate::{CertificateError, Link};

/// WhatsApp's published root key (`WhatsAppLongTerm1`, serial 0; observed).
pub const WHATSAPP_ROOT: TrustRoot = TrustRoot(PublicKey::from_bytes([
    0x14, 0x23, 0x75, 0x57, 0x4d, 0x0a, 0x58, 0x71, 0x66, 0xaa, 0xe7, 0x1e, 0xbe, 0x51, 0x64, 0x37, 0xc4,
    0xa2, 0x8b, 0x73, 0xe3, 0x69, 0x5c, 0x6c, 0xe1, 0xf7, 0xf9, 0x54, 0x5d, 0xa8, 0xee, 0x6b,
]));

const ROOT_SERIAL: u32 = 0;
/// Serial numbers of the chains that are issued here.
const INTERMEDIATE_SERIAL: u32 = 1;
const LEAF_SERIAL: u32 = 2;

/// The key that signs intermediates. There is no way to connect without one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TrustRoot(PublicKey);

impl TrustRoot {
    /// Another root than WhatsApp's, for instance a sandbox's.
    pub const fn new(key: PublicKey) -> Self {
        Self(key)
    }

    /// Verifies that `chain` (protobuf) proves `server` at `now` (Unix seconds): both issuers, both signatures, the
    /// leaf's key, both validity windows.
    pub(crate) fn verify(
        &self,
        chain: &[u8],
        server: &PublicKey,
        now: u64,
    ) -> Result<KnownServer, CertificateError> {
        // From the root down: a key is used only once the certificate that holds it was verified (observed).
        let chain = CertChain::decode(chain).map_err(|_| CertificateError::Decode)?;
        let intermediate = Signed::read(chain.intermediate, Link::Intermediate)?;
        let intermediate = intermediate.verify(&self.0, ROOT_SERIAL, now)?;
        let leaf =
            Signed::read(chain.leaf, Link::Leaf)?.verify(&intermediate.key, intermediate.serial, now)?;
        // The handshake has proved that the server holds `server`; this binds that key to the chain. Without it any chain
        // of WhatsApp's, which everybody can fetch, would do for any server.
        if leaf.key != *server {
            return Err(CertificateError::Key);
        }
        // A chain is valid while all of it is.
        Ok(KnownServer { key: leaf.key, not_after: leaf.not_after.min(intermediate.not_after) })
    }
}

/// A server whose static key was proved, and until when: what a client keeps to resume with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KnownServer {
    /// The server's static key.
    pub key: PublicKey,
    /// The last second (Unix time) at which the proof holds.
    pub not_after: u64,
}

impl KnownServer {
    /// Whether the key may still be used at `now` (Unix seconds).
    pub fn is_valid(&self, now: u64) -> bool {
        now <= self.not_after
    }
}

/// A certificate whose parts are there and have their lengths, not yet verified.
struct Signed {
    link: Link,
    signed: Bytes,
    signature: Signature,
    issuer: u32,
    details: Details,
}

struct Details {
    serial: u32,
    key: PublicKey,
    not_before: u64,
    not_after: u64,
}

impl Signed {
    fn read(certificate: Option<Certificate>, link: Link) -> Result<Self, CertificateError> {
        let missing = |what| CertificateError::Missing(link, what);
        let certificate = certificate.ok_or(missing("everything"))?;
        let signed = certificate.details.ok_or(missing("details"))?;
        let signature = certificate.signature.ok_or(missing("signature"))?;
        let details = CertificateDetails::decode(signed.clone()).map_err(|_| CertificateError::Decode)?;
        let key = details.key.ok_or(missing("key"))?;
        Ok(Self {
            link,
            signed,
            signature: Signature::from_slice(&signature)
                .map_err(|_| CertificateError::Length(link, "signature", signature.len()))?,
            issuer: details.issuer_serial.ok_or(missing("issuer serial"))?,
            details: Details {
                serial: details.serial.ok_or(missing("serial"))?,
                key: PublicKey::from_slice(&key)
                    .map_err(|_| CertificateError::Length(link, "key", key.len()))?,
                not_before: details.not_before.ok_or(missing("start of validity"))?,
                not_after: details.not_after.ok_or(missing("end of validity"))?,
            },
        })
    }

    fn verify(self, issuer: &PublicKey, serial: u32, now: u64) -> Result<Details, CertificateError> {
        let link = self.link;
        // The issuer's serial number is among what is signed: a certificate belongs to one place in one chain.
        if self.issuer != serial {
            return Err(CertificateError::Issuer(link));
        }
        // Over the bytes that were received, not over what they were decoded to: protobuf has many forms of one message.
        issuer.verify(&self.signed, &self.signature).map_err(|_| CertificateError::Signature(link))?;
        if now < self.details.not_before {
            return Err(CertificateError::NotYetValid(link));
        }
        if now > self.details.not_after {
            return Err(CertificateError::Expired(link));
        }
        Ok(self.details)
    }
}

/// From when until when a certificate holds, in Unix seconds, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validity {
    /// The first Unix second at which it is valid.
    pub not_before: u64,
    /// The last Unix second at which it is valid.
    pub not_after: u64,
}

/// Issues chains as WhatsApp's do: for a local server of one's own.
#[derive(Debug)]
pub struct CertificateAuthority {
    root: PrivateKey,
    intermediate: PrivateKey,
}

impl CertificateAuthority {
    /// A new root and intermediate.
    pub fn generate(rng: &mut impl CryptoRng) -> Self {
        Self { root: PrivateKey::generate(rng), intermediate: PrivateKey::generate(rng) }
    }

    /// What clients must trust.
    pub fn root(&self) -> TrustRoot {
        TrustRoot(self.root.public_key())
    }

    /// The root's raw bytes, to be told to a client.
    pub fn root_bytes(&self) -> [u8; 32] {
        *self.root.public_key().as_bytes()
    }

    /// A chain that proves `server` for as long as `validity`, in protobuf.
    pub fn issue(&self, server: &PublicKey, validity: Validity, rng: &mut impl CryptoRng) -> CertChain {
        let certify = |issuer: &PrivateKey, serial, issuer_serial, key: &PublicKey, rng: &mut _| {
            let details = CertificateDetails {
                serial: Some(serial),
                issuer_serial: Some(issuer_serial),
                key: Some(Bytes::copy_from_slice(key.as_bytes())),
                not_before: Some(validity.not_before),
                not_after: Some(validity.not_after),
            };
            let details = Bytes::from(details.encode_to_vec());
            let signature = issuer.sign(&details, rng);
            let signature = Some(Bytes::copy_from_slice(signature.as_bytes()));
            Certificate { details: Some(details), signature }
        };
        let intermediate = self.intermediate.public_key();
        CertChain {
            intermediate: Some(certify(&self.root, INTERMEDIATE_SERIAL, ROOT_SERIAL, &intermediate, rng)),
            leaf: Some(certify(&self.intermediate, LEAF_SERIAL, INTERMEDIATE_SERIAL, server, rng)),
        }
    }
}
