//! `[push]`: WhatsApp's wake-ups and where they go (overview §3.2.2).

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use http::Uri;
use serde::Deserialize;
use wa_integrator::{BaseUrl, Integrator, PushRules, Strangers, WebhookFormat};
#[cfg(feature = "nats")]
use wa_integrator::{ClientTrust, NatsSink, private_file};
use wa_profile::Profile;

use super::value;
use super::value::{UrlPath, Within};
use crate::error::StartError;

/// The section `push`: wake-ups and where they go.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct PushSettings {
    /// Where wake-ups are posted: the service's backend. Without any place for them no pushes are taken.
    #[serde(deserialize_with = "value::text")]
    pub(crate) webhook: Option<Uri>,
    /// In which form wake-ups are posted.
    #[serde(deserialize_with = "value::choice")]
    pub(crate) webhook_format: WebhookFormat,
    nats: Option<String>,
    nats_subject: Option<String>,
    nats_stream: Option<String>,
    nats_credentials_file: Option<PathBuf>,
    #[serde(deserialize_with = "value::text")]
    path: Option<UrlPath>,
    #[serde(deserialize_with = "value::choice")]
    strangers: Strangers,
    a_minute: Option<NonZeroU32>,
    #[serde(deserialize_with = "value::text")]
    whatsapp_jwks_url: Option<Uri>,
    /// Whether keys are fetched also by plain http and from private addresses.
    pub(crate) allow_private: bool,
    key_cooldown: Within<1, 300, 15>,
}

impl PushSettings {
    /// Whether wake-ups go anywhere, and so pushes are taken.
    pub(crate) const fn has_sink(&self) -> bool {
        self.webhook.is_some() || self.nats.is_some()
    }

    /// The stream that wake-ups are published to, if there is one.
    ///
    /// # Errors
    /// [`StartError`].
    #[cfg(feature = "nats")]
    pub(crate) async fn nats(&self, trust: &ClientTrust) -> Result<Option<NatsSink>, StartError> {
        let Some(url) = &self.nats else { return Ok(None) };
        let credentials =
            self.nats_credentials_file.as_deref().map(private_file::read_existing).transpose()?;
        let credentials = credentials.as_deref().map(|content| String::from_utf8_lossy(content));
        let subject = self.nats_subject.as_deref().unwrap_or("wa.wake-ups");
        let sink = NatsSink::connect(url, subject, credentials.as_deref(), trust).await?;
        Ok(Some(match &self.nats_stream {
            Some(name) => sink.with_stream(name),
            None => sink,
        }))
    }

    /// There is no such sink.
    #[cfg(not(feature = "nats"))]
    pub(crate) const fn is_nats(&self) -> bool {
        self.nats.is_some()
    }

    /// Where WhatsApp publishes its keys.
    pub(crate) fn whatsapp_jwks_url(&self, profile: &Profile) -> Uri {
        let profiled = || profile.push.whatsapp_jwks_url.parse().unwrap_or_default();
        self.whatsapp_jwks_url.clone().unwrap_or_else(profiled)
    }

    /// How long an unknown name of a key causes no fetch after the last one.
    pub(crate) const fn key_cooldown(&self) -> Duration {
        self.key_cooldown.seconds()
    }

    /// What pushes are taken.
    ///
    /// # Errors
    /// [`StartError::PushPath`].
    pub(crate) fn rules(&self, profile: &Profile, base_url: &BaseUrl) -> Result<PushRules, StartError> {
        let chars_max = profile.token.user_identifier_chars_max;
        let mut rules = PushRules::new(&profile.push, base_url, chars_max);
        rules.strangers = self.strangers;
        if let Some(a_minute) = self.a_minute {
            rules.per_user_a_minute = a_minute;
        }
        if let Some(UrlPath(path)) = &self.path {
            rules.path.clone_from(path);
        }
        if Integrator::taken_paths(&profile.token.jwks_path).contains(&rules.path) {
            return Err(StartError::PushPath { path: rules.path });
        }
        Ok(rules)
    }
}
