//! Judging a login: token, static key, version (overview §1.1, §6.3; the payload's mapping is assumed).

use prost::Message;
use wa_keys::PublicKey;
use wa_noise::ClientIdentity;
use wa_profile::{Profile, ProtocolVersion};
use wa_proto::handshake::{ClientPayload, InteropData};

use crate::account::{Account, KEPT};
use crate::claims::{Claims, TokenFault};
use crate::connection::Handshake;
use crate::record::Who;
use crate::rules::Clause;
use crate::rules::book::{
    INTEROP_DATA, KEYS_AWAY, LOGIN_VERSION_OLD, PAYLOAD, PRODUCT, STATIC_KEY, TOKEN_SUBJECT, UNENLISTED,
};
use crate::world::World;

/// A client payload, read, and the static key that its handshake proved.
#[derive(Debug)]
pub(crate) struct PendingLogin {
    key: PublicKey,
    account: u64,
    token: String,
    pub(crate) version: Option<ProtocolVersion>,
    pub(crate) handshake: Handshake,
    /// Set once the integrator's keys were fetched for this login: it is not done twice.
    fetched: Option<u16>,
}

/// Why a login is not accepted (yet).
#[derive(Debug)]
pub(crate) enum Refusal {
    /// `<failure reason>`, for a breach.
    Breach(Box<LoginBreach>),
    /// `<failure reason>`, because a test wants it.
    Ordered(u16),
    /// The keys of this integrator may be too old.
    FetchKeys(u16),
}

/// Which rule a login broke.
#[derive(Debug)]
pub(crate) struct LoginBreach {
    pub(crate) reason: u16,
    pub(crate) clause: &'static Clause,
    pub(crate) what: String,
    pub(crate) who: Who,
}

impl PendingLogin {
    /// Reads a client payload.
    pub(crate) fn read(
        client: &ClientIdentity,
        handshake: Handshake,
        profile: &Profile,
    ) -> Result<Self, Refusal> {
        let refused = |clause, what: String| {
            let (reason, who) = (profile.chat.failures.token_refused, Who::default());
            Refusal::Breach(Box::new(LoginBreach { reason, clause, what, who }))
        };
        let payload = ClientPayload::decode(client.payload.as_slice());
        let payload = payload.map_err(|error| refused(&PAYLOAD, error.to_string()))?;
        let product = payload.product.and_then(|product| u32::try_from(product).ok());
        if product != Some(profile.chat.login.product) {
            let said = payload.product.map_or("is missing".to_owned(), |product| format!("is {product}"));
            return Err(refused(&PRODUCT, format!("product {said}")));
        }
        let Some(InteropData { account_id: Some(account), token: Some(token), .. }) = payload.interop_data
        else {
            let what = match payload.interop_data {
                None => "interopData is missing",
                Some(InteropData { account_id: None, .. }) => "interopData lacks accountID",
                Some(_) => "interopData lacks token",
            };
            return Err(refused(&INTEROP_DATA, what.to_owned()));
        };
        let token = String::from_utf8(token.to_vec());
        let token = token.map_err(|_| refused(&INTEROP_DATA, "the token is no text".to_owned()))?;
        let version = payload.user_agent.and_then(|agent| agent.app_version).map(|version| {
            let part = Option::unwrap_or_default;
            ProtocolVersion::new(part(version.primary), part(version.secondary), part(version.tertiary))
        });
        Ok(Self { key: client.key, account, token, version, handshake, fetched: None })
    }

    pub(crate) fn awaiting(mut self, integrator: u16) -> Self {
        self.fetched = Some(integrator);
        self
    }

    pub(crate) fn awaits(&self, integrator: u16) -> bool {
        self.fetched == Some(integrator)
    }

    /// The account that this login opens, or why not.
    pub(crate) fn judge(&self, world: &World) -> Result<u64, Refusal> {
        if let Some(reason) = world.faults.login_failure {
            return Err(Refusal::Ordered(reason));
        }
        let failures = world.profile.chat.failures;
        let account = self.account(world)?;
        let claims = self.claims(world, account)?;
        let who = || Who {
            login: Some(account.login.to_string()),
            user: Some(account.identifier.clone()),
            integrator: Some(account.integrator),
            connection: None,
        };
        let refused = |reason, clause, what: String| {
            Err(Refusal::Breach(Box::new(LoginBreach { reason, clause, what, who: who() })))
        };
        if claims.sub != account.identifier {
            let what = format!("the token is {}'s, the login {}'s", claims.sub, account.identifier);
            return refused(failures.token_refused, &TOKEN_SUBJECT, what);
        }
        if self.key != account.authkey {
            let what = format!("the static key is {}", hex::encode(self.key.as_bytes()));
            return refused(failures.token_refused, &STATIC_KEY, what);
        }
        match self.version.filter(|version| !is_supported(*version)) {
            Some(version) => {
                refused(failures.version_too_old, &LOGIN_VERSION_OLD, format!("the version is {version}"))
            }
            None => Ok(self.account),
        }
    }

    fn account<'a>(&self, world: &'a World) -> Result<&'a Account, Refusal> {
        let account = world.accounts.get(&self.account);
        let what = match account {
            Some(account) if world.now.saturating_sub(account.last_seen) > KEPT => {
                "has been away for 30 days"
            }
            Some(account) if !world.integrators.contains_key(&account.integrator) => {
                "is of no known integrator"
            }
            Some(account) => return Ok(account),
            None => "is not enlisted",
        };
        let who = Who { login: account.map(|account| account.login.to_string()), ..Who::default() };
        let (reason, what) =
            (world.profile.chat.failures.unenlisted, format!("account {} {what}", self.account));
        Err(Refusal::Breach(Box::new(LoginBreach { reason, clause: &UNENLISTED, what, who })))
    }

    fn claims(&self, world: &World, account: &Account) -> Result<Claims, Refusal> {
        let Some(integrator) = world.integrators.get(&account.integrator) else {
            return Err(Refusal::FetchKeys(account.integrator));
        };
        let issuer = &integrator.base_url;
        let fault = match integrator.keys.verify(&self.token, issuer, &world.profile.token, world.now) {
            Ok(claims) => return Ok(claims),
            Err(fault) => fault,
        };
        let (clause, what): (&Clause, _) = match (fault, &integrator.failure) {
            (TokenFault::UnknownKey(_), _) if self.fetched.is_none() => {
                return Err(Refusal::FetchKeys(account.integrator));
            }
            (TokenFault::UnknownKey(_), Some(why)) => {
                (&KEYS_AWAY, format!("{issuer} did not give its keys: {why}"))
            }
            (fault, _) => fault.breach(),
        };
        let who = Who {
            login: Some(account.login.to_string()),
            user: Some(account.identifier.clone()),
            integrator: Some(account.integrator),
            connection: None,
        };
        let reason = world.profile.chat.failures.token_refused;
        Err(Refusal::Breach(Box::new(LoginBreach { reason, clause, what, who })))
    }
}

/// Versions before the first published one are too old (RO lists 1.0.0 to 1.0.3).
pub(crate) fn is_supported(version: ProtocolVersion) -> bool {
    version.primary >= 1
}
