//! The program's own server in this process, put together from settings by the program's own code.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use wa_interop::integrator::{KeyKeeper, KeyRules, SqliteStore};
use wa_interop::profile::Profile;

use crate::report::failure::Failure;
use crate::target::serving::Serving;

/// Where it is and what it announces.
pub(crate) struct Running {
    pub(crate) address: String,
    pub(crate) token: String,
    pub(crate) serving: Serving,
}

/// What it is told.
#[cfg_attr(not(feature = "own-stack"), expect(dead_code, reason = "there is no server to set up"))]
pub(crate) struct Settings<'a> {
    pub(crate) data: &'a Path,
    pub(crate) base_url: &'a str,
    pub(crate) whatsapp_jwks: &'a str,
    pub(crate) webhook: &'a str,
    pub(crate) profile: &'a Profile,
    /// A certificate and its key, in files with PEM.
    pub(crate) tls: Option<(PathBuf, PathBuf)>,
}

/// Starts it; it ends with what comes back.
#[cfg(feature = "own-stack")]
pub(crate) async fn start(settings: Settings<'_>) -> Result<Running, Failure> {
    use wa_http_server::{ConnectionLimits, Server, Tls, TlsFiles};
    use wa_integrator_server::run::Assembly;

    let Settings { data, base_url, whatsapp_jwks, webhook, profile, tls } = settings;
    // A check may ask for its user's tokens as fast as it can.
    let file = format!(
        "[store]\ndata_dir = {}\n[keys]\nrefresh = 1\n[tokens]\na_minute = {}\n\
         [push]\nwebhook = {}\nwhatsapp_jwks_url = {}\nallow_private = true\nkey_cooldown = 1\n",
        quoted(&data.display().to_string()),
        u32::MAX,
        quoted(webhook),
        quoted(whatsapp_jwks),
    );
    let settings = wa_integrator_server::Settings::from_toml(&file, "conformance.toml".as_ref())?;
    let settings = settings.with_profile(profile.clone());
    let mut server = Server::bind(([127, 0, 0, 1], 0).into(), ConnectionLimits::default()).await?;
    if let Some((certificate, key)) = tls {
        server = server.with_tls(Tls::open(TlsFiles { certificate, key })?);
    }
    let assembly = Assembly::open(&settings, base_url.parse()?).await?;
    let integrator = assembly.integrator();
    let (address, token) = (server.address().to_string(), integrator.token_url());
    Ok(Running { address, token, serving: Serving::new(assembly.serve(server)) })
}

/// There is no such server in this program.
#[cfg(not(feature = "own-stack"))]
#[expect(clippy::unused_async, reason = "as where there is one")]
pub(crate) async fn start(_: Settings<'_>) -> Result<Running, Failure> {
    Err(Failure::new("this was built without own-stack: name the programs"))
}

/// A text in TOML.
#[cfg(feature = "own-stack")]
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// A keeper of the keys in this data directory, as the command line has one.
pub(crate) fn keeper(data: &Path, profile: &Profile) -> Result<KeyKeeper, Failure> {
    let rules = &profile.token;
    let store = SqliteStore::open(&data.join("store.sqlite"))?;
    Ok(KeyKeeper::new(Arc::new(store), KeyRules::new(rules.peer_refresh_max, rules.lifetime_max)))
}
