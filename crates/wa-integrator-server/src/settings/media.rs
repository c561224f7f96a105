//! `[media]`: what is hosted, and for how long (RO 1.0.3).

use std::path::PathBuf;

use http::Uri;
use serde::Deserialize;
use wa_integrator::MediaRules;
#[cfg(feature = "s3")]
use wa_integrator::{ClientTrust, S3Bucket, private_file};
use wa_profile::{MediaFetchAuth, Profile};

use super::value;
use super::value::Within;
#[cfg(feature = "s3")]
use crate::error::StartError;

/// How media is hosted.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct MediaSettings {
    /// The directory of hosted files, if it is not in the data directory.
    pub(crate) directory: Option<PathBuf>,
    s3_bucket: Option<String>,
    #[serde(deserialize_with = "value::text")]
    s3_endpoint: Option<Uri>,
    s3_region: Option<String>,
    s3_prefix: String,
    s3_access_key_id: Option<String>,
    s3_secret_access_key_file: Option<PathBuf>,
    bytes_max: Option<u64>,
    bytes_a_day: Option<u64>,
    files_a_day: Option<u64>,
    downloads: Option<Within<1, 100_000, 1>>,
    downloads_per_address: Option<Within<1, 100_000, 1>>,
    days: Within<1, 3650, 30>,
    token_required: bool,
}

impl MediaSettings {
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
        let mut bucket = S3Bucket::new(name).with_trust(trust).with_prefix(&self.s3_prefix);
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
            (Some(_), None) => Err(StartError::Needed { name: "media.s3_secret_access_key_file" }),
            (None, Some(_)) => Err(StartError::Needed { name: "media.s3_access_key_id" }),
        }
    }

    /// What is hosted.
    pub(crate) fn rules(&self, profile: &Profile) -> MediaRules {
        let mut rules = MediaRules::new(&profile.media);
        rules.kept = self.days.days();
        rules.blob_bytes_max = self.bytes_max.unwrap_or(rules.blob_bytes_max);
        rules.quota.bytes = self.bytes_a_day.unwrap_or(rules.quota.bytes);
        rules.quota.files = self.files_a_day.unwrap_or(rules.quota.files);
        if let Some(downloads) = self.downloads.map(Within::count) {
            (rules.downloads_at_a_time, rules.downloads_per_address) = (downloads, downloads);
        }
        if let Some(per_address) = self.downloads_per_address.map(Within::count) {
            rules.downloads_per_address = per_address;
        }
        if self.token_required {
            rules.fetch_auth = MediaFetchAuth::Required;
        }
        rules
    }
}
