//! `[keys]`: how long signing keys live, and how they lie in the store (overview §1.3).

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use wa_integrator::{KeyKeeper, KeyRules, KeyStore, MasterKey, PrivateFileError};
use wa_profile::TokenRules;

use super::value::Within;
use crate::data_directory::DataDirectory;
use crate::error::StartError;

/// How signing keys live.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct KeySettings {
    master_key_file: Option<PathBuf>,
    master_key_also_file: Option<PathBuf>,
    days: Within<2, 3650, 30>,
    refresh: Within<1, 60, 5>,
}

impl KeySettings {
    /// The master key, and the other one; as far as there are files of them.
    ///
    /// # Errors
    /// [`PrivateFileError`] for a file that cannot be used.
    pub(crate) fn master_keys(&self) -> Result<[Option<MasterKey>; 2], PrivateFileError> {
        let read = |path: &Option<PathBuf>| path.as_deref().map(DataDirectory::master_key).transpose();
        Ok([read(&self.master_key_file)?, read(&self.master_key_also_file)?])
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
        let rules = KeyRules::new(rules.peer_refresh_max, rules.lifetime_max).with_period(self.days.days());
        let mut keeper = KeyKeeper::new(store, rules);
        let [master_key, also] = self.master_keys()?;
        if let Some(master_key) = master_key {
            keeper = keeper.with_master_key(master_key);
        }
        if let Some(also) = also {
            keeper = keeper.with_other_master_key(also);
        }
        Ok(keeper)
    }

    /// How often the keys are read.
    pub(crate) const fn refresh(&self) -> Duration {
        self.refresh.seconds()
    }
}
