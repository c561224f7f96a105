//! `wa-integrator config`: the settings themselves.

use std::io::{self, Write as _};

use wa_integrator::{BaseUrl, Clock, TokenIssuer, Webhook};

use crate::{
    background::{backend, key_client},
    cli::{self, StartError},
    engines,
    settings::{Recognition, Settings},
};

/// Says what is wrong with the settings that can be known without opening anything, or that nothing is.
pub(crate) fn check(settings: &Settings) -> Result<(), StartError> {
    if let Some(name) = cli::unknown_variables().into_iter().next() {
        return Err(StartError::Environment { name });
    }
    examine(settings)?;
    let mut stdout = io::stdout().lock();
    let written = writeln!(stdout, "the settings are sound").and_then(|()| stdout.flush());
    written.map_err(|error| StartError::Stdout { kind: error.kind() })
}

/// What would keep the server from starting with these settings.
pub(crate) fn examine(settings: &Settings) -> Result<(), StartError> {
    let profile = settings.profile();
    settings.keys.master_key()?;
    settings.tls.files()?;
    if let Recognition::Oidc { jwks_url, .. } = settings.tokens.recognition()? {
        key_client(&jwks_url, settings)?;
    }
    if settings.push.has_sink() {
        key_client(&settings.push.whatsapp_jwks_url(&profile), settings)?;
    }
    if let Some(webhook) = &settings.push.webhook {
        Webhook::new(backend(), webhook.clone(), [0; 32], Clock::system())?;
    }
    engines::check(settings)?;
    let address = settings.listen.address();
    let base_url = match &settings.listen.base_url {
        Some(base_url) => base_url.clone(),
        None => BaseUrl::of_loopback(address).map_err(|_| StartError::BaseUrlMissing { address })?,
    };
    TokenIssuer::new(base_url, &profile.token, settings.tokens.lifetime(&profile.token))?;
    Ok(())
}
