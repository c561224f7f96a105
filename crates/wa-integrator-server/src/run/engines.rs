//! Where the program keeps what it must not forget, as the settings say (overview §1.3; RO 1.0.3).

use std::path::Path;
use std::sync::Arc;

use wa_integrator::{
    Blobs, ClientTrust, Clock, MediaHost, MediaStore, Opening, PushSink, SqliteMedia, SqliteStore, Store,
    StoreError, Webhook,
};
use wa_profile::Profile;

use super::clients::backend;
use crate::data_directory::DataDirectory;
use crate::error::StartError;
use crate::settings::Settings;

/// What holds the state: one value for everything but hosted media, and the index of that.
#[derive(Clone)]
pub(crate) struct Engines {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) media: Arc<dyn MediaStore>,
}

/// Says what is wrong with the settings of the store and of media, without opening anything.
///
/// # Errors
/// [`StartError`].
pub(crate) fn check(settings: &Settings, trust: &ClientTrust) -> Result<(), StartError> {
    #[cfg(feature = "s3")]
    settings.media.bucket(trust)?;
    if !settings.store.is_shared() {
        return Ok(());
    }
    // What one server keeps beside itself another could not know.
    if settings.tokens.shared_secret_file().is_none() {
        return Err(StartError::Unshared { name: "tokens.shared_secret_file" });
    }
    if settings.media.directory.is_none() && !settings.media.is_bucket() {
        return Err(StartError::Unshared { name: "media.directory or media.s3_bucket" });
    }
    #[cfg(feature = "postgres")]
    settings.store.postgres(trust)?;
    #[cfg(not(any(feature = "postgres", feature = "s3")))]
    let _ = trust;
    Ok(())
}

/// Opens the store alone.
///
/// # Errors
/// [`StartError`].
pub(crate) async fn store(settings: &Settings, opening: Opening) -> Result<Arc<dyn Store>, StartError> {
    #[cfg(feature = "postgres")]
    if settings.store.is_shared() {
        return Ok(database(settings, opening).await?.store);
    }
    if settings.store.is_shared() {
        return Err(StartError::NotBuilt { name: "postgresql" });
    }
    let directory = directory(settings, opening)?;
    let path = DataDirectory::store_path(directory);
    Ok(Arc::new(SqliteStore::open_as(&path, opening).map_err(|error| absent(error, &path))?))
}

/// Opens the store and the index of media.
///
/// # Errors
/// [`StartError`].
pub(crate) async fn stored_media(settings: &Settings, opening: Opening) -> Result<Engines, StartError> {
    #[cfg(feature = "postgres")]
    if settings.store.is_shared() {
        return database(settings, opening).await;
    }
    let store = store(settings, opening).await?;
    let path = DataDirectory::media_path(directory(settings, opening)?);
    let media = SqliteMedia::open_as(&path, opening).map_err(|error| absent(error, &path))?;
    Ok(Engines { store, media: Arc::new(media) })
}

#[cfg(feature = "postgres")]
async fn database(settings: &Settings, opening: Opening) -> Result<Engines, StartError> {
    let address = settings.store.postgres(&settings.trust.trust()?)?;
    let address = address.ok_or(StartError::Missing { name: "store.postgres" })?;
    let store = Arc::new(wa_integrator::PostgresStore::connect_as(&address, opening).await?);
    Ok(Engines { store: Arc::clone(&store) as Arc<dyn Store>, media: store })
}

fn directory(settings: &Settings, opening: Opening) -> Result<&Path, StartError> {
    let directory = settings.store.data_dir();
    if opening != Opening::Existing {
        DataDirectory::make(directory)?;
    }
    Ok(directory)
}

fn absent(error: StoreError, path: &Path) -> StartError {
    match error {
        StoreError::Absent { .. } => StartError::NoStore { path: path.to_owned() },
        error => error.into(),
    }
}

/// Where wake-ups go; nowhere without a setting.
///
/// # Errors
/// [`StartError`].
pub(crate) async fn sinks(
    settings: &Settings,
    secrets: (&[u8; 32], Option<&[u8; 32]>),
    clock: &Clock,
) -> Result<Vec<Arc<dyn PushSink>>, StartError> {
    let (push, trust) = (&settings.push, settings.trust.trust()?);
    let mut sinks: Vec<Arc<dyn PushSink>> = Vec::new();
    if let Some(url) = &push.webhook {
        let client = backend(&trust);
        let mut webhook = Webhook::new(client, url.clone(), *secrets.0, clock.clone(), &trust)?;
        webhook = webhook.with_format(push.webhook_format);
        if let Some(also) = secrets.1 {
            webhook = webhook.with_other_secret(*also);
        }
        sinks.push(Arc::new(webhook));
    }
    #[cfg(feature = "nats")]
    if let Some(nats) = push.nats(&trust).await? {
        sinks.push(Arc::new(nats));
    }
    #[cfg(not(feature = "nats"))]
    if push.is_nats() {
        return Err(StartError::NotBuilt { name: "nats" });
    }
    Ok(sinks)
}

/// What hosts media.
///
/// # Errors
/// [`StartError`].
pub(crate) fn media_host(
    settings: &Settings,
    index: Arc<dyn MediaStore>,
    profile: &Profile,
    clock: Clock,
    opening: Opening,
) -> Result<MediaHost, StartError> {
    let blobs = blobs(settings, opening)?;
    Ok(MediaHost::new(blobs, index, settings.media.rules(profile), clock))
}

fn blobs(settings: &Settings, opening: Opening) -> Result<Blobs, StartError> {
    if settings.media.is_bucket() {
        return bucket(settings);
    }
    let beside = || settings.store.data_dir().join("media");
    let directory = settings.media.directory.clone().unwrap_or_else(beside);
    Ok(match opening {
        Opening::Existing => Blobs::existing(&directory)?,
        Opening::Serve | Opening::Upgrade => Blobs::local(&directory)?,
    })
}

#[cfg(feature = "s3")]
fn bucket(settings: &Settings) -> Result<Blobs, StartError> {
    let bucket = settings.media.bucket(&settings.trust.trust()?)?;
    Ok(Blobs::in_bucket(&bucket.ok_or(StartError::Missing { name: "media.s3_bucket" })?)?)
}

#[cfg(not(feature = "s3"))]
fn bucket(_: &Settings) -> Result<Blobs, StartError> {
    Err(StartError::NotBuilt { name: "s3" })
}
