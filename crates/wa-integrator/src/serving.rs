//! The server as the program runs it: everything put together from the arguments.

use std::{
    io::{self, Write as _},
    sync::Arc,
    time::Duration,
};

use http::{Uri, uri::Scheme};
use tokio::{signal, task::JoinSet};
use wa_http::{Addresses, HyperClient, Limits, PlainHttp};
use wa_integrator::{
    BaseUrl, BuiltIn, Clock, DataDirectory, DeliveryRules, Integrator, KeyCache, KeyCacheRules, KeyKeeper,
    MediaHost, Oidc, Outbox, Push, PushRules, PushSink, Server, SharedSecret, SqliteStore, TokenIssuer,
    TrustedProxy, Webhook,
};
use wa_profile::Profile;

use crate::cli::{DataArguments, Recognition, ServeArguments, StartError};

/// Serves until the program is asked to end.
pub(crate) async fn serve(arguments: &ServeArguments, data: &DataArguments) -> Result<(), StartError> {
    let (profile, clock) = (Profile::default(), Clock::system());
    let directory = DataDirectory::open(&data.data_dir)?;
    let store = Arc::new(SqliteStore::open(&DataDirectory::store_path(&data.data_dir))?);
    let keeper = keeper(&directory, &store, data, &profile, &clock).await?;
    let secret = directory.shared_secret(arguments.shared_secret_file.as_deref(), &mut rand::rng())?;

    let server = Server::bind(arguments.listen, arguments.limits()).await?;
    let base_url = match &arguments.base_url {
        Some(base_url) => base_url.clone(),
        None => BaseUrl::of_loopback(server.address())
            .map_err(|_| StartError::BaseUrlMissing { address: server.address() })?,
    };
    let mut background = Background(JoinSet::new());
    let issuer = TokenIssuer::new(base_url.clone(), &profile.token, arguments.lifetime())?;
    let authenticator = background.authenticator(arguments, &profile, *secret, &clock)?;
    let mut integrator = Integrator::new(issuer, keeper.keys(), authenticator, clock.clone())
        .with_tokens_a_minute(arguments.tokens_a_minute)
        .with_users(Arc::clone(&store))
        .with_media(background.media(arguments, data, &profile, &clock).await?);
    if let Some(webhook) = &arguments.webhook {
        let webhook = Webhook::new(backend(), webhook.clone(), *secret, clock.clone())?;
        let push = background.push(arguments, &profile, &base_url, store, Arc::new(webhook), &clock)?;
        integrator = integrator.with_push(push);
    }
    let interval = Duration::from_secs(arguments.key_refresh);
    background.0.spawn(async move { keeper.run(clock, interval).await });

    let shutdown = stop_asked()?;
    let address = format!("http://{}", server.address());
    tracing::info!(%address, %base_url, "serving");
    announce(&address, &integrator).map_err(|error| StartError::Stdout { kind: error.kind() })?;
    server.run(integrator, shutdown).await;
    background.0.shutdown().await;
    tracing::info!("stopped");
    Ok(())
}

/// What runs beside the server.
struct Background(JoinSet<()>);

impl Background {
    async fn media(
        &mut self,
        arguments: &ServeArguments,
        data: &DataArguments,
        profile: &Profile,
        clock: &Clock,
    ) -> Result<MediaHost, StartError> {
        let host = arguments.media.host(data, profile, clock).await?;
        self.0.spawn(host.clone().run());
        Ok(host)
    }

    fn authenticator(
        &mut self,
        arguments: &ServeArguments,
        profile: &Profile,
        secret: [u8; 32],
        clock: &Clock,
    ) -> Result<BuiltIn<HyperClient>, StartError> {
        let chars_max = profile.token.user_identifier_chars_max;
        let needed = |value: &Option<String>, name| value.clone().ok_or(StartError::Missing { name });
        Ok(match arguments.authenticator {
            Recognition::SharedSecret => BuiltIn::SharedSecret(SharedSecret::new(secret, chars_max)),
            Recognition::Proxy if arguments.proxy.is_empty() => {
                return Err(StartError::Missing { name: "proxy" });
            }
            Recognition::Proxy => {
                let header = arguments.proxy_header.clone();
                BuiltIn::TrustedProxy(TrustedProxy::new(header, &arguments.proxy, chars_max))
            }
            Recognition::Oidc => {
                let issuer = needed(&arguments.oidc_issuer, "oidc-issuer")?;
                let audience = needed(&arguments.oidc_audience, "oidc-audience")?;
                let url = arguments.oidc_jwks_url.clone();
                let url = url.ok_or(StartError::Missing { name: "oidc-jwks-url" })?;
                let keys = self.keys(url, arguments, clock)?;
                let oidc = Oidc::new(keys, &issuer, &audience, LOGIN_LIFETIME_MAX, chars_max);
                BuiltIn::Oidc(oidc.with_claim(&arguments.oidc_claim))
            }
        })
    }

