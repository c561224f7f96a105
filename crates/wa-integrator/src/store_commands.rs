//! `wa-integrator store`: from one machine's files to a database (seed §1.3).

use crate::{cli::StartError, settings::Settings};

/// Copies the data directory's store and media index into the database.
#[cfg(feature = "postgres")]
pub(crate) async fn migrate(settings: &Settings) -> Result<(), StartError> {
    use std::io::{self, Write as _};

    use wa_integrator::{DataDirectory, PostgresStore};

    let address = settings.store.postgres()?.ok_or(StartError::Needed { name: "postgres" })?;
    let directory = settings.store.data_dir();
    let store = DataDirectory::store_path(directory);
    if !store.exists() {
        return Err(StartError::NoStore { path: store });
    }
    // No server writes as long as this holds it.
    let _lock = DataDirectory::open(directory)?;
    let media = directory.join("media.sqlite");
    let target = PostgresStore::connect(&address).await?;
    let imported = target.import(&store, media.exists().then_some(media.as_path())).await?;
    let line = serde_json::json!({
        "keys": imported.keys,
        "users": imported.users,
        "wake_ups": imported.wake_ups,
        "dead_letters": imported.dead_letters,
        "media": imported.media,
    });
    let mut stdout = io::stdout().lock();
    let written = writeln!(stdout, "{line}").and_then(|()| stdout.flush());
    written.map_err(|error| StartError::Stdout { kind: error.kind() })
}

/// There is nowhere to copy to.
#[cfg(not(feature = "postgres"))]
#[expect(clippy::unused_async, reason = "as where there is a database")]
pub(crate) async fn migrate(_: &Settings) -> Result<(), StartError> {
    Err(StartError::NotBuilt { name: "postgresql" })
}
