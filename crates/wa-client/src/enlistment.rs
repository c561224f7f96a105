//! Enlistment with an account's keys: from the account to WhatsApp's answer (overview §1.2).

use rand::rngs::SysRng;
use rand_core::UnwrapErr;
use wa_binary::Jid;
use wa_chat::{Backoff, PublicKeys};
use wa_enlist::{EnlistAnswer, EnlistError, EnlistRequest, EnlistedPrekey, Reason};
use wa_http::HttpClient;
use wa_profile::Profile;

/// Why there is no login.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EnlistmentError {
    /// The request could not be made, or there was no answer that can be read; [`EnlistError::is_retryable`] tells
    /// whether to ask again.
    #[error(transparent)]
    Exchange(#[from] EnlistError),
    /// WhatsApp refused, and says why.
    #[error("refused: {0}")]
    Refused(Reason),
}

/// Enlists the account of these keys for the user that `token` names, and gives the login.
///
/// Make the account durable before ([`Client::create`](crate::Client::create)), keep the login afterwards
/// ([`Client::enlisted`](crate::Client::enlisted)). `integrator` and `user` are sent where the profile asks for them.
///
/// Where nothing was decided (no connection, a server in trouble) it asks again, three times in all. Asking twice for
/// what was decided after all gives another login for the same keys, and the last one counts.
///
/// # Errors
/// No answer, or a refusal.
pub async fn enlist(
    http: &impl HttpClient,
    profile: &Profile,
    keys: &PublicKeys,
    integrator: u16,
    user: &str,
    token: &str,
) -> Result<Jid, EnlistmentError> {
    let prekey = EnlistedPrekey::new(keys.signed.id, keys.signed.key, keys.signed.signature)?;
    let request = EnlistRequest::new(keys.noise, keys.registration_id, keys.identity, prekey, token)?;
    let request = request.with_identity(integrator, user)?;
    let (mut backoff, mut attempt) = (Backoff::default(), 0);
    loop {
        attempt += 1;
        match wa_enlist::enlist(http, &request, profile).await {
            Ok(EnlistAnswer::Login(login)) => return Ok(login),
            Ok(EnlistAnswer::Refused(reason)) => return Err(EnlistmentError::Refused(reason)),
            Err(error) if attempt >= ATTEMPTS || !error.is_retryable() => return Err(error.into()),
            Err(_) => tokio::time::sleep(backoff.next_pause(&mut UnwrapErr(SysRng))).await,
        }
    }
}

/// How often it is asked where nothing was decided.
const ATTEMPTS: u32 = 3;
