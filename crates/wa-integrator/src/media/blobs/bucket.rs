//! A bucket of an object store that speaks S3 (RO 1.0.3 leaves to the third party where it hosts).

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::Uri;
use http::uri::Scheme;
use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use object_store::prefix::PrefixStore;
use object_store::{BackoffConfig, Certificate, ClientOptions, ObjectStore, RetryConfig};
use zeroize::Zeroizing;

use super::Blobs;
use crate::value::{ClientTrust, StoreError};

const PATIENCE: Duration = Duration::from_secs(5);
const READ_PATIENCE: Duration = Duration::from_secs(15);

/// A bucket for hosted media, and how it is reached; shows no secret.
///
/// It needs no rights but to put, get, list and delete objects, and to end multipart uploads. What a crash leaves of those
/// the bucket's own rule should remove (`AbortIncompleteMultipartUpload`).
#[derive(Clone)]
pub struct S3Bucket {
    name: String,
    region: String,
    endpoint: Option<Uri>,
    prefix: String,
    access: Option<(String, Zeroizing<String>)>,
    trust: ClientTrust,
}

impl S3Bucket {
    /// The bucket of this name at Amazon in `us-east-1`, with the access that the environment has (`AWS_*`, or the
    /// machine's role).
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            region: "us-east-1".to_owned(),
            endpoint: None,
            prefix: String::new(),
            access: None,
            trust: ClientTrust::public(),
        }
    }

    /// This bucket, trusting these authorities, and in plain text where they say so.
    #[must_use]
    pub fn with_trust(mut self, trust: &ClientTrust) -> Self {
        self.trust = trust.clone();
        self
    }

    /// This bucket in another region.
    #[must_use]
    pub fn with_region(mut self, region: &str) -> Self {
        region.clone_into(&mut self.region);
        self
    }

    /// This bucket at another store than Amazon's, named in the path of requests.
    ///
    /// # Errors
    /// [`StoreError::Endpoint`] unless it is `https`, or `http` on a loopback host or one of the [trust](Self::with_trust).
    pub fn with_endpoint(mut self, endpoint: Uri) -> Result<Self, StoreError> {
        let near = endpoint.host().is_some_and(|host| self.trust.is_plain(host));
        let plain = endpoint.scheme() == Some(&Scheme::HTTP) && near;
        if endpoint.host().is_none() || !(plain || endpoint.scheme() == Some(&Scheme::HTTPS)) {
            return Err(StoreError::Endpoint);
        }
        self.endpoint = Some(endpoint);
        Ok(self)
    }

    /// This bucket, only what is below this name in it.
    #[must_use]
    pub fn with_prefix(mut self, prefix: &str) -> Self {
        prefix.clone_into(&mut self.prefix);
        self
    }

    /// This bucket with this key.
    #[must_use]
    pub fn with_access(mut self, access_key_id: &str, secret_access_key: &str) -> Self {
        self.access = Some((access_key_id.to_owned(), Zeroizing::new(secret_access_key.to_owned())));
        self
    }
}

/// Short, and then 503: the client asks again.
fn retries() -> RetryConfig {
    let backoff = BackoffConfig {
        init_backoff: Duration::from_millis(100),
        max_backoff: Duration::from_secs(1),
        base: 2.0,
    };
    RetryConfig { backoff, max_retries: 2, retry_timeout: PATIENCE }
}

