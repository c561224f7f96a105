//! What runs beside the server: fetching keys, delivering wake-ups, sweeping media (seed §1.3, §3.2.2).

use std::sync::Arc;
use std::time::Duration;

use http::Uri;
use http::uri::Scheme;
use tokio::task::JoinSet;
use wa_http::{Addresses, HyperClient, Limits, PlainHttp};
use wa_http_server::Drain;
use wa_integrator::{Authenticator, BaseUrl, BuiltIn, BuiltInStore, Clock, DeliveryRules, Health, Integrator, MediaHost, Oidc, Outbox, Push, PushSink, Readiness, SharedSecret, TrustedProxy, Vitals};
use wa_jwt::{KeyCache, KeyCacheRules};
use wa_profile::Profile;

use crate::engines;
use crate::cli::StartError;
use crate::settings::{Recognition, Settings};

/// What runs beside the server, and whose keys are fetched for it.
pub(crate) struct Background(
    pub(crate) JoinSet<()>,
    pub(crate) Vec<(&'static str, Arc<KeyCache<HyperClient>>)>,
);

impl Background {
    /// Whether the store answers, asked now and then.
    pub(crate) fn health(&mut self, store: &Arc<BuiltInStore>) -> Health {
        let health = Health::new();
        self.0.spawn(health.clone().watch(Arc::clone(store), HEALTH_INTERVAL));
        health
    }

    /// What is measured of the store and of fetched keys, now and then.
    pub(crate) fn vitals(&mut self, store: &Arc<BuiltInStore>, clock: &Clock) {
        let mut vitals = Vitals::new(Arc::clone(store), clock.clone());
        for (name, keys) in &self.1 {
            let keys = Arc::clone(keys);
            vitals = vitals.with_fetched(name, move |now| keys.status(now));
        }
        self.0.spawn(vitals.run(VITALS_INTERVAL));
    }

    /// What must be in order for requests to be sent here.
    pub(crate) fn readiness<A: Authenticator>(&self, integrator: &Integrator<A>, drain: Drain) -> Readiness {
        let mut readiness = Readiness::new(drain);
        for name in Integrator::<A>::CHECKS {
            let integrator = integrator.clone();
            readiness = readiness.with_check(name, move || !integrator.failing().contains(&name));
        }
        let clock = Clock::system();
        for (name, keys) in &self.1 {
            let (keys, clock) = (Arc::clone(keys), clock.clone());
            readiness = readiness.with_check(name, move || keys.status(clock.now()).ready);
        }
        readiness
    }

    /// The host of media, swept now and then.
    pub(crate) async fn media(
        &mut self,
        settings: &Settings,
        store: &BuiltInStore,
        profile: &Profile,
        clock: &Clock,
    ) -> Result<MediaHost, StartError> {
        let host = engines::media(settings, store, profile, clock.clone())?;
        let swept = host.sweep_at_start().await?;
        if swept.broken > 0 {
            tracing::info!(?swept, "uploads of an earlier process removed");
        }
        self.0.spawn(host.clone().run());
        Ok(host)
    }

    /// Who recognises users.
    pub(crate) fn authenticator(
        &mut self,
        settings: &Settings,
        profile: &Profile,
        secret: [u8; 32],
        clock: &Clock,
    ) -> Result<BuiltIn<HyperClient>, StartError> {
        let chars_max = profile.token.user_identifier_chars_max;
        Ok(match settings.tokens.recognition()? {
            Recognition::SharedSecret => BuiltIn::SharedSecret(SharedSecret::new(secret, chars_max)),
            Recognition::Proxy { header, proxies } => {
                BuiltIn::TrustedProxy(TrustedProxy::new(header, &proxies, chars_max))
            }
            Recognition::Oidc { issuer, audience, jwks_url, claim } => {
                let keys = self.keys("identity_provider", jwks_url, settings, clock)?;
                let oidc = Oidc::new(keys, &issuer, &audience, LOGIN_LIFETIME_MAX, chars_max);
                BuiltIn::Oidc(oidc.with_claim(&claim))
            }
        })
    }

    /// What takes pushes, and brings them where they go.
    pub(crate) fn push(
        &mut self,
        settings: &Settings,
        profile: &Profile,
        base_url: &BaseUrl,
        store: Arc<BuiltInStore>,
        sinks: Vec<Arc<dyn PushSink>>,
        clock: &Clock,
    ) -> Result<Push<Arc<BuiltInStore>, HyperClient>, StartError> {
        let keys = self.keys("whatsapp", settings.push.whatsapp_jwks_url(profile), settings, clock)?;
        let outbox = Outbox::new(Arc::clone(&store), sinks, DeliveryRules::default());
        let delivering = (outbox.clone(), clock.clone());
        self.0.spawn(async move { delivering.0.run(delivering.1).await });
        let rules = settings.push.rules(profile, base_url);
        Ok(Push::new(store, outbox, keys, rules, clock.clone()))
    }

    /// Somebody's keys, fetched in the background.
    fn keys(
        &mut self,
        name: &'static str,
        url: Uri,
        settings: &Settings,
        clock: &Clock,
    ) -> Result<Arc<KeyCache<HyperClient>>, StartError> {
        let client = key_client(&url, settings)?;
        let rules = KeyCacheRules::default().with_cooldown(settings.push.key_cooldown());
        let keys = Arc::new(KeyCache::new(client, url, rules));
        let (renewing, clock) = (Arc::clone(&keys), clock.clone());
        self.0.spawn(async move { renewing.run(clock).await });
        self.1.push((name, Arc::clone(&keys)));
        Ok(keys)
    }
}

/// How often the store is asked whether it answers.
const HEALTH_INTERVAL: Duration = Duration::from_secs(1);

/// How often the store is measured.
const VITALS_INTERVAL: Duration = Duration::from_secs(5);

/// How long a token of an identity provider may live.
const LOGIN_LIFETIME_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// The service's backend is on the same network, perhaps the same host.
pub(crate) fn backend() -> HyperClient {
    HyperClient::new(Limits::default()).with_plain_http(PlainHttp::Http1)
}

/// What fetches somebody's keys from there.
pub(crate) fn key_client(url: &Uri, settings: &Settings) -> Result<HyperClient, StartError> {
    let client = HyperClient::new(Limits::default());
    match (settings.push.allow_private(), url.scheme()) {
        (true, Some(_)) => Ok(client.with_plain_http(PlainHttp::Http1)),
        (false, Some(scheme)) if *scheme == Scheme::HTTPS => Ok(client.with_addresses(Addresses::Public)),
        _ => Err(StartError::KeyUrl { url: url.clone() }),
    }
}
