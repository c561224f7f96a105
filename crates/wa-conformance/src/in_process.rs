//! An integrator in this process, put together as its program does it.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use wa_interop::http::{HyperClient, Limits, PlainHttp};
use wa_interop::integrator::{
    BaseUrl, Blobs, Clock, ConnectionLimits, DataDirectory, DeliveryRules, Integrator, KeyCache,
    KeyCacheRules, KeyKeeper, KeyRules, MediaHost, MediaIndex, MediaRules, Outbox, Push, PushRules, Server,
    SharedSecret, SqliteStore, TokenIssuer, Webhook,
};
use wa_interop::profile::Profile;

use crate::failure::Failure;

/// Where it is and what it announces.
pub(crate) struct Running {
    pub(crate) address: String,
    pub(crate) jwks: String,
    pub(crate) token: String,
    pub(crate) push: String,
}

/// What it is told.
pub(crate) struct Settings<'a> {
    pub(crate) data: &'a Path,
    pub(crate) base_url: &'a str,
    pub(crate) whatsapp_jwks: &'a str,
    pub(crate) webhook: &'a str,
    pub(crate) profile: &'a Profile,
}

/// Starts it; it ends with the runtime.
pub(crate) async fn start(settings: Settings<'_>) -> Result<Running, Failure> {
    let (profile, clock) = (settings.profile, Clock::system());
    let directory = DataDirectory::open(settings.data)?;
    let store = Arc::new(SqliteStore::open(&DataDirectory::store_path(settings.data))?);
    let secret = directory.shared_secret(None, &mut rand::rng())?;
    let keeper = keeper(settings.data, profile)?;
    if let Some(key) = directory.signing_key()? {
        keeper.adopt(key, clock.now()).await?;
    }
    let http = || HyperClient::new(Limits::default()).with_plain_http(PlainHttp::Http1);
    let webhook = Webhook::new(http(), settings.webhook.parse()?, *secret, clock.clone())?;
    let outbox = Outbox::new(Arc::clone(&store), vec![Arc::new(webhook)], DeliveryRules::default());
    let rules = KeyCacheRules::default().with_cooldown(Duration::from_secs(1));
    let whatsapp = Arc::new(KeyCache::new(http(), settings.whatsapp_jwks.parse()?, rules));
    let base_url: BaseUrl = settings.base_url.parse()?;
    let chars_max = profile.token.user_identifier_chars_max;
    let rules = PushRules::new(&profile.push, &base_url, chars_max);
    let push = Push::new(Arc::clone(&store), outbox.clone(), whatsapp, rules, clock.clone());
    let issuer = TokenIssuer::new(base_url, &profile.token, profile.token.lifetime_max)?;
    let authenticator = SharedSecret::new(*secret, chars_max);
    let service = Integrator::new(issuer, keeper.keys(), authenticator, clock.clone());
    let blobs = Blobs::local(&settings.data.join("media"))?;
    let index = MediaIndex::open(&settings.data.join("media.sqlite"))?;
    let media = MediaHost::new(blobs, index, MediaRules::new(&profile.media), clock.clone());
    // A check may ask for its user's tokens as fast as it can.
    let service = service.with_tokens_a_minute(std::num::NonZeroU32::MAX);
    let service = service.with_push(push).with_users(store).with_media(media);

    let server = Server::bind(([127, 0, 0, 1], 0).into(), ConnectionLimits::default()).await?;
    let running = Running {
        address: server.address().to_string(),
        jwks: service.jwks_url(),
        token: service.token_url(),
        push: service.push_url().unwrap_or_default(),
    };
    let delivering = clock.clone();
    tokio::spawn(async move { outbox.run(delivering).await });
    tokio::spawn(async move { keeper.run(clock, Duration::from_secs(1)).await });
    tokio::spawn(async move {
        server.run(service, std::future::pending()).await;
        drop(directory);
    });
    Ok(running)
}

/// A keeper of the keys in this data directory, as the command line has one.
pub(crate) fn keeper(data: &Path, profile: &Profile) -> Result<KeyKeeper<SqliteStore>, Failure> {
    let rules = &profile.token;
    let store = SqliteStore::open(&DataDirectory::store_path(data))?;
    Ok(KeyKeeper::new(store, KeyRules::new(rules.peer_refresh_max, rules.lifetime_max)))
}
