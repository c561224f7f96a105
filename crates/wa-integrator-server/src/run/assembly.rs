//! The server put together from its settings: the same for the program and for a process that has others in it.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use http::Uri;
use tokio::task::JoinSet;
use wa_http_server::{Drain, Server};
use wa_integrator::{
    Authenticator, BaseUrl, Clock, DeliveryRules, Dependencies, Integrator, KeyKeeper, Measure, MediaHost,
    Oidc, Opening, Outbox, Push, PushSink, Readiness, SharedSecret, SigningKey, Store, TokenIssuer,
    TrustedProxy, rs256,
};
use wa_jwt::{KeyCache, KeyCacheRules};
use wa_profile::Profile;
use zeroize::Zeroizing;

use super::clients::key_client;
use super::engines::{self, Engines};
use super::supervised::Supervised;
use crate::data_directory::DataDirectory;
use crate::error::StartError;
use crate::settings::{Recognition, Settings};

/// The server without its listener: what answers, what runs beside it, and how both are.
#[derive(Debug)]
pub struct Assembly {
    integrator: Integrator,
    beside: Supervised,
    readiness: Readiness,
    drain: Drain,
    /// Nobody else writes there as long as this lives.
    directory: DataDirectory,
}

/// What a listener serves, and what has to be told when it is over.
pub(crate) struct Parts {
    pub(crate) integrator: Integrator,
    pub(crate) beside: Supervised,
    pub(crate) readiness: Readiness,
    pub(crate) drain: Drain,
    pub(crate) directory: DataDirectory,
}

/// The values that all parts are made from.
struct Frame<'a> {
    settings: &'a Settings,
    profile: Profile,
    clock: Clock,
    beside: Supervised,
    fetched: Vec<(&'static str, KeyCache)>,
}

type Secret = Zeroizing<[u8; 32]>;
type Watching = Pin<Box<dyn Future<Output = ()> + Send>>;

/// How often the store is asked whether it answers.
const CHECK_INTERVAL: Duration = Duration::from_secs(1);
/// How often everything is measured.
const MEASURE_INTERVAL: Duration = Duration::from_secs(5);
/// How long a token of an identity provider may live.
const LOGIN_LIFETIME_MAX: Duration = Duration::from_secs(24 * 60 * 60);

impl Assembly {
    /// Opens what the settings name and puts the server together, at this URL.
    ///
    /// # Errors
    /// [`StartError`].
    pub async fn open(settings: &Settings, base_url: BaseUrl) -> Result<Self, StartError> {
        let (profile, clock) = (settings.profile(), Clock::system());
        let directory = DataDirectory::open(settings.store.data_dir())?;
        engines::check(settings, &settings.trust.trust()?)?;
        let engines = engines::stored_media(settings, Opening::Serve).await?;
        // A file that cannot be used is said before anything is made.
        let given = directory.signing_key()?;
        let secret = directory.shared_secret(settings.tokens.shared_secret_file(), &mut rand::rng())?;
        let secrets = (secret, settings.tokens.other_secret()?);
        let mut frame = Frame { settings, profile, clock, beside: Supervised::new(), fetched: Vec::new() };
        let integrator = frame.integrator((&directory, given), &engines, &secrets, base_url).await?;
        let (dependencies, watching) = dependencies(&engines.store, &integrator.1);
        frame.beside.add("watch", watching);
        let drain = Drain::new();
        let readiness = frame.readiness(&integrator.0, drain.clone(), dependencies.clone());
        frame.measure(&engines.store, &readiness, &dependencies);
        Ok(Self { integrator: integrator.0, beside: frame.beside, readiness, drain, directory })
    }

    /// What answers requests.
    #[must_use]
    pub fn integrator(&self) -> Integrator {
        self.integrator.clone()
    }

    /// Serves until the runtime ends.
    pub async fn serve(self, server: Server) {
        let Self { integrator, beside, drain, directory, .. } = self;
        let beside = beside.begin();
        server.run_until(integrator, &drain).await;
        drop((beside, directory));
    }

    pub(crate) fn into_parts(self) -> Parts {
        let Self { integrator, beside, readiness, drain, directory } = self;
        Parts { integrator, beside, readiness, drain, directory }
    }
}

