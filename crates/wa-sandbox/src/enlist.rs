//! The enlistment API: `POST /3p/interop_reg` (overview §1.2; RO 1.0.3).

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rand_core::Rng;
use wa_binary::{Jid, Node};
use wa_keys::{PublicKey, Signature};
use wa_profile::{EnlistmentSpelling, IntegratorOfLogin, ProtocolVersion};
use wa_signal::SignedPrekey;

use crate::account::Account;
use crate::claims::{Claims, TokenFault, claimed_issuer, claimed_user};
use crate::login::is_supported;
use crate::record::Who;
use crate::rules::Clause;
use crate::rules::book::{
    ARGUMENT_TWICE, ARGUMENT_UNKNOWN, AUTHKEY, FORM, FORM_TYPE, IDENT, IDENTIFIER, INTEGRATOR, KEYS_AWAY,
    KEYTYPE, REGID, SIGNED, SKEY_ID, SKEY_SIG, SKEY_VAL, SPELLINGS, TOKEN_MISSING, VERSION, VERSION_OLD,
};
use crate::world::World;

const FORM_CONTENT_TYPE: &str = "application/x-www-form-urlencoded";

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

/// Why a form is not accepted (yet).
enum Judged {
    FetchKeys(u16),
    Breach(&'static Clause, String),
}

/// Form arguments by name.
struct Arguments(BTreeMap<String, String>);

type Read<T> = Result<T, Judged>;

fn breach<T>(clause: &'static Clause, what: impl Into<String>) -> Read<T> {
    Err(Judged::Breach(clause, what.into()))
}

impl World {
    /// Enlists the user of a form at `now` (Unix seconds). `fetched`: the keys were just fetched for it.
    pub fn enlist(&mut self, form: &[u8], fetched: bool, now: u64) -> Enlisted {
        self.now = now;
        let arguments = Arguments::parse(form);
        let who = arguments.as_ref().map(|it| self.enlisting(it)).unwrap_or_default();
        let judged = arguments.and_then(|arguments| {
            let account = self.judge_enlistment(&arguments, fetched)?;
            Ok((account, arguments))
        });
        match judged {
            Ok((account, arguments)) => {
                self.note_unknown(&arguments, &who);
                Enlisted::Login(self.add_account(account))
            }
            Err(Judged::FetchKeys(integrator)) => Enlisted::FetchKeys(integrator),
            Err(Judged::Breach(clause, what)) => {
                self.journal.breach(now, who, clause, what);
                Enlisted::Refused(reason(clause))
            }
        }
    }

    /// Notes a content type that is not a form's.
    pub fn judge_content_type(&mut self, content_type: Option<&str>, now: u64) {
        let stated = content_type.map(|it| it.split(';').next().unwrap_or_default().trim());
        if !stated.is_some_and(|stated| stated.eq_ignore_ascii_case(FORM_CONTENT_TYPE)) {
            let what = format!("the content type is {}", stated.unwrap_or("missing"));
            self.journal.breach(now, Who::default(), &FORM_TYPE, what);
        }
    }

    /// Who wants to be enlisted, by what is said and not yet proved.
    fn enlisting(&self, arguments: &Arguments) -> Who {
        let token = arguments.text("token");
        let integrator = token.and_then(|token| self.integrator_of(arguments, token).ok());
        let user = arguments.text("user_identifier").map(str::to_owned);
        let user = user.or_else(|| token.and_then(claimed_user));
        Who { user, integrator, ..Who::default() }
    }

    fn note_unknown(&mut self, arguments: &Arguments, who: &Who) {
        let version = self.profile.enlistment.version_argument.as_deref();
        let is_known = |name: &&String| KNOWN.contains(&name.as_str()) || version == Some(name.as_str());
        for name in arguments.0.keys().filter(|name| !is_known(name)) {
            self.journal.breach(self.now, who.clone(), &ARGUMENT_UNKNOWN, format!("has {name}"));
        }
    }

    fn judge_enlistment(&self, arguments: &Arguments, fetched: bool) -> Read<Account> {
        let Some(token) = arguments.text("token").filter(|token| !token.is_empty()) else {
            return breach(&TOKEN_MISSING, "token is missing");
        };
        let integrator = self.integrator_of(arguments, token)?;
        let claims = self.claims_of(integrator, token, fetched)?;
        let identifier = match arguments.text("user_identifier") {
            Some(identifier) => identifier,
            None if self.profile.enlistment.identity_arguments => {
                return breach(&IDENTIFIER, "user_identifier is missing");
            }
            None => &claims.sub,
        };
        let length = 1..=self.profile.token.user_identifier_chars_max;
        let count = identifier.chars().count();
        if !length.contains(&count) {
            return breach(&IDENTIFIER, format!("the identifier has {count} characters"));
        }
        if identifier != claims.sub {
            return breach(
                &IDENTIFIER,
                format!("user_identifier is {identifier:?}, the token's sub {:?}", claims.sub),
            );
        }
        self.check_version(arguments)?;
        let account = arguments.account(integrator, identifier)?;
        Ok(Account { last_seen: self.now, ..account })
    }

