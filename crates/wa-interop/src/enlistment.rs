//! Enlistment with an account's keys: from the account to WhatsApp's answer (seed §1.2).

use wa_binary::Jid;
use wa_chat::PublicKeys;
use wa_enlist::{EnlistAnswer, EnlistError, EnlistRequest, Reason, SignedPrekey};
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
    /// WhatsApp refused.
    #[error("refused: {0}")]
    Refused(Reason),
}

/// Enlists the account of these keys for the user that `token` names, and gives the login.
///
/// Make the account durable before ([`Client::create`](crate::Client::create)), keep the login afterwards
/// ([`Client::enlisted`](crate::Client::enlisted)). `integrator` and `user` are sent where the profile asks for them.
///
/// # Errors
/// No answer, or a refusal; nothing is asked twice.
pub async fn enlist(
    http: &impl HttpClient,
    profile: &Profile,
    keys: &PublicKeys,
    integrator: u16,
    user: &str,
    token: &str,
) -> Result<Jid, EnlistmentError> {
    let prekey = SignedPrekey::new(keys.signed.id, keys.signed.key, keys.signed.signature)?;
    let request = EnlistRequest::new(keys.noise, keys.registration_id, keys.identity, prekey, token)?;
    let request = request.with_identity(integrator, user)?;
    match wa_enlist::enlist(http, &request, profile).await? {
        EnlistAnswer::Login(login) => Ok(login),
        EnlistAnswer::Refused(reason) => Err(EnlistmentError::Refused(reason)),
    }
}
