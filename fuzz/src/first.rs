//! A receiver whose keys are known here, so that any envelope can be made a peer's first message that authenticates.

use std::sync::LazyLock;

use prost::Message;
use wa_keys::{PrivateKey, PublicKey};
use wa_proto::signal;
use wa_signal::{DecryptError, Decrypted, PreKeyMessage, Prekeys, SessionRecord, Trust};

use crate::sessions::{derive, mac_of, seal as seal_known, step};

/// Whose identity peers write to.
pub static IDENTITY: LazyLock<PrivateKey> = LazyLock::new(|| PrivateKey::from_bytes([21; 32]));

/// The prekeys of [`IDENTITY`].
pub static PREKEYS: LazyLock<Receiver> = LazyLock::new(|| Receiver {
    signed: PrivateKey::from_bytes([22; 32]),
    one_time: PrivateKey::from_bytes([23; 32]),
});

/// Prekeys: the signed one, whatever number a message says, and the one-time one of every number.
#[derive(Debug)]
pub struct Receiver {
    /// The signed one.
    pub signed: PrivateKey,
    /// The one-time one.
    pub one_time: PrivateKey,
}

impl Receiver {
    /// Decrypts with these.
    pub fn decrypt(
        &self,
        record: &mut SessionRecord,
        message: &PreKeyMessage,
        trust: &Trust,
    ) -> Result<Decrypted, DecryptError> {
        let prekeys = Prekeys { signed: &self.signed, one_time: Some(&self.one_time) };
        record.decrypt_prekey(&IDENTITY, prekeys, message, trust)
    }
}

/// The envelope (version byte and protobuf) with the MAC that its receiver will compute behind the message inside; as it
/// is, if there is none.
pub fn seal(receiver: &SessionRecord, envelope: &[u8]) -> Vec<u8> {
    sealed(receiver, envelope).unwrap_or_else(|| envelope.to_vec())
}

fn sealed(receiver: &SessionRecord, envelope: &[u8]) -> Option<Vec<u8>> {
    let (version, form) = envelope.split_first()?;
    let mut form = signal::PreKeySignalMessage::decode(form).ok()?;
    let body = form.message.clone()?;
    let base = PublicKey::from_prefixed(form.base_key.as_deref()?).ok()?;
    let sealed = match known(receiver, &base) {
        true => seal_known(receiver, &body),
        false => [&body[..], &mac(&form, &base, &body)?].concat(),
    };
    form.message = Some(sealed.into());
    Some([&[*version], &form.encode_to_vec()[..]].concat())
}

/// Whether the current session was begun with that key.
fn known(receiver: &SessionRecord, base: &PublicKey) -> bool {
    let stored = receiver.encode();
    let form = stored.split_last_chunk::<4>().map(|(form, _)| form).unwrap_or_default();
    let form = wa_proto::record::SessionRecord::decode(form).unwrap_or_default();
    form.current.is_some_and(|session| session.base_key[..] == base.as_bytes()[..])
}

/// X3DH as the receiver runs it, one turn of the ratchet, and the message's key (X3DH §3.4).
fn mac(form: &signal::PreKeySignalMessage, base: &PublicKey, body: &[u8]) -> Option<[u8; 8]> {
    let identity = PublicKey::from_prefixed(form.identity_key.as_deref()?).ok()?;
    let message = signal::SignalMessage::decode(body.get(1..)?).ok()?;
    let ratchet = PublicKey::from_prefixed(&message.ratchet_key?).ok()?;
    let agree = |ours: &PrivateKey, theirs: &PublicKey| Some(*ours.agree(theirs).ok()?.as_bytes());
    let mut secrets = vec![0xFF; 32];
    secrets.extend(agree(&PREKEYS.signed, &identity)?);
    secrets.extend(agree(&IDENTITY, base)?);
    secrets.extend(agree(&PREKEYS.signed, base)?);
    if form.pre_key_id.is_some() {
        secrets.extend(agree(&PREKEYS.one_time, base)?);
    }
    let root: [u8; 64] = derive(&[0; 32], &secrets, b"WhisperText");
    let shared = agree(&PREKEYS.signed, &ratchet)?;
    let turned: [u8; 64] = derive(root[..32].try_into().ok()?, &shared, b"WhisperRatchet");
    let mut chain: [u8; 32] = turned[32..].try_into().ok()?;
    for _ in 0..message.counter?.min(2_010) {
        chain = step(&chain, 2);
    }
    mac_of(&step(&chain, 1), [&identity, &IDENTITY.public_key()], body)
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    use super::*;
    use crate::sessions::envelopes;

    #[test]
    fn what_is_sealed_here_decrypts() {
        let mut rng = StdRng::seed_from_u64(1);
        for (index, envelope) in envelopes(&IDENTITY, &PREKEYS, &mut rng).iter().enumerate() {
            let mut record = SessionRecord::default();
            let message = PreKeyMessage::decode(seal(&record, envelope).into()).expect("a message");
            PREKEYS.decrypt(&mut record, &message, &Trust::Any).expect("decrypts");
            let message = PreKeyMessage::decode(seal(&record, envelope).into()).expect("a message");
            let twice = PREKEYS.decrypt(&mut record, &message, &Trust::Any);
            assert!(matches!(twice, Err(DecryptError::Duplicate { .. })), "{index}");
        }
    }
}
