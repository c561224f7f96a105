//! `[tokens]`: who gets identity tokens, and how many (overview §1.3).

use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::time::Duration;

use http::{HeaderName, Uri};
use ipnet::IpNet;
use serde::Deserialize;
use wa_integrator::PrivateFileError;
use wa_profile::TokenRules;
use zeroize::Zeroizing;

use super::value;
use super::value::{AddressOrNetwork, networks};
use crate::data_directory::DataDirectory;
use crate::error::StartError;

/// Who gets tokens.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct TokenSettings {
    #[serde(deserialize_with = "value::choice")]
    authenticator: AuthenticatorKind,
    shared_secret_file: Option<PathBuf>,
    shared_secret_also_file: Option<PathBuf>,
    #[serde(deserialize_with = "value::text")]
    proxy_header: Option<HeaderName>,
    #[serde(deserialize_with = "value::texts")]
    proxy: Vec<AddressOrNetwork>,
    oidc_issuer: Option<String>,
    oidc_audience: Option<String>,
    #[serde(deserialize_with = "value::text")]
    oidc_jwks_url: Option<Uri>,
    oidc_claim: Option<String>,
    lifetime: Option<u64>,
    a_minute: Option<NonZeroU32>,
}

/// Who recognises users, with all that they need.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Recognition {
    /// A credential that the service's own backend made with the shared secret
    SharedSecret,
    /// A proxy in front that names the user in a header
    Proxy {
        /// The header that the proxy sets.
        header: HeaderName,
        /// The proxies that are believed.
        proxies: Vec<IpNet>,
    },
    /// The service's identity provider
    Oidc {
        /// Its tokens' issuer.
        issuer: String,
        /// For whom they must be.
        audience: String,
        /// Where its keys are.
        jwks_url: Uri,
        /// The claim that is the user identifier.
        claim: String,
    },
}

/// [`Recognition`], as a setting.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum AuthenticatorKind {
    #[default]
    SharedSecret,
    Proxy,
    Oidc,
}

impl TokenSettings {
    /// Who recognises users.
    ///
    /// # Errors
    /// [`StartError::Missing`].
    pub(crate) fn recognition(&self) -> Result<Recognition, StartError> {
        fn needed<T: Clone>(value: Option<&T>, name: &'static str) -> Result<T, StartError> {
            value.cloned().ok_or(StartError::Missing { name })
        }
        Ok(match self.authenticator {
            AuthenticatorKind::SharedSecret => Recognition::SharedSecret,
            AuthenticatorKind::Proxy if self.proxy.is_empty() => {
                return Err(StartError::Missing { name: "tokens.proxy" });
            }
            AuthenticatorKind::Proxy => Recognition::Proxy {
                header: self.proxy_header.clone().unwrap_or(HeaderName::from_static("x-authenticated-user")),
                proxies: networks(&self.proxy),
            },
            AuthenticatorKind::Oidc => Recognition::Oidc {
                issuer: needed(self.oidc_issuer.as_ref(), "tokens.oidc_issuer")?,
                audience: needed(self.oidc_audience.as_ref(), "tokens.oidc_audience")?,
                jwks_url: needed(self.oidc_jwks_url.as_ref(), "tokens.oidc_jwks_url")?,
                claim: self.oidc_claim.clone().unwrap_or_else(|| "sub".to_owned()),
            },
        })
    }

    /// The file of the secret shared with the backend, if it is not in the data directory.
    pub(crate) fn shared_secret_file(&self) -> Option<&Path> {
        self.shared_secret_file.as_deref()
    }

    /// The second secret, if there is one.
    ///
    /// # Errors
    /// [`PrivateFileError`].
    pub(crate) fn other_secret(&self) -> Result<Option<Zeroizing<[u8; 32]>>, PrivateFileError> {
        self.shared_secret_also_file.as_deref().map(DataDirectory::existing_secret).transpose()
    }

    /// How long a token lives: as long as the rules allow, if nothing else is said.
    pub(crate) fn lifetime(&self, rules: &TokenRules) -> Duration {
        self.lifetime.map_or(rules.lifetime_max, Duration::from_secs)
    }

    /// How many tokens a user gets a minute.
    pub(crate) fn a_minute(&self) -> NonZeroU32 {
        const SIXTY: NonZeroU32 = NonZeroU32::new(60).expect("not zero");
        self.a_minute.unwrap_or(SIXTY)
    }
}
