//! `[tokens]`: who gets identity tokens, and how many (overview §1.3).

use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, ValueEnum};
use http::{HeaderName, Uri};
use ipnet::IpNet;
use serde::Deserialize;
use wa_profile::TokenRules;

use wa_integrator::PrivateFileError;
use zeroize::Zeroizing;

use super::value::{AddressOrNetwork, networks};
use super::{over, value};
use crate::data_directory::DataDirectory;
use crate::error::StartError;

/// Who gets tokens.
#[derive(Debug, Default, Args, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct TokenSettings {
    /// How users are recognised who ask for a token [default: shared-secret].
    #[arg(long, value_enum, env = "WA_INTEGRATOR_AUTHENTICATOR")]
    authenticator: Option<RecognitionChoice>,

    /// The secret shared with the service's backend, 64 hexadecimal digits, made on first start; by default
    /// `shared-secret` in the data directory. It also signs calls of the webhook.
    #[arg(long, value_name = "FILE", env = "WA_INTEGRATOR_SHARED_SECRET_FILE")]
    shared_secret_file: Option<PathBuf>,

    /// A second secret of the same form that is accepted too, and signs calls of the webhook too (as Standard Webhooks): for
    /// changing the secret without a gap.
    #[arg(long, value_name = "FILE", env = "WA_INTEGRATOR_SHARED_SECRET_ALSO_FILE")]
    shared_secret_also_file: Option<PathBuf>,

    /// With `proxy`: the header in which the proxy names the user [default: x-authenticated-user].
    #[arg(long, value_name = "NAME", env = "WA_INTEGRATOR_PROXY_HEADER")]
    #[serde(deserialize_with = "value::text")]
    proxy_header: Option<HeaderName>,

    /// With `proxy`: the addresses or networks of proxies that are believed, separated by commas.
    #[arg(long, value_name = "NETWORK", env = "WA_INTEGRATOR_PROXY", value_delimiter = ',')]
    #[serde(deserialize_with = "value::texts")]
    proxy: Option<Vec<AddressOrNetwork>>,

    /// With `oidc`: the identity provider's issuer, as its tokens say it.
    #[arg(long, value_name = "ISS", env = "WA_INTEGRATOR_OIDC_ISSUER")]
    oidc_issuer: Option<String>,

    /// With `oidc`: the audience that tokens must be for.
    #[arg(long, value_name = "AUD", env = "WA_INTEGRATOR_OIDC_AUDIENCE")]
    oidc_audience: Option<String>,

    /// With `oidc`: where the identity provider publishes its keys.
    #[arg(long, value_name = "URL", env = "WA_INTEGRATOR_OIDC_JWKS_URL")]
    #[serde(deserialize_with = "value::text")]
    oidc_jwks_url: Option<Uri>,

    /// With `oidc`: the claim that is the user identifier [default: sub].
    #[arg(long, value_name = "CLAIM", env = "WA_INTEGRATOR_OIDC_CLAIM")]
    oidc_claim: Option<String>,

    /// How many seconds a token lives [default: as many as the profile allows, 3600].
    #[arg(
        id = "token_lifetime",
        long = "token-lifetime",
        value_name = "SECONDS",
        env = "WA_INTEGRATOR_TOKEN_LIFETIME"
    )]
    lifetime: Option<u64>,

    /// How many tokens a user gets a minute [default: 60].
    #[arg(
        id = "tokens_a_minute",
        long = "tokens-a-minute",
        value_name = "N",
        env = "WA_INTEGRATOR_TOKENS_A_MINUTE"
    )]
    a_minute: Option<NonZeroU32>,
}

/// Who recognises users, with all that they need.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Recognition {
    /// A credential that the service's own backend made with the shared secret
    SharedSecret,
    /// A proxy in front that names the user in a header
    Proxy {
        /// The header.
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum RecognitionChoice {
    /// A credential that the service's own backend made with the shared secret
    SharedSecret,
    /// A header that a proxy in front sets
    Proxy,
    /// A bearer token of the service's identity provider
    Oidc,
}

impl TokenSettings {
    pub(super) fn over(self, below: Self) -> Self {
        over!(
            self,
            below,
            authenticator,
            shared_secret_file,
            shared_secret_also_file,
            proxy_header,
            proxy,
            oidc_issuer,
            oidc_audience,
            oidc_jwks_url,
            oidc_claim,
            lifetime,
            a_minute,
        )
    }

    /// Who recognises users.
    ///
    /// # Errors
    /// [`StartError::Missing`].
    pub(crate) fn recognition(&self) -> Result<Recognition, StartError> {
        let needed = |value: &Option<String>, name| value.clone().ok_or(StartError::Missing { name });
        Ok(match self.authenticator.unwrap_or(RecognitionChoice::SharedSecret) {
            RecognitionChoice::SharedSecret => Recognition::SharedSecret,
            RecognitionChoice::Proxy => {
                let header = self.proxy_header.clone();
                let proxies = self.proxy.clone().filter(|proxies| !proxies.is_empty());
                Recognition::Proxy {
                    header: header.unwrap_or(HeaderName::from_static("x-authenticated-user")),
                    proxies: networks(&proxies.ok_or(StartError::Missing { name: "proxy" })?),
                }
            }
            RecognitionChoice::Oidc => Recognition::Oidc {
                issuer: needed(&self.oidc_issuer, "oidc-issuer")?,
                audience: needed(&self.oidc_audience, "oidc-audience")?,
                jwks_url: self.oidc_jwks_url.clone().ok_or(StartError::Missing { name: "oidc-jwks-url" })?,
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
