//! `wa-integrator keys`: the signing keys from the command line, also while a server uses them.

use std::io::{self, Write as _};

use wa_integrator::{Clock, DataDirectory, KeyEntry, KeyKeeper, KeySet, SigningKey};

use crate::{
    cli::{KeyCommand, StartError},
    engines,
    settings::Settings,
};

/// Does one command. A running server sees the change when it reads the keys next.
pub(crate) async fn run(command: &KeyCommand, settings: &Settings) -> Result<(), StartError> {
    let rules = settings.profile().token;
    let store = engines::store(&settings.store).await?;
    let mut keeper = KeyKeeper::new(store, settings.keys.rules(&rules));
    if let Some(master_key) = settings.keys.master_key()? {
        keeper = keeper.with_master_key(master_key);
    }
    let now = Clock::system().now();
    match command {
        KeyCommand::List { json } => return list(&keeper.list().await?, *json),
        KeyCommand::ExportPublic => return export(&keeper.list().await?),
        KeyCommand::Rotate => keeper.rotate(now).await?,
        KeyCommand::Revoke { kid } => keeper.revoke(kid, now).await?,
        KeyCommand::Import { file } => {
            let pem = DataDirectory::private_file(file)?;
            let key = SigningKey::from_pem(&pem).map_err(wa_integrator::IntegratorError::from)?;
            keeper.import(key, now).await?;
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
        format!("{kid}  {state:<8}  since {}  may sign from {}", entry.since, entry.ripe_at)
    };
    print(&entries.iter().map(line).collect::<Vec<_>>())
}

fn export(entries: &[KeyEntry]) -> Result<(), StartError> {
    let published = entries.iter().filter(|entry| entry.is_published());
    let keys: Vec<_> = published.map(|entry| entry.public_key.clone()).collect();
    print(&[String::from_utf8_lossy(&KeySet::new(&keys).body()).into_owned()])
}

fn print(lines: &[String]) -> Result<(), StartError> {
    let mut stdout = io::stdout().lock();
    let written = lines.iter().try_for_each(|line| writeln!(stdout, "{line}"));
    written.and_then(|()| stdout.flush()).map_err(|error| StartError::Stdout { kind: error.kind() })
}
