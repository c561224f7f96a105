//! The server as the program runs it: everything put together from the arguments.

use std::{
    io::{self, Write as _},
    sync::Arc,
};

use tokio::task::JoinSet;
use wa_http::HyperClient;
use wa_integrator::{BuiltIn, BuiltInStore, Clock, DataDirectory, Integrator, KeyKeeper, TokenIssuer};
use wa_profile::Profile;

use crate::{
    background::Background,
    cli::{self, StartError},
    engines,
    listening::Listening,
    settings::Settings,
    signals::Signals,
};

/// Serves until the program is asked to end.
pub(crate) async fn serve(settings: &Settings) -> Result<(), StartError> {
    for name in cli::unknown_variables() {
        tracing::warn!(name, "a variable of the environment is no setting");
    }
    let (profile, clock) = (settings.profile(), Clock::system());
    let directory = DataDirectory::open(settings.store.data_dir())?;
    engines::check(settings)?;
    let store = Arc::new(engines::store(&settings.store).await?);
    let keeper = keeper(&directory, &store, settings, &profile, &clock).await?;
    let secret = directory.shared_secret(settings.tokens.shared_secret_file(), &mut rand::rng())?;

    let listening = Listening::open(settings).await?;
    let base_url = match &settings.listen.base_url {
        Some(base_url) => base_url.clone(),
        None => listening.base_url()?,
    };
    let mut background = Background(JoinSet::new(), Vec::new());
    let issuer =
        TokenIssuer::new(base_url.clone(), &profile.token, settings.tokens.lifetime(&profile.token))?;
    let authenticator = background.authenticator(settings, &profile, *secret, &clock)?;
    let mut integrator = Integrator::new(issuer, keeper.keys(), authenticator, clock.clone())
        .with_tokens_a_minute(settings.tokens.a_minute())
        .with_users(Arc::clone(&store))
        .with_health(background.health(&store))
        .with_media(background.media(settings, &store, &profile, &clock).await?);
    if settings.push.has_sink() {
        let (sinks, store) = (engines::sinks(&settings.push, *secret, &clock).await?, Arc::clone(&store));
        integrator =
            integrator.with_push(background.push(settings, &profile, &base_url, store, sinks, &clock)?);
    }
    background.vitals(&store, &clock);
    let interval = settings.keys.refresh();
    background.0.spawn(async move { keeper.run(clock, interval).await });

    let signals = Signals::listen()?;
    let readiness = background.readiness(&integrator, listening.drain());
    let (address, admin) = (listening.url(), listening.admin_url());
    tracing::info!(%address, %base_url, "serving");
    announce(&address, admin.as_deref(), &integrator)
        .map_err(|error| StartError::Stdout { kind: error.kind() })?;
    listening.serve(integrator, readiness, signals, settings).await;
    background.0.shutdown().await;
    tracing::info!("stopped");
    Ok(())
}

async fn keeper(
    directory: &DataDirectory,
    store: &Arc<BuiltInStore>,
    settings: &Settings,
    profile: &Profile,
    clock: &Clock,
) -> Result<KeyKeeper<Arc<BuiltInStore>>, StartError> {
    let mut keeper = KeyKeeper::new(Arc::clone(store), settings.keys.rules(&profile.token));
    if let Some(master_key) = settings.keys.master_key()? {
        keeper = keeper.with_master_key(master_key);
    }
    let now = clock.now();
    if let Some(key) = directory.signing_key()? {
        keeper.adopt(key, now).await?;
        directory.remove_signing_key()?;
    }
    keeper.refresh(now).await?;
    Ok(keeper)
}

/// The one line on standard output, which says that requests are answered from now on and where.
fn announce(
    address: &str,
    admin: Option<&str>,
    integrator: &Integrator<BuiltIn<HyperClient>>,
) -> io::Result<()> {
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
