//! Every setting: flags before the environment before one TOML file before the default (seed §1.3).
//!
//! A section is one struct, which clap reads from flags and `WA_INTEGRATOR_*` and serde from its table in the file; all
//! of its fields may be absent. What a file holds besides is refused, with what is allowed.

mod admin;
mod file;
mod keys;
mod limits;
mod listen;
mod media;
mod push;
mod store;
mod telemetry;
mod tls;
mod tokens;
mod trust;
mod value;

use std::path::{Path, PathBuf};

use clap::Args;
use serde::Deserialize;
use wa_profile::Profile;

pub(crate) use admin::AdminSettings;
pub use file::SettingsFileError;
pub(crate) use keys::KeySettings;
pub(crate) use limits::LimitSettings;
pub(crate) use listen::ListenSettings;
pub(crate) use media::MediaSettings;
pub(crate) use push::PushSettings;
pub(crate) use store::StoreSettings;
pub(crate) use telemetry::{LogFormat, TelemetrySettings};
pub(crate) use tls::TlsSettings;
pub(crate) use tokens::{Recognition, TokenSettings};
pub(crate) use trust::TrustSettings;

/// All settings, by section; a section is a table of the file.
#[derive(Debug, Default, Args, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// The rules that apply: a document, overview or 1.0.3, or a TOML file as `wa profile show` prints one (default 1.0.3)
    #[arg(long, global = true, value_name = "NAME|FILE", env = "WA_INTEGRATOR_PROFILE", value_parser = Profile::open)]
    #[serde(skip)]
    profile: Option<Profile>,
    /// `[store]`
    #[command(flatten)]
    pub(crate) store: StoreSettings,
    /// `[keys]`
    #[command(flatten)]
    pub(crate) keys: KeySettings,
    /// `[listen]`
    #[command(flatten)]
    pub(crate) listen: ListenSettings,
    /// `[tls]`
    #[command(flatten)]
    pub(crate) tls: TlsSettings,
    /// `[admin]`
    #[command(flatten)]
    pub(crate) admin: AdminSettings,
    /// `[limits]`
    #[command(flatten)]
    pub(crate) limits: LimitSettings,
    /// `[tokens]`
    #[command(flatten)]
    pub(crate) tokens: TokenSettings,
    /// `[push]`
    #[command(flatten)]
    pub(crate) push: PushSettings,
    /// `[media]`
    #[command(flatten)]
    pub(crate) media: MediaSettings,
    /// `[trust]`
    #[command(flatten)]
    pub(crate) trust: TrustSettings,
    /// `[telemetry]`
    #[command(flatten)]
    pub(crate) telemetry: TelemetrySettings,
}

/// Where the file is.
#[derive(Debug, Args)]
pub(crate) struct SettingsFile {
    /// The file of settings, TOML; see docs/OPERATIONS.md. Flags and the environment come before it.
    #[arg(long = "config", global = true, value_name = "FILE", env = "WA_INTEGRATOR_CONFIG")]
    path: Option<PathBuf>,
}

impl Settings {
    /// The settings in the content of a file that is called `path`.
    ///
    /// # Errors
    /// [`SettingsFileError`].
    pub fn from_toml(content: &str, path: &Path) -> Result<Self, SettingsFileError> {
        file::parse(content, path)
    }

    /// These settings, and where they are silent those of the file, if there is one.
    ///
    /// # Errors
    /// [`SettingsFileError`].
    pub(crate) fn over_file(self, file: &SettingsFile) -> Result<Self, SettingsFileError> {
        match &file.path {
            Some(path) => Ok(self.over(file::read(path)?)),
            None => Ok(self),
        }
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

    fn over(self, below: Self) -> Self {
        Self {
            profile: self.profile.or(below.profile),
            store: self.store.over(below.store),
            keys: self.keys.over(below.keys),
            listen: self.listen.over(below.listen),
            tls: self.tls.over(below.tls),
            admin: self.admin.over(below.admin),
            limits: self.limits.over(below.limits),
            tokens: self.tokens.over(below.tokens),
            push: self.push.over(below.push),
            media: self.media.over(below.media),
            trust: self.trust.over(below.trust),
            telemetry: self.telemetry.over(below.telemetry),
        }
    }
}

/// The section with each of these fields from `self`, and from `below` where that has none.
macro_rules! over {
    ($self:ident, $below:ident, $($field:ident),+ $(,)?) => {
        Self { $($field: $self.$field.or($below.$field)),+ }
    };
}
use over;

#[cfg(test)]
mod tests;
