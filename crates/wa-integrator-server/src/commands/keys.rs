//! `wa-integrator keys`: the signing keys from the command line, also while a server uses them.

use std::sync::Arc;

use wa_integrator::{Clock, KeyEntry, KeyKeeper, KeySet, Opening, SigningKey, date, private_file};

use super::print;
use crate::cli::KeyCommand;
use crate::error::StartError;
use crate::run;
use crate::settings::Settings;

/// A keeper of the keys of a store that is there, as the command line has one.
///
/// # Errors
/// [`StartError`].
pub async fn key_keeper(settings: &Settings) -> Result<KeyKeeper, StartError> {
    let store = run::store(settings, Opening::Existing).await?;
    settings.keys.keeper(store as Arc<_>, &settings.profile().token)
}

/// Does one command. A running server sees the change when it reads the keys next.
pub(super) async fn run(command: &KeyCommand, settings: &Settings) -> Result<(), StartError> {
    let keeper = key_keeper(settings).await?;
    let now = Clock::system().now();
    match command {
        KeyCommand::List { json } => return list(&keeper.list().await?, *json),
        KeyCommand::ExportPublic => return export(&keeper.list().await?),
        KeyCommand::Rotate => keeper.rotate(now).await?,
        KeyCommand::Revoke { kid } => keeper.revoke(kid, now).await?,
        KeyCommand::Import { file } => {
            keeper.import(SigningKey::from_pem(&private_file::read_existing(file)?)?, now).await?;
        }
    }
    list(&keeper.list().await?, false)
}

fn list(entries: &[KeyEntry], json: bool) -> Result<(), StartError> {
    let line = |entry: &KeyEntry| {
        let (kid, state) = (entry.public_key.kid(), entry.state.name());
        if json {
            let KeyEntry { published_at, ripe_at, since, .. } = entry;
            return serde_json::json!({
                "kid": kid, "state": state, "published_at": published_at, "ripe_at": ripe_at, "since": since,
            })
            .to_string();
        }
        format!("{kid}  {state:<8}  since {}  may sign from {}", date(entry.since), date(entry.ripe_at))
    };
    print(entries.iter().map(line))
}

fn export(entries: &[KeyEntry]) -> Result<(), StartError> {
    let published = entries.iter().filter(|entry| entry.is_published());
    let keys: Vec<_> = published.map(|entry| entry.public_key.clone()).collect();
    print([String::from_utf8_lossy(&KeySet::new(&keys).body())])
}