    fn claims_of(&self, integrator: u16, token: &str, fetched: bool) -> Read<Claims> {
        let Some(known) = self.integrators.get(&integrator) else {
            return breach(&INTEGRATOR, format!("there is no integrator {integrator}"));
        };
        match known.keys.verify(token, &known.base_url, &self.profile.token, self.now) {
            Ok(claims) => Ok(claims),
            Err(TokenFault::UnknownKey(_)) if !fetched => Err(Judged::FetchKeys(integrator)),
            Err(fault) => match (fault, &known.failure) {
                (TokenFault::UnknownKey(_), Some(why)) => {
                    breach(&KEYS_AWAY, format!("{} did not give its keys: {why}", known.base_url))
                }
                (fault, _) => {
                    let (clause, what) = fault.breach();
                    breach(clause, what)
                }
            },
        }
    }

    /// By the argument, where there is one; else by who issued the token.
    fn integrator_of(&self, arguments: &Arguments, token: &str) -> Read<u16> {
        if let Some(id) = arguments.text("integrator_id") {
            let is_canonical = !id.starts_with(['0', '+']);
            let known = id.parse().ok().filter(|id| is_canonical && self.integrators.contains_key(id));
            return match known {
                Some(id) => Ok(id),
                None => breach(&INTEGRATOR, format!("integrator_id is {id:?}")),
            };
        }
        if self.profile.enlistment.integrator_of_login != IntegratorOfLogin::TokenIssuer {
            return breach(&INTEGRATOR, "integrator_id is missing");
        }
        let Some(issuer) = claimed_issuer(token) else {
            return breach(&INTEGRATOR, "integrator_id is missing, and the token names no issuer");
        };
        let mut known = self.integrators.iter();
        match known.find(|(_, known)| known.base_url == issuer) {
            Some((id, _)) => Ok(*id),
            None => breach(&INTEGRATOR, format!("the token's iss, {issuer:?}, is no integrator's base URL")),
        }
    }

    /// A version is judged where one is stated; no document says in which argument.
    fn check_version(&self, arguments: &Arguments) -> Read<()> {
        let stated =
            self.profile.enlistment.version_argument.as_deref().and_then(|name| arguments.text(name));
        match stated.map(|stated| (stated, stated.parse::<ProtocolVersion>())) {
            None => Ok(()),
            Some((_, Ok(version))) if is_supported(version) => Ok(()),
            Some((_, Ok(version))) => breach(&VERSION_OLD, format!("the version is {version}")),
            Some((stated, Err(error))) => breach(&VERSION, format!("the version is {stated:?}: {error}")),
        }
    }

