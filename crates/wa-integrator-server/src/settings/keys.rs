//! `[keys]`: how long signing keys live, and how they lie in the store (overview §1.3).

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use serde::Deserialize;
use wa_integrator::{KeyKeeper, KeyRules, KeyStore, MasterKey, PrivateFileError};
use wa_profile::TokenRules;

use super::over;
use super::value::Within;
use crate::data_directory::DataDirectory;
use crate::error::StartError;

/// How signing keys live.
#[derive(Debug, Default, Args, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct KeySettings {
    /// The key that private signing keys are encrypted with in the store, 64 hexadecimal digits; none by default.
    #[arg(long, global = true, value_name = "FILE", env = "WA_INTEGRATOR_MASTER_KEY_FILE")]
    master_key_file: Option<PathBuf>,

    /// A master key that keys in the store may be encrypted with as well: for changing it without a gap. What is written is
    /// encrypted with the first.
    #[arg(long, global = true, value_name = "FILE", env = "WA_INTEGRATOR_MASTER_KEY_ALSO_FILE")]
    master_key_also_file: Option<PathBuf>,

    /// How many days a key signs before the next one takes over [default: 30].
    #[arg(
        id = "key_days",
        long = "key-days",
        global = true,
        value_name = "DAYS",
        env = "WA_INTEGRATOR_KEY_DAYS"
    )]
    days: Option<Within<2, 3650>>,

    /// How many seconds pass at most until a change of the keys by another process is seen [default: 5].
    #[arg(
        id = "key_refresh",
        long = "key-refresh",
        value_name = "SECONDS",
        env = "WA_INTEGRATOR_KEY_REFRESH"
    )]
    refresh: Option<Within<1, 60>>,
}

impl KeySettings {
    pub(super) fn over(self, below: Self) -> Self {
        over!(self, below, master_key_file, master_key_also_file, days, refresh)
    }

    /// The master key, if there is a file of it.
    pub(crate) fn master_key(&self) -> Result<Option<MasterKey>, PrivateFileError> {
        self.master_key_file.as_deref().map(DataDirectory::master_key).transpose()
    }

    /// The other master key, if there is one.
    pub(crate) fn other_master_key(&self) -> Result<Option<MasterKey>, PrivateFileError> {
        self.master_key_also_file.as_deref().map(DataDirectory::master_key).transpose()
    }

    /// A keeper of the keys in this store.
    ///
    /// # Errors
    /// [`PrivateFileError`] for a file of a master key that cannot be used.
    pub(crate) fn keeper(
        &self,
        store: Arc<dyn KeyStore>,
        rules: &TokenRules,
    ) -> Result<KeyKeeper, StartError> {
        let mut keeper = KeyKeeper::new(store, self.rules(rules));
        if let Some(master_key) = self.master_key()? {
            keeper = keeper.with_master_key(master_key);
        }
        if let Some(also) = self.other_master_key()? {
            keeper = keeper.with_other_master_key(also);
        }
        Ok(keeper)
    }

    /// The times of the keys.
    pub(crate) fn rules(&self, rules: &TokenRules) -> KeyRules {
        let days = self.days.map_or(30, Within::value);
        let period = Duration::from_secs(days * 24 * 60 * 60);
        KeyRules::new(rules.peer_refresh_max, rules.lifetime_max).with_period(period)
    }

    /// How often the keys are read.
    pub(crate) fn refresh(&self) -> Duration {
        Duration::from_secs(self.refresh.map_or(5, Within::value))
    }
}
