//! One end of a conversation, ours or the official library's, behind the same calls.

use rand::rngs::StdRng;
use serde_json::{Value, json};
use wa_keys::{PublicKey, Signature};
use wa_signal::{Bundle, Kind, SignedPrekey};

use crate::oracle::{Oracle, OracleError, Refusal, bytes, text};
use crate::ours::Ours;

/// Whose implementation an end runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The code of this project.
    Ours,
    /// The official library.
    Official,
}

/// One end of a conversation.
pub enum Party {
    /// An end that runs on this project's code.
    Ours(Box<Ours>),
    /// The official library's, known to the oracle by its name.
    Official(Official),
}

/// A party that the oracle keeps.
pub struct Official {
    name: &'static str,
    peer: &'static str,
    registration_id: u32,
    identity: PublicKey,
}

impl Party {
    /// A new installation, `name`d for the oracle, that talks to `peer`.
    pub fn new(
        side: Side,
        [name, peer]: [&'static str; 2],
        registration_id: u32,
        oracle: &mut Oracle,
        rng: &mut StdRng,
    ) -> Result<Self, OracleError> {
        if side == Side::Ours {
            return Ok(Self::Ours(Box::new(Ours::new(registration_id, rng))));
        }
        let request = json!({ "command": "new_party", "party": name, "registration_id": registration_id });
        let identity = key(&oracle.ask(&request)?, "identity")?;
        Ok(Self::Official(Official { name, peer, registration_id, identity }))
    }

    /// The identity's public half.
    pub fn identity(&self) -> PublicKey {
        match self {
            Self::Ours(ours) => ours.key().public_key(),
            Self::Official(official) => official.identity,
        }
    }

    /// What a peer fetches.
    pub fn bundle(
        &mut self,
        signed_id: u32,
        one_time_id: Option<u32>,
        oracle: &mut Oracle,
    ) -> Result<Bundle, OracleError> {
        match self {
            Self::Ours(ours) => Ok(ours.bundle(signed_id, one_time_id)),
            Self::Official(official) => official.bundle(signed_id, one_time_id, oracle),
        }
    }

    /// Begins a session.
    pub fn process(
        &mut self,
        bundle: &Bundle,
        oracle: &mut Oracle,
    ) -> Result<Result<(), Refusal>, OracleError> {
        match self {
            Self::Ours(ours) => Ok(ours.process(bundle)),
            Self::Official(official) => official.process(bundle, oracle),
        }
    }

    /// Encrypts the next message.
    pub fn encrypt(
        &mut self,
        plaintext: &[u8],
        oracle: &mut Oracle,
    ) -> Result<Result<(Kind, Vec<u8>), Refusal>, OracleError> {
        match self {
            Self::Ours(ours) => Ok(ours.encrypt(plaintext)),
            Self::Official(official) => official.encrypt(plaintext, oracle),
        }
    }

    /// Decrypts a message.
    pub fn decrypt(
        &mut self,
        kind: Kind,
        message: &[u8],
        oracle: &mut Oracle,
    ) -> Result<Result<Vec<u8>, Refusal>, OracleError> {
        match self {
            Self::Ours(ours) => Ok(ours.decrypt(kind, message)),
            Self::Official(official) => official.decrypt(kind, message, oracle),
        }
    }

    /// Signs with the identity.
    pub fn sign(
        &self,
        message: &[u8],
        oracle: &mut Oracle,
        rng: &mut StdRng,
    ) -> Result<Signature, OracleError> {
        match self {
            Self::Ours(ours) => Ok(ours.key().sign(message, rng)),
            Self::Official(official) => {
                let request = json!({ "command": "sign", "party": official.name, "message": text(message) });
                signature(&oracle.ask(&request)?)
            }
        }
    }
}

impl Official {
    fn bundle(
        &self,
        signed_id: u32,
        one_time_id: Option<u32>,
        oracle: &mut Oracle,
    ) -> Result<Bundle, OracleError> {
        let answer = oracle.ask(&json!({
            "command": "bundle", "party": self.name, "signed_id": signed_id, "one_time_id": one_time_id,
        }))?;
        let one_time = one_time_id.map(|id| Ok::<_, OracleError>((id, key(&answer, "one_time_key")?)));
        Ok(Bundle {
            registration_id: self.registration_id,
            identity: self.identity,
            signed_prekey: SignedPrekey {
                id: signed_id,
                key: key(&answer, "signed_key")?,
                signature: signature(&answer)?,
            },
            one_time_prekey: one_time.transpose()?,
        })
    }

    fn process(&self, bundle: &Bundle, oracle: &mut Oracle) -> Result<Result<(), Refusal>, OracleError> {
        let signed = &bundle.signed_prekey;
        let answer = oracle.judge(&json!({
            "command": "process_bundle", "party": self.name, "peer": self.peer,
            "bundle": {
                "registration_id": bundle.registration_id,
                "identity": text(&bundle.identity.to_prefixed()),
                "signed_id": signed.id,
                "signed_key": text(&signed.key.to_prefixed()),
                "signature": text(signed.signature.as_bytes()),
                "one_time_id": bundle.one_time_prekey.map(|(id, _)| id),
                "one_time_key": bundle.one_time_prekey.map(|(_, key)| text(&key.to_prefixed())),
            },
        }))?;
        Ok(answer.map(drop))
    }

    fn encrypt(
        &self,
        plaintext: &[u8],
        oracle: &mut Oracle,
    ) -> Result<Result<(Kind, Vec<u8>), Refusal>, OracleError> {
        let request = json!({
            "command": "encrypt", "party": self.name, "peer": self.peer, "plaintext": text(plaintext),
        });
        let answer = match oracle.judge(&request)? {
            Ok(answer) => answer,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let is_prekey = answer.get("kind").and_then(Value::as_str) == Some(PREKEY);
        let kind = if is_prekey { Kind::PreKey } else { Kind::Signal };
        Ok(Ok((kind, bytes(&answer, "bytes")?)))
    }

    fn decrypt(
        &self,
        kind: Kind,
        message: &[u8],
        oracle: &mut Oracle,
    ) -> Result<Result<Vec<u8>, Refusal>, OracleError> {
        let kind = if kind == Kind::PreKey { PREKEY } else { "msg" };
        let request = json!({
            "command": "decrypt", "party": self.name, "peer": self.peer, "kind": kind, "bytes": text(message),
        });
        match oracle.judge(&request)? {
            Ok(answer) => Ok(Ok(bytes(&answer, "plaintext")?)),
            Err(refusal) => Ok(Err(refusal)),
        }
    }
}

const PREKEY: &str = "pkmsg";

fn key(answer: &Value, member: &str) -> Result<PublicKey, OracleError> {
    let key = PublicKey::from_prefixed(&bytes(answer, member)?);
    key.map_err(|error| OracleError::Answer(format!("{member}: {error}")))
}

fn signature(answer: &Value) -> Result<Signature, OracleError> {
    let signature = Signature::from_slice(&bytes(answer, "signature")?);
    signature.map_err(|error| OracleError::Answer(format!("signature: {error}")))
}