    fn push(
        &mut self,
        arguments: &ServeArguments,
        profile: &Profile,
        base_url: &BaseUrl,
        store: Arc<SqliteStore>,
        sink: Arc<dyn PushSink>,
        clock: &Clock,
    ) -> Result<Push<Arc<SqliteStore>, HyperClient>, StartError> {
        let profiled = || profile.push.whatsapp_jwks_url.parse().unwrap_or_default();
        let url = arguments.whatsapp_jwks_url.clone().unwrap_or_else(profiled);
        let keys = self.keys(url, arguments, clock)?;
        let outbox = Outbox::new(Arc::clone(&store), vec![sink], DeliveryRules::default());
        let delivering = (outbox.clone(), clock.clone());
        self.0.spawn(async move { delivering.0.run(delivering.1).await });
        let chars_max = profile.token.user_identifier_chars_max;
        let mut rules =
            PushRules::new(&profile.push, base_url, chars_max).with_strangers(arguments.strangers.into());
        rules.per_user_a_minute = arguments.pushes_a_minute;
        if let Some(path) = &arguments.push_path {
            rules.path.clone_from(path);
        }
        Ok(Push::new(store, outbox, keys, rules, clock.clone()))
    }

    /// Somebody's keys, fetched in the background.
    fn keys(
        &mut self,
        url: Uri,
        arguments: &ServeArguments,
        clock: &Clock,
    ) -> Result<Arc<KeyCache<HyperClient>>, StartError> {
        let client = HyperClient::new(Limits::default());
        let client = match (arguments.allow_private, url.scheme()) {
            (true, Some(_)) => client.with_plain_http(PlainHttp::Http1),
            (false, Some(scheme)) if *scheme == Scheme::HTTPS => client.with_addresses(Addresses::Public),
            _ => return Err(StartError::KeyUrl { url }),
        };
        let rules = KeyCacheRules::default().with_cooldown(Duration::from_secs(arguments.key_cooldown));
        let keys = Arc::new(KeyCache::new(client, url, rules));
        let (renewing, clock) = (Arc::clone(&keys), clock.clone());
        self.0.spawn(async move { renewing.run(clock).await });
        Ok(keys)
    }
}

/// How long a token of an identity provider may live.
const LOGIN_LIFETIME_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// The service's backend is on the same network, perhaps the same host.
fn backend() -> HyperClient {
    HyperClient::new(Limits::default()).with_plain_http(PlainHttp::Http1)
}

async fn keeper(
    directory: &DataDirectory,
    store: &Arc<SqliteStore>,
    data: &DataArguments,
    profile: &Profile,
    clock: &Clock,
) -> Result<KeyKeeper<Arc<SqliteStore>>, StartError> {
    let mut keeper = KeyKeeper::new(Arc::clone(store), data.key_rules(&profile.token));
    if let Some(master_key) = data.master_key()? {
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
fn announce(address: &str, integrator: &Integrator<BuiltIn<HyperClient>>) -> io::Result<()> {
    let line = serde_json::json!({
        "ready": true,
        "address": address,
        "jwks": integrator.jwks_url(),
        "token": integrator.token_url(),
        "push": integrator.push_url(),
        "media": integrator.media_url(),
    });
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{line}")?;
    stdout.flush()
}

/// Ready once the program is asked to end; listening for that begins before this returns.
#[cfg(unix)]
fn stop_asked() -> Result<impl Future<Output = ()>, StartError> {
    let listen = |kind| signal::unix::signal(kind).map_err(|error| StartError::Signal { kind: error.kind() });
    let mut interrupt = listen(signal::unix::SignalKind::interrupt())?;
    let mut terminate = listen(signal::unix::SignalKind::terminate())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}

/// Ready once the program is asked to end.
#[cfg(not(unix))]
fn stop_asked() -> Result<impl Future<Output = ()>, StartError> {
    Ok(async {
        let _ = signal::ctrl_c().await;
    })
}
