//! `wa-integrator store`: made, brought to this version, or from one machine's files to a database (overview §1.3).

use wa_integrator::Opening;

use super::print;
use crate::cli::StoreCommand;
use crate::error::StartError;
use crate::run;
use crate::settings::Settings;

/// Does one command.
pub(super) async fn run(command: &StoreCommand, settings: &Settings) -> Result<(), StartError> {
    match command {
        StoreCommand::Migrate => migrate(settings).await,
        StoreCommand::Upgrade => {
            run::stored_media(settings, Opening::Upgrade).await?;
            print(["the store is as this program wants it"])
        }
    }
}

/// Copies the data directory's store and media index into the database.
#[cfg(feature = "postgres")]
async fn migrate(settings: &Settings) -> Result<(), StartError> {
    use wa_integrator::PostgresStore;

    use crate::data_directory::DataDirectory;

    let address = settings.store.postgres(&settings.trust.trust()?)?;
    let address = address.ok_or(StartError::Needed { name: "store.postgres" })?;
    let directory = settings.store.data_dir();
    let store = DataDirectory::store_path(directory);
    if !store.exists() {
        return Err(StartError::NoStore { path: store });
    }
    // No server writes as long as this holds it.
    let _lock = DataDirectory::open(directory)?;
    let media = DataDirectory::media_path(directory);
    let target = PostgresStore::connect_as(&address, Opening::Upgrade).await?;
    let imported = target.import(&store, media.exists().then_some(media.as_path())).await?;
    let line = serde_json::json!({
        "keys": imported.keys,
        "users": imported.users,
        "wake_ups": imported.wake_ups,
        "dead_letters": imported.dead_letters,
        "media": imported.media,
    });
    print([line.to_string()])
}

/// There is nowhere to copy to.
#[cfg(not(feature = "postgres"))]
#[expect(clippy::unused_async, reason = "as where there is a database")]
async fn migrate(_: &Settings) -> Result<(), StartError> {
    Err(StartError::NotBuilt { name: "postgresql" })
}