impl Blobs {
    /// Blobs as objects of this bucket; nothing is asked of it yet.
    ///
    /// # Errors
    /// [`StoreError::Endpoint`] for a name or a region that cannot be.
    pub fn in_bucket(bucket: &S3Bucket) -> Result<Self, StoreError> {
        let builder = match &bucket.access {
            Some((id, secret)) => {
                AmazonS3Builder::new().with_access_key_id(id).with_secret_access_key(secret.as_str())
            }
            None => from_environment(std::env::vars()),
        };
        let mut builder = builder.with_bucket_name(&bucket.name).with_region(&bucket.region);
        let mut plain = false;
        if let Some(endpoint) = &bucket.endpoint {
            plain = endpoint.scheme() == Some(&Scheme::HTTP);
            let endpoint = endpoint.to_string();
            builder = builder.with_endpoint(endpoint.trim_end_matches('/'));
        }
        let mut options = ClientOptions::new();
        if let Some(pem) = bucket.trust.pem() {
            for authority in Certificate::from_pem_bundle(pem).map_err(|_| StoreError::Endpoint)? {
                options = options.with_root_certificate(authority);
            }
        }
        // A large file streams for as long as it moves; what does not move is given up.
        let options = options
            .with_allow_http(plain)
            .with_timeout_disabled()
            .with_connect_timeout(PATIENCE)
            .with_read_timeout(READ_PATIENCE);
        // One at a time is all that is deleted, and not every store knows how to do it in bulk.
        let builder =
            builder.with_client_options(options).with_retry(retries()).with_disable_bulk_delete(true);
        let objects = builder.build();
        let objects = objects.map_err(|_| StoreError::Endpoint)?;
        let objects: Arc<dyn ObjectStore> = match bucket.prefix.as_str() {
            "" => Arc::new(objects),
            prefix => Arc::new(PrefixStore::new(objects, prefix)),
        };
        Ok(Self::new(objects))
    }
}

/// The access that the environment has, and nothing else of it: where the bucket is, and whether in plain text, is a
/// setting of ours.
fn from_environment(variables: impl Iterator<Item = (String, String)>) -> AmazonS3Builder {
    let ours = ["ENDPOINT", "ALLOW_HTTP", "ALLOW_INVALID", "BUCKET", "VIRTUAL_HOSTED", "PROXY"];
    let mut builder = AmazonS3Builder::new();
    for (name, value) in variables {
        if !name.starts_with("AWS_") || ours.iter().any(|ours| name.contains(ours)) {
            continue;
        }
        if let Ok(key) = name.to_ascii_lowercase().parse::<AmazonS3ConfigKey>() {
            builder = builder.with_config(key, value);
        }
    }
    builder
}

impl fmt::Debug for S3Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("S3Bucket")
            .field("name", &self.name)
            .field("region", &self.region)
            .field("endpoint", &self.endpoint)
            .field("prefix", &self.prefix)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_leaves_the_machine_is_encrypted_and_no_secret_shown() {
        let with = |url: &'static str| S3Bucket::new("b").with_endpoint(Uri::from_static(url)).map(drop);
        for url in ["https://s3.example", "http://127.0.0.1:9000", "http://localhost:9000/"] {
            assert_eq!(with(url), Ok(()), "{url}");
        }
        for url in ["http://s3.example", "s3://b", "/b"] {
            assert_eq!(with(url), Err(StoreError::Endpoint), "{url}");
        }
        let shown = format!("{:?}", S3Bucket::new("b").with_access("id", "hush"));
        assert!(!shown.contains("hush"), "{shown}");
    }

    /// Who may is the environment's to say; where it is, and whether in plain text, is not (Low).
    #[test]
    fn the_environment_says_who_and_not_where() {
        let variables = [
            ("AWS_ACCESS_KEY_ID", "id"),
            ("AWS_ENDPOINT_URL", "http://s3.example"),
            ("AWS_ENDPOINT_URL_S3", "http://s3.example"),
            ("AWS_ALLOW_HTTP", "true"),
            ("AWS_BUCKET_NAME", "other"),
            ("PATH", "/bin"),
        ];
        let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let builder = from_environment(variables.into_iter());
        let value = |key| builder.get_config_value(&key);
        assert_eq!(value(AmazonS3ConfigKey::AccessKeyId).as_deref(), Some("id"));
        assert_eq!((value(AmazonS3ConfigKey::Endpoint), value(AmazonS3ConfigKey::Bucket)), (None, None));
        let plain = object_store::ClientConfigKey::AllowHttp;
        assert_ne!(value(AmazonS3ConfigKey::Client(plain)).as_deref(), Some("true"));
    }
}
