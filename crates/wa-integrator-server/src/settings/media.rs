//! `[media]`: what is hosted, and for how long (RO 1.0.3).

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use http::Uri;
use serde::Deserialize;
use wa_integrator::MediaRules;
#[cfg(feature = "s3")]
use wa_integrator::{ClientTrust, S3Bucket, private_file};
use wa_profile::{MediaFetchAuth, Profile};

use super::value::Within;
use super::{over, value};
#[cfg(feature = "s3")]
use crate::error::StartError;

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

    /// The bucket of hosted files, in place of a directory.
    #[arg(long, global = true, value_name = "NAME", env = "WA_INTEGRATOR_S3_BUCKET")]
    s3_bucket: Option<String>,

    /// The object store, if it is not Amazon's.
    #[arg(long, global = true, value_name = "URL", env = "WA_INTEGRATOR_S3_ENDPOINT")]
    #[serde(deserialize_with = "value::text")]
    s3_endpoint: Option<Uri>,

    /// The bucket's region [default: us-east-1].
    #[arg(long, global = true, value_name = "NAME", env = "WA_INTEGRATOR_S3_REGION")]
    s3_region: Option<String>,

    /// What the names of all objects begin with; nothing by default.
    #[arg(long, global = true, value_name = "PREFIX", env = "WA_INTEGRATOR_S3_PREFIX")]
    s3_prefix: Option<String>,

    /// Who asks the object store; by default as the environment says (`AWS_*`, or the machine's role).
    #[arg(long, global = true, value_name = "ID", env = "WA_INTEGRATOR_S3_ACCESS_KEY_ID")]
    s3_access_key_id: Option<String>,

    /// The secret that belongs to it.
    #[arg(long, global = true, value_name = "FILE", env = "WA_INTEGRATOR_S3_SECRET_ACCESS_KEY_FILE")]
    s3_secret_access_key_file: Option<PathBuf>,

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

    /// How many files are given out at a time [default: 512].
    #[arg(
        id = "media_downloads",
        long = "media-downloads",
        value_name = "N",
        env = "WA_INTEGRATOR_MEDIA_DOWNLOADS"
    )]
    downloads: Option<Within<1, 100_000>>,

    /// How many of them to one address, or one IPv6 network of 64 bits [default: 256, or as many as there are if that is
    /// set].
    #[arg(
        id = "media_downloads_per_address",
        long = "media-downloads-per-address",
        value_name = "N",
        env = "WA_INTEGRATOR_MEDIA_DOWNLOADS_PER_ADDRESS"
    )]
    downloads_per_address: Option<Within<1, 100_000>>,

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
        over!(
            self,
            below,
            directory,
            s3_bucket,
            s3_endpoint,
            s3_region,
            s3_prefix,
            s3_access_key_id,
            s3_secret_access_key_file,
            bytes_max,
            bytes_a_day,
            files_a_day,
            downloads,
            downloads_per_address,
            days,
            token_required
        )
    }

    /// The directory of hosted files, if it is not in the data directory.
    pub(crate) fn directory(&self) -> Option<&Path> {
        self.directory.as_deref()
    }

    /// Whether hosted files lie in a bucket.
    pub(crate) const fn is_bucket(&self) -> bool {
        self.s3_bucket.is_some()
    }

    /// The bucket of hosted files, if there is one.
    ///
    /// # Errors
    /// [`StartError`].
    #[cfg(feature = "s3")]
    pub(crate) fn bucket(&self, trust: &ClientTrust) -> Result<Option<S3Bucket>, StartError> {
        let Some(name) = &self.s3_bucket else { return Ok(None) };
        let mut bucket = S3Bucket::new(name).with_trust(trust);
        bucket = bucket.with_prefix(self.s3_prefix.as_deref().unwrap_or_default());
        if let Some(region) = &self.s3_region {
            bucket = bucket.with_region(region);
        }
        if let Some(endpoint) = &self.s3_endpoint {
            bucket = bucket.with_endpoint(endpoint.clone())?;
        }
        match (&self.s3_access_key_id, &self.s3_secret_access_key_file) {
            (Some(id), Some(path)) => {
                let secret = private_file::read_existing(path)?;
                let secret = String::from_utf8_lossy(&secret);
                Ok(Some(bucket.with_access(id, secret.trim_end())))
            }
            (None, None) => Ok(Some(bucket)),
            (Some(_), None) => Err(StartError::Needed { name: "s3-secret-access-key-file" }),
            (None, Some(_)) => Err(StartError::Needed { name: "s3-access-key-id" }),
        }
    }

    /// What is hosted.
    pub(crate) fn rules(&self, profile: &Profile) -> MediaRules {
        let mut rules = MediaRules::new(&profile.media);
        rules.blob_bytes_max = self.bytes_max.unwrap_or(rules.blob_bytes_max);
        rules.quota.bytes = self.bytes_a_day.unwrap_or(rules.quota.bytes);
        rules.quota.files = self.files_a_day.unwrap_or(rules.quota.files);
        let count = |value: u64| usize::try_from(value).unwrap_or(usize::MAX);
        if let Some(downloads) = self.downloads {
            let downloads = count(downloads.value());
            rules = rules.with_downloads(downloads, downloads);
        }
        if let Some(per_address) = self.downloads_per_address {
            rules = rules.with_downloads(rules.downloads_at_a_time, count(per_address.value()));
        }
        if let Some(days) = self.days {
            rules.kept = Duration::from_secs(days.value() * 24 * 60 * 60);
        }
        if self.token_required == Some(true) {
            rules.fetch_auth = MediaFetchAuth::Required;
        }
        rules
    }
}
