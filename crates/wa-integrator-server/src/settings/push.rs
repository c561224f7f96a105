//! `[push]`: WhatsApp's wake-ups and where they go (overview §3.2.2).

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use http::Uri;
use serde::Deserialize;
use wa_integrator::{BaseUrl, Integrator, PushRules, Strangers, WebhookFormat};
#[cfg(feature = "nats")]
use wa_integrator::{ClientTrust, NatsSink, private_file};
use wa_profile::Profile;

use super::value::{UrlPath, Within};
use super::{over, value};
use crate::error::StartError;

/// Wake-ups.
#[derive(Debug, Default, Args, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct PushSettings {
    /// Where wake-ups are posted: the service's backend. Without any place for them no pushes are taken.
    #[arg(long, value_name = "URL", env = "WA_INTEGRATOR_WEBHOOK")]
    #[serde(deserialize_with = "value::text")]
    pub(crate) webhook: Option<Uri>,

    /// In which form wake-ups are posted [default: both].
    #[arg(long, value_enum, env = "WA_INTEGRATOR_WEBHOOK_FORMAT")]
    webhook_format: Option<FormatChoice>,

    /// The server of NATS whose JetStream wake-ups are published to: `tls://host:port`.
    #[arg(long, value_name = "URL", env = "WA_INTEGRATOR_NATS")]
    nats: Option<String>,

    /// The subject that they are published to [default: wa.wake-ups].
    #[arg(long, value_name = "SUBJECT", env = "WA_INTEGRATOR_NATS_SUBJECT")]
    nats_subject: Option<String>,

    /// The stream to make for the subject where there is none; by default it must be there.
    #[arg(long, value_name = "NAME", env = "WA_INTEGRATOR_NATS_STREAM")]
    nats_stream: Option<String>,

    /// The credentials (`.creds`) that the server asks for.
    #[arg(long, value_name = "FILE", env = "WA_INTEGRATOR_NATS_CREDENTIALS_FILE")]
    nats_credentials_file: Option<PathBuf>,

    /// The path of pushes below the base URL; by default as the profile says.
    #[arg(id = "push_path", long = "push-path", value_name = "PATH", env = "WA_INTEGRATOR_PUSH_PATH")]
    #[serde(deserialize_with = "value::text")]
    path: Option<UrlPath>,

    /// What to do about pushes for users who never got a token from here [default: deliver].
    #[arg(long, value_enum, env = "WA_INTEGRATOR_STRANGERS")]
    strangers: Option<StrangerChoice>,

    /// How many pushes a user gets a minute [default: 60].
    #[arg(
        id = "pushes_a_minute",
        long = "pushes-a-minute",
        value_name = "N",
        env = "WA_INTEGRATOR_PUSHES_A_MINUTE"
    )]
    a_minute: Option<NonZeroU32>,

    /// Where WhatsApp publishes its keys; by default as the profile says.
    #[arg(long, value_name = "URL", env = "WA_INTEGRATOR_WHATSAPP_JWKS_URL")]
    #[serde(deserialize_with = "value::text")]
    whatsapp_jwks_url: Option<Uri>,

    /// Fetch keys, WhatsApp's and an identity provider's, also by plain http and from private addresses; for tests.
    #[arg(long, env = "WA_INTEGRATOR_ALLOW_PRIVATE", num_args = 0..=1, require_equals = true,
        default_missing_value = "true")]
    allow_private: Option<bool>,

    /// How many seconds pass after a fetch of somebody's keys before an unknown name may cause another one [default:
    /// 15].
    #[arg(long, value_name = "SECONDS", env = "WA_INTEGRATOR_KEY_COOLDOWN")]
    key_cooldown: Option<Within<1, 300>>,
}

/// [`Strangers`], as a setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum StrangerChoice {
    /// Deliver them: the backend knows its users
    Deliver,
    /// Answer 200 and drop them
    Drop,
    /// Answer 404
    NotFound,
}

impl PushSettings {
    pub(super) fn over(self, below: Self) -> Self {
        over!(
            self,
            below,
            webhook,
            webhook_format,
            nats,
            nats_subject,
            nats_stream,
            nats_credentials_file,
            path,
            strangers,
            a_minute,
            whatsapp_jwks_url,
            allow_private,
            key_cooldown
        )
    }

    /// In which form wake-ups are posted.
    pub(crate) fn webhook_format(&self) -> WebhookFormat {
        self.webhook_format.map(WebhookFormat::from).unwrap_or_default()
    }

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

    /// Whether keys are fetched also by plain http and from private addresses.
    pub(crate) fn allow_private(&self) -> bool {
        self.allow_private.unwrap_or(false)
    }

    /// How long an unknown name of a key causes no fetch after the last one.
    pub(crate) fn key_cooldown(&self) -> Duration {
        Duration::from_secs(self.key_cooldown.map_or(15, Within::value))
    }

    /// What pushes are taken.
    ///
    /// # Errors
    /// [`StartError::PushPath`].
    pub(crate) fn rules(&self, profile: &Profile, base_url: &BaseUrl) -> Result<PushRules, StartError> {
        let chars_max = profile.token.user_identifier_chars_max;
        let mut rules = PushRules::new(&profile.push, base_url, chars_max);
        rules.strangers = self.strangers.unwrap_or(StrangerChoice::Deliver).into();
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

/// [`WebhookFormat`], as a setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum FormatChoice {
    /// With the headers of both, for one release
    Both,
    /// With `wa-integrator-signature`
    Wah1,
    /// As Standard Webhooks
    Standard,
}

impl From<FormatChoice> for WebhookFormat {
    fn from(choice: FormatChoice) -> Self {
        match choice {
            FormatChoice::Both => Self::Both,
            FormatChoice::Wah1 => Self::Wah1,
            FormatChoice::Standard => Self::Standard,
        }
    }
}

impl From<StrangerChoice> for Strangers {
    fn from(choice: StrangerChoice) -> Self {
        match choice {
            StrangerChoice::Deliver => Self::Deliver,
            StrangerChoice::Drop => Self::Drop,
            StrangerChoice::NotFound => Self::NotFound,
        }
    }
}