impl Frame<'_> {
    async fn integrator(
        &mut self,
        key: (&DataDirectory, Option<SigningKey>),
        engines: &Engines,
        secrets: &(Secret, Option<Secret>),
        base_url: BaseUrl,
    ) -> Result<(Integrator, MediaHost), StartError> {
        let (settings, store) = (self.settings, &engines.store);
        let keeper = self.keeper(key, store).await?;
        let issuer = TokenIssuer::new(
            base_url.clone(),
            &self.profile.token,
            settings.tokens.lifetime(&self.profile.token),
        )?;
        let authenticator = self.authenticator(secrets)?;
        let media = engines::media_host(
            settings,
            Arc::clone(&engines.media),
            &self.profile,
            self.clock.clone(),
            Opening::Serve,
        )?;
        let sweeping = media.clone();
        self.beside.add("media", move || sweeping.clone().run());
        let mut integrator = Integrator::new(issuer, keeper.keys(), authenticator, self.clock.clone())
            .with_tokens_a_minute(settings.tokens.a_minute())
            .with_users(Arc::clone(store) as _)
            .with_media(media.clone());
        if settings.push.has_sink() {
            let also = secrets.1.as_deref();
            let sinks = engines::sinks(settings, (&secrets.0, also), &self.clock).await?;
            integrator = integrator.with_push(self.push(&base_url, store, sinks)?);
        }
        let (clock, interval, keeper) = (self.clock.clone(), settings.keys.refresh(), Arc::new(keeper));
        self.beside.add("keys", move || {
            let (keeper, clock) = (Arc::clone(&keeper), clock.clone());
            async move { keeper.run(clock, interval).await }
        });
        Ok((integrator, media))
    }

    async fn keeper(
        &self,
        (directory, given): (&DataDirectory, Option<SigningKey>),
        store: &Arc<dyn Store>,
    ) -> Result<KeyKeeper, StartError> {
        let keeper = self.settings.keys.keeper(Arc::clone(store) as _, &self.profile.token)?;
        let now = self.clock.now();
        if let Some(key) = given {
            keeper.adopt(key, now).await?;
            directory.remove_signing_key()?;
        }
        keeper.refresh(now).await?;
        Ok(keeper)
    }

    /// Who recognises users.
    fn authenticator(
        &mut self,
        secrets: &(Secret, Option<Secret>),
    ) -> Result<Arc<dyn Authenticator>, StartError> {
        let chars_max = self.profile.token.user_identifier_chars_max;
        Ok(match self.settings.tokens.recognition()? {
            Recognition::SharedSecret => {
                let shared = SharedSecret::new(*secrets.0, chars_max);
                Arc::new(match &secrets.1 {
                    Some(also) => shared.with_other_secret(**also),
                    None => shared,
                })
            }
            Recognition::Proxy { header, proxies } => {
                Arc::new(TrustedProxy::new(header, &proxies, chars_max))
            }
            Recognition::Oidc { issuer, audience, jwks_url, claim } => {
                let keys = self.keys("identity_provider", jwks_url)?;
                let oidc = Oidc::new(keys, &issuer, &audience, LOGIN_LIFETIME_MAX, chars_max);
                Arc::new(oidc.with_claim(&claim))
            }
        })
    }

    /// What takes pushes, and brings them where they go.
    fn push(
        &mut self,
        base_url: &BaseUrl,
        store: &Arc<dyn Store>,
        sinks: Vec<Arc<dyn PushSink>>,
    ) -> Result<Push, StartError> {
        let keys = self.keys("whatsapp", self.settings.push.whatsapp_jwks_url(&self.profile))?;
        let outbox = Outbox::new(Arc::clone(store) as _, sinks, DeliveryRules::default());
        let (delivering, clock) = (outbox.clone(), self.clock.clone());
        self.beside.add("outbox", move || {
            let (outbox, clock) = (delivering.clone(), clock.clone());
            async move { outbox.run(clock).await }
        });
        let rules = self.settings.push.rules(&self.profile, base_url)?;
        Ok(Push::new(Arc::clone(store) as _, outbox, keys, rules, self.clock.clone()))
    }

    /// Somebody's keys, fetched in the background.
    fn keys(&mut self, name: &'static str, url: Uri) -> Result<KeyCache, StartError> {
        let client = key_client(&url, self.settings)?;
        let rules = KeyCacheRules::default().with_cooldown(self.settings.push.key_cooldown());
        let keys = KeyCache::new(client, url, rules, rs256);
        let (renewing, clock) = (keys.clone(), self.clock.clone());
        self.beside.add(name, move || {
            let (keys, clock) = (renewing.clone(), clock.clone());
            async move { keys.run(move || clock.now()).await }
        });
        self.fetched.push((name, keys.clone()));
        Ok(keys)
    }

    /// What must be in order for requests to be sent here rather than elsewhere.
    fn readiness(&self, integrator: &Integrator, drain: Drain, dependencies: Dependencies) -> Readiness {
        let mut readiness = Readiness::new(drain).with_dependencies(dependencies);
        for name in Integrator::CHECKS {
            let integrator = integrator.clone();
            readiness = readiness.with_check(name, move || !integrator.failing().contains(&name));
        }
        for (name, keys) in &self.fetched {
            let (keys, clock) = (keys.clone(), self.clock.clone());
            readiness = readiness.with_check(name, move || keys.status(clock.now()).ready);
        }
        readiness
    }

    /// What is measured now and then.
    fn measure(&mut self, store: &Arc<dyn Store>, readiness: &Readiness, dependencies: &Dependencies) {
        let (store, clock) = (Arc::clone(store), self.clock.clone());
        let (readiness, dependencies) = (readiness.clone(), dependencies.clone());
        let fetched: Vec<_> = self.fetched.clone();
        self.beside.add("measure", move || {
            let mut measure = Measure::new(Arc::clone(&store), clock.clone())
                .with_readiness(readiness.clone(), dependencies.clone());
            for (name, keys) in fetched.clone() {
                measure = measure.with_fetched(name, move |now| keys.status(now));
            }
            measure.run(MEASURE_INTERVAL)
        });
    }
}

/// What several parts use, and what watches it.
fn dependencies(
    store: &Arc<dyn Store>,
    media: &MediaHost,
) -> (Dependencies, impl Fn() -> Watching + Send + use<>) {
    let media = media.clone();
    let (dependencies, up) = Dependencies::new().with("media", move || media.is_ready()).with_store();
    let store = Arc::clone(store);
    let watching = move || -> Watching { Box::pin(up.clone().watch(Arc::clone(&store), CHECK_INTERVAL)) };
    (dependencies, watching)
}

/// What runs beside, begun.
pub(crate) type Beside = JoinSet<()>;
