//! Every setting: flags before the environment before one TOML file before the default (overview §1.3).
//!
//! A section is one struct and one table of the file; docs/OPERATIONS.md says what each setting is. What a file holds
//! besides is refused, with what is allowed.

mod admin;
mod keys;
mod limits;
mod listen;
mod media;
mod push;
mod sources;
mod store;
mod telemetry;
mod tls;
mod tokens;
mod trust;
mod value;

use std::fs;
use std::path::Path;

use serde::Deserialize;
use wa_profile::Profile;

pub(crate) use admin::AdminSettings;
pub(crate) use keys::KeySettings;
pub(crate) use limits::LimitSettings;
pub(crate) use listen::ListenSettings;
pub(crate) use media::MediaSettings;
pub(crate) use push::PushSettings;
pub use sources::SettingsError;
pub(crate) use sources::{Given, PREFIX, VARIABLES, is_setting, variables};
pub(crate) use store::StoreSettings;
pub(crate) use telemetry::{LogFormat, TelemetrySettings};
pub(crate) use tls::TlsSettings;
pub(crate) use tokens::{Recognition, TokenSettings};
pub(crate) use trust::TrustSettings;

/// All settings, by section; a section is a table of the file.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    #[serde(deserialize_with = "profile")]
    profile: Option<Profile>,
    /// `[store]`
    pub(crate) store: StoreSettings,
    /// `[keys]`
    pub(crate) keys: KeySettings,
    /// `[listen]`
    pub(crate) listen: ListenSettings,
    /// `[tls]`
    pub(crate) tls: TlsSettings,
    /// `[admin]`
    pub(crate) admin: AdminSettings,
    /// `[limits]`
    pub(crate) limits: LimitSettings,
    /// `[tokens]`
    pub(crate) tokens: TokenSettings,
    /// `[push]`
    pub(crate) push: PushSettings,
    /// `[media]`
    pub(crate) media: MediaSettings,
    /// `[trust]`
    pub(crate) trust: TrustSettings,
    /// `[telemetry]`
    pub(crate) telemetry: TelemetrySettings,
}

impl Settings {
    /// The settings in the content of a file that is called `path`.
    ///
    /// # Errors
    /// [`SettingsError`].
    pub fn from_toml(content: &str, path: &Path) -> Result<Self, SettingsError> {
        sources::read(Some((content, path)), &[])
    }

    /// The settings in the file at `path`, if there is one, with what is given over them; of two the later counts.
    ///
    /// # Errors
    /// [`SettingsError`].
    pub(crate) fn read(path: Option<&Path>, given: &[Given]) -> Result<Self, SettingsError> {
        let Some(path) = path else { return sources::read(None, given) };
        let content = fs::read_to_string(path).map_err(|error| SettingsError::Io {
            file: path.display().to_string(),
            reason: (&error).into(),
        })?;
        sources::read(Some((&content, path)), given)
    }

    /// These settings under these rules.
    #[must_use]
    pub fn with_profile(mut self, profile: Profile) -> Self {
        self.profile = Some(profile);
        self
    }

    /// The profile that was named, or the reference offer's.
    pub(crate) fn profile(&self) -> Profile {
        self.profile.clone().unwrap_or_default()
    }
}

/// A document's name, or the file of a profile.
fn profile<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Profile>, D::Error> {
    let name = String::deserialize(deserializer)?;
    Profile::open(&name).map(Some).map_err(serde::de::Error::custom)
}

#[cfg(test)]
mod tests;