    /// A user who enlists again gets a new login; the old one is gone, and its connection with it.
    fn add_account(&mut self, mut account: Account) -> Jid {
        let is_theirs =
            |old: &Account| old.integrator == account.integrator && old.identifier == account.identifier;
        let replaced = self.accounts.iter().filter(|(_, old)| is_theirs(old)).map(|(number, _)| *number);
        for number in replaced.collect::<Vec<_>>() {
            if let Some(connection) = self.accounts.remove(&number).and_then(|old| old.connection) {
                self.end_stream(connection, Node::new("conflict").with_attr("type", "replaced"));
            }
        }
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

/// The reason in the answer's JSON.
fn reason(clause: &Clause) -> &'static str {
    match clause.id {
        "enlist-integrator" => "bad_integrator",
        "enlist-form" => "sandbox_bad_form",
        "enlist-identifier" => "sandbox_bad_identifier",
        "enlist-version" => "sandbox_bad_version",
        "enlist-version-old" => "sandbox_version_too_old",
        "enlist-signature" => "sandbox_bad_signature",
        "token-keys-unreachable" => "sandbox_keys_unreachable",
        id if id.starts_with("token-") => "sandbox_bad_token",
        _ => "sandbox_bad_arguments",
    }
}

/// Arguments of the documents, in all their spellings.
const KNOWN: [&str; 13] = [
    "authkey",
    "e_keytype",
    "e_regid",
    "e_ident",
    "e_skey_id",
    "e_skey_val",
    "e_skey_sig",
    "e_key_id",
    "e_key_val",
    "e_key_sig",
    "integrator_id",
    "user_identifier",
    "token",
];

impl Arguments {
    /// Each name once; a body that is no form is refused.
    fn parse(form: &[u8]) -> Read<Self> {
        let mut arguments = BTreeMap::new();
        for (name, value) in form_urlencoded::parse(form) {
            if arguments.insert(name.clone().into_owned(), value.into_owned()).is_some() {
                return breach(&ARGUMENT_TWICE, format!("{name} is given twice"));
            }
        }
        if arguments.keys().any(|name| KNOWN.contains(&name.as_str())) {
            return Ok(Self(arguments));
        }
        let what = match form.iter().find(|byte| !byte.is_ascii_whitespace()) {
            None => "the body is empty",
            Some(b'{' | b'[') => "the body is JSON",
            Some(b'-') => "the body looks like multipart",
            Some(_) => "no argument of the API is in it",
        };
        breach(&FORM, what)
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// Exactly `N` bytes in base64url without padding.
    fn bytes<const N: usize>(&self, name: &str, clause: &'static Clause) -> Read<[u8; N]> {
        let Some(text) = self.text(name) else { return breach(clause, format!("{name} is missing")) };
        let Ok(bytes) = URL_SAFE_NO_PAD.decode(text) else {
            let why = match text {
                _ if text.contains('=') => "is padded",
                _ if text.contains(['+', '/', ' ']) => "is base64, not base64url",
                _ => "is not base64url",
            };
            return breach(clause, format!("{name} {why}"));
        };
        let length = bytes.len();
        bytes.try_into().or_else(|_| breach(clause, format!("{name} has {length} bytes")))
    }

    /// An argument that the documents spell differently: any spelling, but never two that differ.
    fn spelt<const N: usize>(
        &self,
        spell: fn(EnlistmentSpelling) -> &'static str,
        clause: &'static Clause,
    ) -> Read<[u8; N]> {
        let spellings = EnlistmentSpelling::ALL.map(spell);
        let mut given = spellings.into_iter().filter(|name| self.text(name).is_some());
        let Some(first) = given.next() else {
            return breach(clause, format!("{} is missing", spell(EnlistmentSpelling::ReferenceOffer)));
        };
        if let Some(other) = given.find(|other| self.text(other) != self.text(first)) {
            return breach(&SPELLINGS, format!("{first} and {other} differ"));
        }
        self.bytes(first, clause)
    }

    /// The signed prekey, signed by the identity.
    fn signed_prekey(&self, identity: &PublicKey) -> Read<SignedPrekey> {
        let [a, b, c] = self.spelt(EnlistmentSpelling::prekey_id, &SKEY_ID)?;
        let signed = SignedPrekey {
            id: u32::from_be_bytes([0, a, b, c]),
            key: PublicKey::from_bytes(self.spelt(EnlistmentSpelling::prekey_value, &SKEY_VAL)?),
            signature: Signature::from_bytes(self.spelt(EnlistmentSpelling::prekey_signature, &SKEY_SIG)?),
        };
        if identity.verify(&signed.key.to_prefixed(), &signed.signature).is_err() {
            return breach(&SIGNED, "the signature does not verify");
        }
        Ok(signed)
    }

    /// The account with its keys, all of their exact size.
    fn account(&self, integrator: u16, identifier: &str) -> Read<Account> {
        let authkey = self.bytes("authkey", &AUTHKEY)?;
        if authkey == [0; 32] {
            return breach(&AUTHKEY, "authkey is all zero");
        }
        if self.bytes("e_keytype", &KEYTYPE)? != [5] {
            return breach(&KEYTYPE, "e_keytype is another byte");
        }
        let registration_id = u32::from_be_bytes(self.bytes("e_regid", &REGID)?);
        let identity = PublicKey::from_bytes(self.bytes("e_ident", &IDENT)?);
        let signed_prekey = self.signed_prekey(&identity)?;
        // The login is replaced when the account is added.
        let Ok(login) = Jid::interop(integrator, 1) else {
            return breach(&INTEGRATOR, "the id is out of range");
        };
        Ok(Account {
            login,
            integrator,
            identifier: identifier.to_owned(),
            authkey: PublicKey::from_bytes(authkey),
            registration_id,
            identity,
            signed_prekey,
            prekeys: BTreeMap::new(),
            mailbox: VecDeque::new(),
            messages: 0,
            connection: None,
            handshake: None,
            live: false,
            handed: 0,
            last_fetch: 0,
            last_seen: 0,
            blocked: BTreeSet::new(),
        })
    }
}
