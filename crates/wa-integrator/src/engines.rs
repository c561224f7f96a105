//! Where the program keeps what it must not forget, as the settings say (seed §1.3; RO 1.0.3).

use std::{path::Path, sync::Arc};

use wa_integrator::{
    Blobs, BuiltInStore, Clock, DataDirectory, MediaHost, MediaIndex, PushSink, SqliteStore, Webhook,
};
use wa_profile::Profile;

use crate::{
    background::backend,
    cli::StartError,
    settings::{PushSettings, Settings, StoreSettings},
};

/// Says what is wrong with the settings of the store and of media, without opening anything.
///
/// # Errors
/// [`StartError`].
pub(crate) fn check(settings: &Settings) -> Result<(), StartError> {
    #[cfg(feature = "s3")]
    settings.media.bucket()?;
    if !settings.store.is_shared() {
        return Ok(());
    }
    // What one server keeps beside itself another could not know.
    if settings.tokens.shared_secret_file().is_none() {
        return Err(StartError::Unshared { name: "shared-secret-file" });
    }
    if settings.media.directory().is_none() && !settings.media.is_bucket() {
        return Err(StartError::Unshared { name: "media-directory or --s3-bucket" });
    }
    #[cfg(feature = "postgres")]
    settings.store.postgres()?;
    Ok(())
}

/// Opens the store.
///
/// # Errors
/// [`StartError`].
pub(crate) async fn store(settings: &StoreSettings) -> Result<BuiltInStore, StartError> {
    if settings.is_shared() {
        return database(settings).await;
    }
    DataDirectory::make(settings.data_dir())?;
    let store = SqliteStore::open(&DataDirectory::store_path(settings.data_dir()))?;
    Ok(BuiltInStore::Sqlite(store))
}

#[cfg(feature = "postgres")]
async fn database(settings: &StoreSettings) -> Result<BuiltInStore, StartError> {
    let address = settings.postgres()?.ok_or(StartError::Missing { name: "postgres" })?;
    let store = wa_integrator::PostgresStore::connect(&address).await?;
    Ok(BuiltInStore::Postgres(store))
}

#[cfg(not(feature = "postgres"))]
async fn database(_: &StoreSettings) -> Result<BuiltInStore, StartError> {
    Err(StartError::NotBuilt { name: "postgresql" })
}

/// Where wake-ups go; nowhere without a setting.
///
/// # Errors
/// [`StartError`].
pub(crate) async fn sinks(
    settings: &PushSettings,
    secret: [u8; 32],
    clock: &Clock,
) -> Result<Vec<Arc<dyn PushSink>>, StartError> {
    let mut sinks: Vec<Arc<dyn PushSink>> = Vec::new();
    if let Some(webhook) = &settings.webhook {
        sinks.push(Arc::new(Webhook::new(backend(), webhook.clone(), secret, clock.clone())?));
    }
    #[cfg(feature = "nats")]
    if let Some(nats) = settings.nats().await? {
        sinks.push(Arc::new(nats));
    }
    #[cfg(not(feature = "nats"))]
    if settings.is_nats() {
        return Err(StartError::NotBuilt { name: "nats" });
    }
    Ok(sinks)
}

/// What hosts media, indexed where the store is.
///
/// # Errors
/// [`StartError`].
pub(crate) fn media(
    settings: &Settings,
    store: &BuiltInStore,
    profile: &Profile,
    clock: Clock,
) -> Result<MediaHost, StartError> {
    let directory = settings.store.data_dir();
    let blobs = blobs(settings, directory)?;
    let index = match store {
        #[cfg(feature = "postgres")]
        BuiltInStore::Postgres(store) => MediaIndex::in_postgres(store),
        _ => {
            DataDirectory::make(directory)?;
            MediaIndex::open(&directory.join("media.sqlite"))?
        }
    };
    Ok(MediaHost::new(blobs, index, settings.media.rules(profile), clock))
}

fn blobs(settings: &Settings, directory: &Path) -> Result<Blobs, StartError> {
    if settings.media.is_bucket() {
        return bucket(settings);
    }
    let directory = settings.media.directory().map_or_else(|| directory.join("media"), Path::to_owned);
    Ok(Blobs::local(&directory)?)
}

#[cfg(feature = "s3")]
fn bucket(settings: &Settings) -> Result<Blobs, StartError> {
    let bucket = settings.media.bucket()?.ok_or(StartError::Missing { name: "s3-bucket" })?;
    Ok(Blobs::in_bucket(&bucket)?)
}

#[cfg(not(feature = "s3"))]
fn bucket(_: &Settings) -> Result<Blobs, StartError> {
    Err(StartError::NotBuilt { name: "s3" })
}
