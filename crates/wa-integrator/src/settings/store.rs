//! `[store]`: where the server's state lies (seed §1.3).

use std::path::{Path, PathBuf};

use clap::Args;
use serde::Deserialize;

use super::over;

/// Where the server's state lies.
#[derive(Debug, Default, Args, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct StoreSettings {
    /// The directory of the store and the secrets, made on first start; served by one process at a time [default:
    /// wa-integrator-data].
    #[arg(long, global = true, value_name = "DIR", env = "WA_INTEGRATOR_DATA_DIR")]
    data_dir: Option<PathBuf>,
}

impl StoreSettings {
    pub(super) fn over(self, below: Self) -> Self {
        over!(self, below, data_dir)
    }

    /// The directory of the store and the secrets.
    pub(crate) fn data_dir(&self) -> &Path {
        self.data_dir.as_deref().unwrap_or(Path::new("wa-integrator-data"))
    }
}
