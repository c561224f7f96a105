//! What comes before the first connection: a token, and a login for an account's keys.

use bytes::Bytes;
use rand_core::CryptoRng;
use wa_interop::binary::Jid;
use wa_interop::chat::AccountKeys;
use wa_interop::enlist::{EnlistRequest, EnlistedPrekey};
use wa_interop::integrator::{KeySet, Principal, SigningKey, TokenIssuer, UserIdentifier};
use wa_interop::profile::Profile;
use wa_sandbox::{Enlisted, World};

use crate::report::failure::Failure;
use crate::target::environment::INTEGRATOR;

/// The integrator's base URL, and its user.
pub(crate) const BASE: &str = "https://integrator.example";
const USER: &str = "alice";

/// The integrator's key in these runs: made for them, and the same each time, so that a run can be repeated to the byte.
const SIGNING_KEY: &[u8] = include_bytes!("signing-key.pem");

/// A token, and the keys that it verifies with.
pub(crate) fn token_and_jwks(now: u64, rng: &mut impl CryptoRng) -> Result<(String, Bytes), Failure> {
    let rules = Profile::overview().token;
    let key = SigningKey::from_pem(SIGNING_KEY)?;
    let issuer = TokenIssuer::new(BASE.parse()?, &rules, rules.lifetime_max)?;
    let principal = Principal::new(UserIdentifier::new(USER, rules.user_identifier_chars_max)?);
    let token = issuer.issue(&key, &principal, now, rng)?;
    Ok((token.as_str().to_owned(), KeySet::new(std::slice::from_ref(key.public_key())).body()))
}

/// Enlists an account's keys, without a socket.
pub(crate) fn enlist(
    world: &mut World,
    keys: &AccountKeys,
    token: &str,
    profile: &Profile,
    now: u64,
) -> Result<Jid, Failure> {
    let request = EnlistRequest::new(
        keys.noise.public_key(),
        keys.identity.registration_id,
        keys.identity.key.public_key(),
        EnlistedPrekey::new(keys.signed.id, keys.signed.key, keys.signed.signature)?,
        token,
    )?;
    let form = request.with_identity(INTEGRATOR, USER)?.to_http(profile)?.into_body();
    match world.enlist(&form, true, now) {
        Enlisted::Login(login) => Ok(login),
        other => Err(Failure(format!("enlistment: {other:?}"))),
    }
}
