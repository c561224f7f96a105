//! The server as the program runs it: from its settings to its end.

use std::io::{self, Write as _};

use wa_integrator::{BaseUrl, Integrator};

use super::assembly::{Assembly, Beside, Parts};
use super::listening::Listening;
use super::signals::Signals;
use crate::cli;
use crate::error::StartError;
use crate::settings::Settings;

/// Serves until the program is asked to end.
pub(crate) async fn serve(settings: &Settings) -> Result<(), StartError> {
    for name in cli::unknown_variables() {
        tracing::warn!(name, "a variable of the environment is no setting");
    }
    // From now on, so that a stop during the start is one.
    let mut signals = Signals::listen()?;
    let begun = tokio::select! {
        begun = begin(settings) => begun?,
        () = signals.stop.asked() => return Ok(()),
    };
    let (listening, parts, beside, base_url) = begun;
    let (address, admin) = (listening.url(), listening.admin_url());
    tracing::info!(%address, %base_url, "serving");
    announce(&address, admin.as_deref(), &parts.integrator).map_err(StartError::stdout)?;
    let mut beside = beside;
    listening.serve(parts, signals, settings).await;
    beside.shutdown().await;
    tracing::info!("stopped");
    Ok(())
}

async fn begin(settings: &Settings) -> Result<(Listening, Parts, Beside, BaseUrl), StartError> {
    let listening = Listening::open(settings).await?;
    let base_url = match &settings.listen.base_url {
        Some(base_url) => base_url.clone(),
        None => listening.base_url()?,
    };
    let mut parts = Assembly::open(settings, base_url.clone()).await?.into_parts();
    let health = parts.beside.health();
    let beside = std::mem::replace(&mut parts.beside, super::supervised::Supervised::new()).begin();
    Ok((listening.with_health(health), parts, beside, base_url))
}

/// The one line on standard output, which says that requests are answered from now on and where.
fn announce(address: &str, admin: Option<&str>, integrator: &Integrator) -> io::Result<()> {
    let line = serde_json::json!({
        "ready": true,
        "address": address,
        "admin": admin,
        "jwks": integrator.jwks_url(),
        "token": integrator.token_url(),
        "push": integrator.push_url(),
        "media": integrator.media_url(),
    });
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{line}")?;
    stdout.flush()
}
