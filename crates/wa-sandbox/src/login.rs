//! Judging a login: token, static key, version (seed §1.1, §6.3; the payload's mapping is assumed).

use prost::Message;
use wa_keys::PublicKey;
use wa_noise::ClientIdentity;
use wa_profile::{ProtocolVersion, VersionAtLogin};
use wa_proto::handshake::ClientPayload;

use crate::account::{Account, KEPT};
use crate::claims::TokenFault;
use crate::connection::Handshake;
use crate::world::World;

/// A client payload, read, and the static key that its handshake proved.
#[derive(Debug)]
pub(crate) struct PendingLogin {
    key: PublicKey,
    product: u32,
    account: u64,
    token: String,
    version: Option<ProtocolVersion>,
    pub(crate) handshake: Handshake,
    /// Set once the integrator's keys were fetched for this login: it is not done twice.
    fetched: Option<u16>,
}

/// Why a login is not accepted (yet).
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// `<failure reason>`.
    Reason(u16),
    /// The keys of this integrator may be too old.
    FetchKeys(u16),
}

impl PendingLogin {
    /// Reads a client payload; `None` if it lacks what a third party's login must have.
    pub(crate) fn read(client: &ClientIdentity, handshake: Handshake) -> Option<Self> {
        let payload = ClientPayload::decode(client.payload.as_slice()).ok()?;
        let interop = payload.interop_data?;
        let version = payload.user_agent.and_then(|agent| agent.app_version).map(|version| {
            let part = Option::unwrap_or_default;
            ProtocolVersion::new(part(version.primary), part(version.secondary), part(version.tertiary))
        });
        Some(Self {
            key: client.key,
            product: u32::try_from(payload.product?).ok()?,
            account: interop.account_id?,
            token: String::from_utf8(interop.token?.to_vec()).ok()?,
            version,
            handshake,
            fetched: None,
        })
    }

    pub(crate) fn awaiting(mut self, integrator: u16) -> Self {
        self.fetched = Some(integrator);
        self
    }

    pub(crate) fn awaits(&self, integrator: u16) -> bool {
        self.fetched == Some(integrator)
    }

    /// The account that this login opens, or why not.
    pub(crate) fn judge(&self, world: &World, now: u64) -> Result<u64, Refusal> {
        let failures = world.profile.chat.failures;
        let account = world.accounts.get(&self.account);
        let is_kept = |account: &&Account| now.saturating_sub(account.last_seen) <= KEPT;
        let account = account.filter(is_kept).ok_or(Refusal::Reason(failures.unenlisted))?;
        let integrator = world.integrators.get(&account.integrator);
        let integrator = integrator.ok_or(Refusal::Reason(failures.unenlisted))?;
        let issuer = &integrator.base_url;
        let claims = match integrator.keys.verify(&self.token, issuer, &world.profile.token, now) {
            Ok(claims) => claims,
            Err(TokenFault::UnknownKey) if self.fetched.is_none() => {
                return Err(Refusal::FetchKeys(account.integrator));
            }
            Err(_) => return Err(Refusal::Reason(failures.token_refused)),
        };
        let is_theirs = claims.sub == account.identifier && self.key == account.authkey;
        if !is_theirs || self.product != world.profile.chat.login.product {
            return Err(Refusal::Reason(failures.token_refused));
        }
        let may_be_silent = world.profile.chat.login.version == VersionAtLogin::Omitted;
        if !self.version.map_or(may_be_silent, is_supported) {
            return Err(Refusal::Reason(failures.version_too_old));
        }
        Ok(self.account)
    }
}

/// Versions before the first published one are too old (RO lists 1.0.0 to 1.0.3).
pub(crate) fn is_supported(version: ProtocolVersion) -> bool {
    version.primary >= 1
}
