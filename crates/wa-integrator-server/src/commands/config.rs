//! `wa-integrator config`: the settings themselves.

use wa_integrator::{BaseUrl, Clock, TokenIssuer, Webhook};

use super::print;
use crate::cli;
use crate::error::StartError;
use crate::run::{self, backend, key_client};
use crate::settings::{Recognition, Settings};

/// Says what is wrong with the settings that can be known without opening anything, or that nothing is.
pub(crate) fn check(settings: &Settings) -> Result<(), StartError> {
    if let Some(name) = cli::unknown_variables().into_iter().next() {
        return Err(StartError::Environment { name });
    }
    examine(settings)?;
    print(["the settings are sound"])
}

/// What would keep the server from starting with these settings.
pub(crate) fn examine(settings: &Settings) -> Result<(), StartError> {
    let (profile, trust) = (settings.profile(), settings.trust.trust()?);
    settings.keys.master_keys()?;
    settings.tokens.other_secret()?;
    settings.tls.files()?;
    if let Recognition::Oidc { jwks_url, .. } = settings.tokens.recognition()? {
        key_client(&jwks_url, settings)?;
    }
    if settings.push.has_sink() {
        key_client(&settings.push.whatsapp_jwks_url(&profile), settings)?;
    }
    if let Some(webhook) = &settings.push.webhook {
        Webhook::new(backend(&trust), webhook.clone(), [0; 32], Clock::system(), &trust)?;
    }
    run::check(settings, &trust)?;
    let address = settings.listen.address();
    let base_url = match &settings.listen.base_url {
        Some(base_url) => base_url.clone(),
        None => BaseUrl::from_loopback(address).map_err(|_| StartError::BaseUrlMissing { address })?,
    };
    settings.push.rules(&profile, &base_url)?;
    TokenIssuer::new(base_url, &profile.token, settings.tokens.lifetime(&profile.token))?;
    Ok(())
}
