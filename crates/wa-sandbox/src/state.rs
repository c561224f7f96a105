//! What outlives the program: accounts, mail, phones with their sessions, the server's own keys, in one JSON file.
//!
//! Not kept: connections, faults, records, what a console shows of conversations, and keys of messages that were being
//! overtaken (a phone asks for such a message again); the transcript and files of the media host are kept beside it. The
//! file holds private keys of nobody but the sandbox's own phones.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use wa_keys::{PrivateKey, PublicKey, Signature};
use wa_signal::SignedPrekey;

use crate::account::{Account, Mail};
use crate::phone::{Manners, PhoneState};
use crate::world::{Integrator, World};

/// The form of the file.
const VERSION: u32 = 1;

/// Why a file is no state.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// It is not JSON of this form.
    #[error("{0}")]
    Form(String),
    /// It was written by another version.
    #[error("it has version {0}, this program reads {VERSION}")]
    Version(u32),
    /// A value in it cannot be used.
    #[error("{0} is no valid value")]
    Value(&'static str),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct State {
    version: u32,
    noise_key: String,
    root: String,
    intermediate: String,
    stanzas: u64,
    clock_offset: i64,
    integrators: Vec<Integrator>,
    phones: Vec<(String, Manners, PhoneState)>,
    accounts: Vec<AccountState>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct AccountState {
    login: String,
    user: String,
    authkey: String,
    registration_id: u32,
    identity: String,
    signed_prekey: (u32, String, String),
    prekeys: BTreeMap<u32, String>,
    mailbox: Vec<(u64, String)>,
    messages: u64,
    last_seen: u64,
    blocked: BTreeSet<String>,
}

impl World {
    /// Everything that is kept.
    pub fn save(&self, clock_offset: i64) -> Value {
        let key = |key: &PrivateKey| hex::encode(key.as_bytes());
        let integrators = self.integrators.iter();
        let phones = self.phones.iter();
        let state = State {
            version: VERSION,
            noise_key: key(&self.server.setup.static_key),
            root: key(&self.server.authority.root),
            intermediate: key(&self.server.authority.intermediate),
            stanzas: self.next_stanza,
            clock_offset,
            integrators: integrators
                .map(|(id, known)| Integrator { id: *id, base_url: known.base_url.clone() })
                .collect(),
            phones: phones
                .map(|(number, phone)| (number.clone(), phone.manners.clone(), phone.save()))
                .collect(),
            accounts: self.accounts.values().map(AccountState::from_account).collect(),
        };
        serde_json::to_value(state).unwrap_or_default()
    }

    /// Goes on from what was kept; gives the clock's offset.
    ///
    /// # Errors
    /// [`StateError`]; nothing has changed then.
    pub fn load(&mut self, state: Value) -> Result<i64, StateError> {
        let version = state.get("version").and_then(Value::as_u64).unwrap_or(0);
        if version != u64::from(VERSION) {
            return Err(StateError::Version(u32::try_from(version).unwrap_or(u32::MAX)));
        }
        let state: State = serde_path_to_error::deserialize(state)
            .map_err(|error| StateError::Form(format!("{}: {}", error.path(), error.inner())))?;
        let keys = [&state.noise_key, &state.root, &state.intermediate].map(|key| private(key));
        let [noise_key, root, intermediate] = keys;
        let accounts = state.accounts.into_iter().map(AccountState::into_account);
        let accounts: BTreeMap<u64, Account> = accounts.collect::<Result<_, _>>()?;
        let mut phones = BTreeMap::new();
        for (number, manners, kept) in state.phones {
            let mut phone = self.new_phone(&number, manners);
            phone.load(kept).ok_or(StateError::Value("a phone"))?;
            phones.insert(number, phone);
        }
        self.server.setup.static_key = noise_key?;
        self.server.authority.root = root?;
        self.server.authority.intermediate = intermediate?;
        self.next_stanza = state.stanzas;
        // What the command line names holds over what was kept.
        for integrator in state.integrators {
            self.integrators.entry(integrator.id).or_insert_with(|| integrator.into());
        }
        self.phones.extend(phones);
        self.accounts = accounts;
        Ok(state.clock_offset)
    }
}

impl AccountState {
    fn from_account(account: &Account) -> Self {
        let signed = &account.signed_prekey;
        let key = |key: &PublicKey| hex::encode(key.as_bytes());
        let mailbox = account.mailbox.iter();
        Self {
            login: account.login.to_string(),
            user: account.identifier.clone(),
            authkey: key(&account.authkey),
            registration_id: account.registration_id,
            identity: key(&account.identity),
            signed_prekey: (signed.id, key(&signed.key), hex::encode(signed.signature.as_bytes())),
            prekeys: account.prekeys.iter().map(|(id, public)| (*id, key(public))).collect(),
            mailbox: mailbox.map(|mail| (mail.since, mail.node.to_string())).collect(),
            messages: account.messages,
            last_seen: account.last_seen,
            blocked: account.blocked.clone(),
        }
    }

    fn into_account(self) -> Result<(u64, Account), StateError> {
        let login: wa_binary::Jid = self.login.parse().map_err(|_| StateError::Value("a login"))?;
        let (integrator, number) = login.as_interop().ok_or(StateError::Value("a login"))?;
        let (id, key, signature) = self.signed_prekey;
        let signature = hex::decode(signature).ok().and_then(|bytes| Signature::from_slice(&bytes).ok());
        let signature = signature.ok_or(StateError::Value("a signature"))?;
        let signed_prekey = SignedPrekey { id, key: public(&key)?, signature };
        let prekeys = self.prekeys.into_iter().map(|(id, key)| Ok((id, public(&key)?)));
        let mut mailbox = VecDeque::new();
        for (since, xml) in self.mailbox {
            let node = xml.parse().map_err(|_| StateError::Value("a stanza"))?;
            mailbox.push_back(Mail { since, node, sent_on: None });
        }
        let account = Account {
            login,
            integrator,
            identifier: self.user,
            authkey: public(&self.authkey)?,
            registration_id: self.registration_id,
            identity: public(&self.identity)?,
            signed_prekey,
            prekeys: prekeys.collect::<Result<_, StateError>>()?,
            mailbox,
            messages: self.messages,
            connection: None,
            handshake: None,
            last_seen: self.last_seen,
            blocked: self.blocked,
            live: false,
            handed: 0,
            last_fetch: 0,
        };
        Ok((number, account))
    }
}

fn private(text: &str) -> Result<PrivateKey, StateError> {
    let bytes = hex::decode(text).ok().and_then(|bytes| PrivateKey::from_slice(&bytes).ok());
    bytes.ok_or(StateError::Value("a private key"))
}

fn public(text: &str) -> Result<PublicKey, StateError> {
    let bytes = hex::decode(text).ok().and_then(|bytes| PublicKey::from_slice(&bytes).ok());
    bytes.ok_or(StateError::Value("a public key"))
}
