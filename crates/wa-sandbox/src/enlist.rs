//! The enlistment API: `POST /3p/interop_reg` (seed §1.2; RO 1.0.3).

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rand_core::Rng;
use wa_binary::Jid;
use wa_keys::{PublicKey, Signature};
use wa_profile::{EnlistmentSpelling, IntegratorOfLogin, ProtocolVersion};
use wa_signal::SignedPrekey;

use crate::account::Account;
use crate::claims::{TokenFault, claimed_issuer};
use crate::login::is_supported;
use crate::world::World;

/// The API's answer, or what it needs first.
#[derive(Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Enlisted {
    /// `{"login": …, "status": "ok"}`.
    Login(Jid),
    /// `{"reason": …, "status": "fail"}`. Only `bad_integrator` is documented; the others are the sandbox's own.
    Refused(&'static str),
    /// The keys of this integrator may be too old: fetch them and ask again.
    FetchKeys(u16),
}

/// Form arguments by name.
struct Arguments(BTreeMap<String, String>);

impl World {
    /// Enlists the user of a form at `now` (Unix seconds). `fetched`: the keys were just fetched for it.
    pub fn enlist(&mut self, form: &[u8], fetched: bool, now: u64) -> Enlisted {
        match self.judge_enlistment(form, fetched, now) {
            Ok(account) => Enlisted::Login(self.add_account(Account { last_seen: now, ..account })),
            Err(refusal) => refusal,
        }
    }

    fn judge_enlistment(&self, form: &[u8], fetched: bool, now: u64) -> Result<Account, Enlisted> {
        let refused = Enlisted::Refused;
        let arguments = Arguments::parse(form).ok_or(refused("sandbox_bad_arguments"))?;
        let token = arguments.text("token").ok_or(refused("sandbox_bad_token"))?;
        let integrator = self.integrator_of(&arguments, token).ok_or(refused("bad_integrator"))?;
        let known = self.integrators.get(&integrator).ok_or(refused("bad_integrator"))?;
        let claims = match known.keys.verify(token, &known.base_url, &self.profile.token, now) {
            Ok(claims) => claims,
            Err(TokenFault::UnknownKey) if !fetched => return Err(Enlisted::FetchKeys(integrator)),
            Err(_) => return Err(refused("sandbox_bad_token")),
        };
        let identifier = match arguments.text("user_identifier") {
            Some(identifier) => identifier,
            None if self.profile.enlistment.identity_arguments => {
                return Err(refused("sandbox_bad_identifier"));
            }
            None => &claims.sub,
        };
        let length = 1..=self.profile.token.user_identifier_chars_max;
        if identifier != claims.sub || !length.contains(&identifier.chars().count()) {
            return Err(refused("sandbox_bad_identifier"));
        }
        self.check_version(&arguments)?;
        arguments.keys(integrator, identifier)
    }

    fn integrator_of(&self, arguments: &Arguments, token: &str) -> Option<u16> {
        if self.profile.enlistment.integrator_of_login == IntegratorOfLogin::TokenIssuer {
            let issuer = claimed_issuer(token)?;
            let mut known = self.integrators.iter();
            return known.find(|(_, known)| known.base_url == issuer).map(|(id, _)| *id);
        }
        let id = arguments.text("integrator_id")?;
        let is_canonical = !id.starts_with(['0', '+']);
        id.parse().ok().filter(|id| is_canonical && self.integrators.contains_key(id))
    }

    fn check_version(&self, arguments: &Arguments) -> Result<(), Enlisted> {
        let Some(name) = &self.profile.enlistment.version_argument else { return Ok(()) };
        let stated = arguments.text(name).and_then(|version| version.parse::<ProtocolVersion>().ok());
        let stated = stated.ok_or(Enlisted::Refused("sandbox_bad_version"))?;
        if is_supported(stated) { Ok(()) } else { Err(Enlisted::Refused("sandbox_version_too_old")) }
    }

    /// A user who enlists again gets a new login; the old one is gone.
    fn add_account(&mut self, mut account: Account) -> Jid {
        self.accounts
            .retain(|_, old| old.integrator != account.integrator || old.identifier != account.identifier);
        loop {
            // Fourteen digits, as in the published example.
            let number = 10_000_000_000_000 + self.rng.next_u64() % 90_000_000_000_000;
            let login = Jid::interop(account.integrator, number);
            if let (Ok(login), false) = (login, self.accounts.contains_key(&number)) {
                account.login = login.clone();
                self.accounts.insert(number, account);
                return login;
            }
        }
    }
}

impl Arguments {
    /// Each name once; a body that is no form is refused.
    fn parse(form: &[u8]) -> Option<Self> {
        let mut arguments = BTreeMap::new();
        for (name, value) in form_urlencoded::parse(form) {
            if arguments.insert(name.into_owned(), value.into_owned()).is_some() {
                return None;
            }
        }
        Some(Self(arguments))
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// Exactly `N` bytes in base64url without padding.
    fn bytes<const N: usize>(&self, name: &str) -> Option<[u8; N]> {
        URL_SAFE_NO_PAD.decode(self.text(name)?).ok()?.try_into().ok()
    }

    /// An argument that the documents spell differently: any spelling, but never two that differ.
    fn spelt<const N: usize>(&self, spell: fn(EnlistmentSpelling) -> &'static str) -> Option<[u8; N]> {
        let spellings = EnlistmentSpelling::ALL.map(spell);
        let mut given = spellings.into_iter().filter(|name| self.text(name).is_some());
        let first = given.next()?;
        given.all(|other| self.text(other) == self.text(first)).then(|| self.bytes(first))?
    }

    /// The account with its keys, all of their exact size, the signed prekey signed by the identity.
    fn keys(&self, integrator: u16, identifier: &str) -> Result<Account, Enlisted> {
        let malformed = Enlisted::Refused("sandbox_bad_arguments");
        self.read_keys(integrator, identifier).ok_or(malformed).and_then(|account| {
            let signed = &account.signed_prekey;
            match account.identity.verify(&signed.key.to_prefixed(), &signed.signature) {
                Ok(()) => Ok(account),
                Err(_) => Err(Enlisted::Refused("sandbox_bad_signature")),
            }
        })
    }

    fn read_keys(&self, integrator: u16, identifier: &str) -> Option<Account> {
        let [5] = self.bytes("e_keytype")? else { return None };
        let [a, b, c] = self.spelt(EnlistmentSpelling::prekey_id)?;
        Some(Account {
            // Replaced when the account is added.
            login: Jid::interop(integrator, 1).ok()?,
            integrator,
            identifier: identifier.to_owned(),
            authkey: PublicKey::from_bytes(self.bytes("authkey")?),
            registration_id: u32::from_be_bytes(self.bytes("e_regid")?),
            identity: PublicKey::from_bytes(self.bytes("e_ident")?),
            signed_prekey: SignedPrekey {
                id: u32::from_be_bytes([0, a, b, c]),
                key: PublicKey::from_bytes(self.spelt(EnlistmentSpelling::prekey_value)?),
                signature: Signature::from_bytes(self.spelt(EnlistmentSpelling::prekey_signature)?),
            },
            prekeys: BTreeMap::new(),
            mailbox: VecDeque::new(),
            messages: 0,
            connection: None,
            handshake: None,
            live: false,
            last_seen: 0,
            blocked: BTreeSet::new(),
        })
    }
}
