//! `[media]`: what is hosted, and for how long (RO 1.0.3).

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use clap::Args;
use serde::Deserialize;
use wa_integrator::MediaRules;
use wa_profile::{MediaFetchAuth, Profile};

use super::{over, value::Within};

/// How media is hosted.
#[derive(Debug, Default, Args, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct MediaSettings {
    /// The directory of hosted files, which all servers see where they share a store; by default `media` in the data
    /// directory.
    #[arg(
        id = "media_directory",
        long = "media-directory",
        global = true,
        value_name = "DIR",
        env = "WA_INTEGRATOR_MEDIA_DIRECTORY"
    )]
    directory: Option<PathBuf>,

    /// The longest file that is hosted, in bytes as encrypted [default: 2147483674].
    #[arg(
        id = "media_bytes_max",
        long = "media-bytes-max",
        value_name = "BYTES",
        env = "WA_INTEGRATOR_MEDIA_BYTES_MAX"
    )]
    bytes_max: Option<u64>,

    /// How many bytes a user may upload a day [default: 4294967296].
    #[arg(
        id = "media_bytes_a_day",
        long = "media-bytes-a-day",
        value_name = "BYTES",
        env = "WA_INTEGRATOR_MEDIA_BYTES_A_DAY"
    )]
    bytes_a_day: Option<u64>,

    /// How many files a user may upload a day [default: 1000].
    #[arg(
        id = "media_files_a_day",
        long = "media-files-a-day",
        value_name = "N",
        env = "WA_INTEGRATOR_MEDIA_FILES_A_DAY"
    )]
    files_a_day: Option<u64>,

    /// How many days a file is hosted [default: 30].
    #[arg(id = "media_days", long = "media-days", value_name = "DAYS", env = "WA_INTEGRATOR_MEDIA_DAYS")]
    days: Option<Within<1, 3650>>,

    /// Give files only to whoever shows a token of WhatsApp's; needs pushes.
    #[arg(id = "media_token_required", long = "media-token-required",
        env = "WA_INTEGRATOR_MEDIA_TOKEN_REQUIRED", num_args = 0..=1, require_equals = true,
        default_missing_value = "true")]
    token_required: Option<bool>,
}

impl MediaSettings {
    pub(super) fn over(self, below: Self) -> Self {
        over!(self, below, directory, bytes_max, bytes_a_day, files_a_day, days, token_required)
    }

    /// The directory of hosted files, if it is not in the data directory.
    pub(crate) fn directory(&self) -> Option<&Path> {
        self.directory.as_deref()
    }

    /// What is hosted.
    pub(crate) fn rules(&self, profile: &Profile) -> MediaRules {
        let mut rules = MediaRules::new(&profile.media);
        rules.blob_bytes_max = self.bytes_max.unwrap_or(rules.blob_bytes_max);
        rules.quota.bytes = self.bytes_a_day.unwrap_or(rules.quota.bytes);
        rules.quota.files = self.files_a_day.unwrap_or(rules.quota.files);
        if let Some(days) = self.days {
            rules.kept = Duration::from_secs(days.value() * 24 * 60 * 60);
        }
        if self.token_required == Some(true) {
            rules.fetch_auth = MediaFetchAuth::Required;
        }
        rules
    }
}
