//! A third party's user, and the tokens that its integrator signs.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeySize, PublicKeyComponents};
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use prost::Message as _;
use serde_json::{Value, json};
use wa_binary::{Jid, Node};
use wa_keys::PrivateKey;
use wa_noise::KnownServer;
use wa_proto::content::Message;
use wa_proto::handshake::{AppVersion, ClientPayload, InteropData, UserAgent};
use wa_signal::{LocalIdentity, PreKeyMessage, Prekeys, SessionRecord, SignalMessage, SignedPrekey, Trust};

/// Where the integrator's server is said to be, and the name of its key.
pub(crate) const BASE: &str = "http://127.0.0.1:9";
pub(crate) const KID: &str = "key";

/// The integrator's key, made once.
fn key() -> &'static RsaKeyPair {
    static KEY: OnceLock<RsaKeyPair> = OnceLock::new();
    KEY.get_or_init(|| RsaKeyPair::generate(KeySize::Rsa2048).unwrap())
}

pub(crate) fn jwks(kid: &str) -> Vec<u8> {
    let public = PublicKeyComponents::<Vec<u8>>::from(key().public_key());
    let [n, e] = [&public.n, &public.e].map(|number| URL_SAFE_NO_PAD.encode(number));
    let key = json!({ "kid": kid, "kty": "RSA", "alg": "RS256", "use": "sig", "n": n, "e": e });
    json!({ "keys": [key] }).to_string().into_bytes()
}

/// Signs any header and claims.
pub(crate) fn sign(header: &Value, claims: &Value) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let signed = format!("{}.{}", part(header), part(claims));
    let mut signature = vec![0; key().public_modulus_len()];
    key().sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), signed.as_bytes(), &mut signature).unwrap();
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
}

pub(crate) fn claims(user: &str, now: u64) -> Value {
    json!({ "iss": BASE, "sub": user, "aud": "https://whatsapp.com", "iat": now, "exp": now + 600 })
}

pub(crate) fn header() -> Value {
    json!({ "kid": KID, "alg": "RS256", "typ": "JWT" })
}

pub(crate) fn token(user: &str, now: u64) -> String {
    sign(&header(), &claims(user, now))
}

/// A third party's user: keys, and what is known of the server.
pub(crate) struct User {
    pub(crate) name: String,
    pub(crate) noise: PrivateKey,
    pub(crate) local: LocalIdentity,
    pub(crate) signed_key: PrivateKey,
    pub(crate) signed: SignedPrekey,
    pub(crate) one_time: BTreeMap<u32, PrivateKey>,
    pub(crate) sessions: BTreeMap<String, SessionRecord>,
    pub(crate) login: Option<Jid>,
    pub(crate) server: Option<KnownServer>,
}

impl User {
    pub(crate) fn login(&self) -> String {
        self.login.as_ref().unwrap().to_string()
    }

    /// The enlistment's arguments as the reference offer has them.
    pub(crate) fn form(&self, now: u64) -> Vec<(&'static str, String)> {
        let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        vec![
            ("authkey", encode(self.noise.public_key().as_bytes())),
            ("e_keytype", encode(&[5])),
            ("e_regid", encode(&self.local.registration_id.to_be_bytes())),
            ("e_ident", encode(self.local.key.public_key().as_bytes())),
            ("e_skey_id", encode(&self.signed.id.to_be_bytes()[1..])),
            ("e_skey_val", encode(self.signed.key.as_bytes())),
            ("e_skey_sig", encode(self.signed.signature.as_bytes())),
            ("token", token(&self.name, now)),
        ]
    }

    pub(crate) fn payload(&self, now: u64) -> Vec<u8> {
        self.client_payload(&token(&self.name, now)).encode_to_vec()
    }

    pub(crate) fn client_payload(&self, token: &str) -> ClientPayload {
        let (_, number) = self.login.as_ref().unwrap().as_interop().unwrap();
        let version = AppVersion { primary: Some(1), secondary: Some(0), tertiary: Some(3) };
        ClientPayload {
            user_agent: Some(UserAgent { app_version: Some(version) }),
            product: Some(2),
            interop_data: Some(InteropData {
                account_id: Some(number),
                token: Some(Bytes::copy_from_slice(token.as_bytes())),
                enable_read_receipts: Some(true),
            }),
            ..ClientPayload::default()
        }
    }

    /// An upload of these one-time prekeys.
    pub(crate) fn upload(&self, list: Vec<Node>) -> Node {
        let bytes = |tag: &'static str, bytes: &[u8]| Node::new(tag).with_bytes(bytes.to_vec());
        let signature = bytes("signature", self.signed.signature.as_bytes());
        Node::new("iq")
            .with_attr("id", "upload")
            .with_attr("type", "set")
            .with_attr("xmlns", "encrypt")
            .with_attr("to", Jid::whatsapp())
            .with_children([
                bytes("registration", &self.local.registration_id.to_be_bytes()),
                bytes("type", &[5]),
                bytes("identity", self.local.key.public_key().as_bytes()),
                Node::new("list").with_children(list),
                prekey("skey", self.signed.id, self.signed.key.as_bytes()).with_child(signature),
            ])
    }

    /// Decrypts a message of the phone's.
    pub(crate) fn decrypt(&mut self, message: &Node) -> Option<Message> {
        let enc = message.child("enc")?;
        let bytes = Bytes::copy_from_slice(enc.bytes()?);
        let session = self.sessions.entry(message.attr("from")?.to_text().into_owned()).or_default();
        let plain = if enc.attr_str("type") == Some("msg") {
            session.decrypt(&SignalMessage::decode(bytes).ok()?, &Trust::Any).ok()?.plaintext
        } else {
            let message = PreKeyMessage::decode(bytes).ok()?;
            let one_time = message.one_time_prekey_id.and_then(|id| self.one_time.get(&id));
            let prekeys = Prekeys { signed: &self.signed_key, one_time };
            session.decrypt_prekey(&self.local.key, prekeys, &message, &Trust::Any).ok()?.plaintext
        };
        let padding = usize::from(*plain.last()?);
        Message::decode(&plain[..plain.len() - padding]).ok()
    }
}

pub(crate) fn prekey(tag: &'static str, id: u32, key: &[u8]) -> Node {
    Node::new(tag).with_children([
        Node::new("id").with_bytes(id.to_be_bytes()[1..].to_vec()),
        Node::new("value").with_bytes(key.to_vec()),
    ])
}
