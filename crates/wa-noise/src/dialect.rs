//! WhatsApp's one deviation from Noise (overview §2: "slightly modified"; observed in every client that connects).
//!
//! Noise hashes the payload of every handshake message into `h`, also the empty one of XX's first message, which
//! travels before any key exists. WhatsApp does not: MixHash of nothing leaves `h` as it is. Once a key exists an
//! empty payload still has its tag, so the rule touches that first message alone. IK is keyed from its first
//! message and thus the same in both dialects; in XXfallback the client's ephemeral is a pre-message without
//! payload, so there the rule always holds.

use sha2::{Digest, Sha256};
use snow::types::Hash;

/// How the empty, keyless payload of XX's first message enters the handshake hash.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Dialect {
    /// Not at all: what WhatsApp speaks.
    #[default]
    WhatsApp,
    /// As the Noise specification says: for talking to stock Noise, in tests.
    Strict,
}

/// SHA-256 beneath snow, in which MixHash of nothing is the identity when the dialect says so.
///
/// snow computes MixHash as `reset`, `input(h)`, `input(data)`, `result`; HMAC begins with a 64-byte block, so it is
/// never mistaken for it.
pub(crate) struct DialectHash {
    hash: Sha256,
    mixed: Option<Mixed>,
}

/// What went in since `reset`, as long as it could still be MixHash of nothing.
enum Mixed {
    Start,
    Chaining([u8; 32]),
    Nothing([u8; 32]),
    Else,
}

impl DialectHash {
    pub(crate) fn new(dialect: Dialect) -> Self {
        Self { hash: Sha256::new(), mixed: (dialect == Dialect::WhatsApp).then_some(Mixed::Start) }
    }
}

impl Hash for DialectHash {
    fn name(&self) -> &'static str {
        "SHA256"
    }

    fn block_len(&self) -> usize {
        64
    }

    fn hash_len(&self) -> usize {
        32
    }

    fn reset(&mut self) {
        self.hash = Sha256::new();
        self.mixed = self.mixed.as_ref().map(|_| Mixed::Start);
    }

    fn input(&mut self, data: &[u8]) {
        self.hash.update(data);
        self.mixed = self.mixed.take().map(|mixed| match (mixed, <[u8; 32]>::try_from(data)) {
            (Mixed::Start, Ok(chaining)) => Mixed::Chaining(chaining),
            (Mixed::Chaining(chaining), _) if data.is_empty() => Mixed::Nothing(chaining),
            _ => Mixed::Else,
        });
    }

    fn result(&mut self, out: &mut [u8]) {
        let digest: [u8; 32] = match self.mixed {
            Some(Mixed::Nothing(chaining)) => chaining,
            _ => self.hash.finalize_reset().into(),
        };
        if let Some(out) = out.get_mut(..32) {
            out.copy_from_slice(&digest);
        }
    }
}
