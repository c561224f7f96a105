//! The enlistment's exchange (overview §1.2).

use wa_http::HttpClient;
use wa_profile::Profile;

use crate::{EnlistAnswer, EnlistError, EnlistRequest};

/// Sends the request once and reads the answer.
///
/// Nothing is tried again: [`EnlistError::is_retryable`] says what a caller may, with its own pauses. A
/// decision, either way, is final.
///
/// # Errors
/// [`EnlistError`]: the request is not one in this profile, there is no response, or it is no answer.
pub async fn enlist(
    client: &impl HttpClient,
    request: &EnlistRequest,
    profile: &Profile,
) -> Result<EnlistAnswer, EnlistError> {
    let response = client.send(request.to_http(profile)?).await?;
    EnlistAnswer::from_http(&response)
}
