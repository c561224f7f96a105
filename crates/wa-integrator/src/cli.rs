//! The program's arguments and what can be wrong with them.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    num::NonZeroU32,
    path::PathBuf,
    time::Duration,
};

use clap::{Args, Parser, Subcommand, ValueEnum};
use http::{HeaderName, Uri};
use thiserror::Error;
use wa_integrator::{
    BaseUrl, ConnectionLimits, DataDirectory, IntegratorError, KeyRules, MasterKey, PrivateFileError,
    ServeError, SinkError, StoreError, Strangers, TokenError,
};
use wa_profile::TokenRules;

use crate::media_commands::{MediaArguments, MediaCommand};

/// The third party's server for WhatsApp interoperability: publishes its keys, issues identity tokens, takes
/// WhatsApp's wake-ups and hosts media.
///
/// Prints one line of JSON on standard output when it is ready: `ready`, `address`, `jwks`, `token`, `push`
/// and `media`.
/// Logs go to standard error; WA_INTEGRATOR_LOG selects them (error, warn, info, debug).
#[derive(Debug, Parser)]
#[command(version)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,

    #[command(flatten)]
    pub(crate) data: DataArguments,

    #[command(flatten)]
    pub(crate) serve: ServeArguments,
}

/// What to do instead of serving.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Show and change the signing keys, also while the server runs
    Keys {
        #[command(subcommand)]
        command: KeyCommand,
    },
    /// Look after hosted media
    Media {
        #[command(subcommand)]
        command: MediaCommand,
    },
}

/// What to do with the signing keys.
#[derive(Debug, Subcommand)]
pub(crate) enum KeyCommand {
    /// List the keys: name, state, and when they came into it
    List {
        /// One JSON object a line
        #[arg(long)]
        json: bool,
    },
    /// Let the next key sign from now on
    Rotate,
    /// Take a key out of the published set and out of use at once
    Revoke {
        /// The key's name, as `list` shows it
        #[arg(allow_hyphen_values = true)]
        kid: String,
    },
    /// Add a key that was made elsewhere, PKCS#8 in PEM, mode 0600
    Import {
        /// The file
        file: PathBuf,
    },
    /// Print the published key set
    ExportPublic,
}

/// Where the server's state lies.
#[derive(Debug, Args)]
pub(crate) struct DataArguments {
    /// The directory of the store and the secrets, made on first start; served by one process at a time.
    #[arg(
        long,
        global = true,
        value_name = "DIR",
        env = "WA_INTEGRATOR_DATA_DIR",
        default_value = "wa-integrator-data"
    )]
    pub(crate) data_dir: PathBuf,

    /// The key that private signing keys are encrypted with in the store, 64 hexadecimal digits; none by default.
    #[arg(long, global = true, value_name = "FILE", env = "WA_INTEGRATOR_MASTER_KEY_FILE")]
    pub(crate) master_key_file: Option<PathBuf>,

    /// How many days a key signs before the next one takes over.
    #[arg(
        long,
        global = true,
        value_name = "DAYS",
        env = "WA_INTEGRATOR_KEY_DAYS",
        default_value_t = 30,
        value_parser = clap::value_parser!(u32).range(2..=3650)
    )]
    pub(crate) key_days: u32,
}

/// How to serve.
#[derive(Debug, Args)]
pub(crate) struct ServeArguments {
    /// The address to listen on; port 0 takes a free one.
    #[arg(long, value_name = "ADDR", env = "WA_INTEGRATOR_LISTEN", default_value = "127.0.0.1:8080")]
    pub(crate) listen: SocketAddr,

    /// The public URL of this server, the tokens' issuer; by default the address, if it is loopback.
    #[arg(long, value_name = "URL", env = "WA_INTEGRATOR_BASE_URL")]
    pub(crate) base_url: Option<BaseUrl>,

    /// How users are recognised who ask for a token.
    #[arg(long, value_enum, env = "WA_INTEGRATOR_AUTHENTICATOR", default_value_t = Recognition::SharedSecret)]
    pub(crate) authenticator: Recognition,

    /// The secret shared with the service's backend, 64 hexadecimal digits, made on first start; by default
    /// `shared-secret` in the data directory. It also signs calls of the webhook.
    #[arg(long, value_name = "FILE", env = "WA_INTEGRATOR_SHARED_SECRET_FILE")]
    pub(crate) shared_secret_file: Option<PathBuf>,

    /// With `proxy`: the header in which the proxy names the user.
    #[arg(
        long,
        value_name = "NAME",
        env = "WA_INTEGRATOR_PROXY_HEADER",
        default_value = "x-authenticated-user"
    )]
    pub(crate) proxy_header: HeaderName,

    /// With `proxy`: the addresses of proxies that are believed, separated by commas.
    #[arg(long, value_name = "IP", env = "WA_INTEGRATOR_PROXY", value_delimiter = ',')]
    pub(crate) proxy: Vec<IpAddr>,

    /// With `oidc`: the identity provider's issuer, as its tokens say it.
    #[arg(long, value_name = "ISS", env = "WA_INTEGRATOR_OIDC_ISSUER")]
    pub(crate) oidc_issuer: Option<String>,

    /// With `oidc`: the audience that tokens must be for.
    #[arg(long, value_name = "AUD", env = "WA_INTEGRATOR_OIDC_AUDIENCE")]
    pub(crate) oidc_audience: Option<String>,

    /// With `oidc`: where the identity provider publishes its keys.
    #[arg(long, value_name = "URL", env = "WA_INTEGRATOR_OIDC_JWKS_URL")]
    pub(crate) oidc_jwks_url: Option<Uri>,

    /// With `oidc`: the claim that is the user identifier.
    #[arg(long, value_name = "CLAIM", env = "WA_INTEGRATOR_OIDC_CLAIM", default_value = "sub")]
    pub(crate) oidc_claim: String,

    /// How many seconds a token lives.
    #[arg(long, value_name = "SECONDS", env = "WA_INTEGRATOR_TOKEN_LIFETIME", default_value_t = 3600)]
    pub(crate) token_lifetime: u64,

    /// How many tokens a user gets a minute.
    #[arg(long, value_name = "N", env = "WA_INTEGRATOR_TOKENS_A_MINUTE", default_value = "60")]
    pub(crate) tokens_a_minute: NonZeroU32,

    /// Where wake-ups are posted: the service's backend. Without it no pushes are taken.
    #[arg(long, value_name = "URL", env = "WA_INTEGRATOR_WEBHOOK")]
    pub(crate) webhook: Option<Uri>,

    /// The path of pushes below the base URL.
    #[arg(long, value_name = "PATH", env = "WA_INTEGRATOR_PUSH_PATH", value_parser = path)]
    pub(crate) push_path: Option<String>,

    /// What to do about pushes for users who never got a token from here.
    #[arg(long, value_enum, env = "WA_INTEGRATOR_STRANGERS", default_value_t = StrangerChoice::Deliver)]
    pub(crate) strangers: StrangerChoice,

    /// How many pushes a user gets a minute.
    #[arg(long, value_name = "N", env = "WA_INTEGRATOR_PUSHES_A_MINUTE", default_value = "60")]
    pub(crate) pushes_a_minute: NonZeroU32,

    /// Where WhatsApp publishes its keys; by default as the profile says.
    #[arg(long, value_name = "URL", env = "WA_INTEGRATOR_WHATSAPP_JWKS_URL")]
    pub(crate) whatsapp_jwks_url: Option<Uri>,

    /// Fetch keys also by plain http and from private addresses; for tests.
    #[arg(long, env = "WA_INTEGRATOR_ALLOW_PRIVATE")]
    pub(crate) allow_private: bool,

    /// How many seconds pass after a fetch of somebody's keys before an unknown name may cause another one.
    #[arg(long, value_name = "SECONDS", env = "WA_INTEGRATOR_KEY_COOLDOWN", default_value_t = 15,
        value_parser = clap::value_parser!(u64).range(1..=300))]
    pub(crate) key_cooldown: u64,

    /// How many seconds pass until a change of the keys by another process is seen.
    #[arg(long, value_name = "SECONDS", env = "WA_INTEGRATOR_KEY_REFRESH", default_value_t = 5,
        value_parser = clap::value_parser!(u64).range(1..=60))]
    pub(crate) key_refresh: u64,

    #[command(flatten)]
    pub(crate) media: MediaArguments,

    /// How many connections are served at a time.
    #[arg(long, value_name = "N", env = "WA_INTEGRATOR_CONNECTIONS", default_value_t = 1024,
        value_parser = clap::builder::RangedU64ValueParser::<u32>::new().range(1..=100_000))]
    pub(crate) connections: u32,
}

/// Who recognises users.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Recognition {
    /// A credential that the service's own backend made with the shared secret
    SharedSecret,
    /// A header that a proxy in front sets
    Proxy,
    /// A bearer token of the service's identity provider
    Oidc,
}

/// [`Strangers`], as an argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum StrangerChoice {
    /// Deliver them: the backend knows its users
    Deliver,
    /// Answer 200 and drop them
    Drop,
    /// Answer 404
    NotFound,
}

/// Why the program cannot run, in one sentence.
#[derive(Debug, Error)]
pub(crate) enum StartError {
    #[error(transparent)]
    Integrator(#[from] IntegratorError),
    #[error("--base-url is needed, because {address} is not a loopback address")]
    BaseUrlMissing { address: SocketAddr },
    #[error("--{name} is needed with this authenticator")]
    Missing { name: &'static str },
    #[error("{url} is not a url that keys may be fetched from: https, or --allow-private")]
    KeyUrl { url: Uri },
    #[error("hosted media is not as it should be")]
    MediaUnsound,
    #[error("cannot listen for signals: {kind}")]
    Signal { kind: io::ErrorKind },
    #[error("cannot write to standard output: {kind}")]
    Stdout { kind: io::ErrorKind },
}

impl DataArguments {
    /// The master key, if there is a file of it.
    pub(crate) fn master_key(&self) -> Result<Option<MasterKey>, PrivateFileError> {
        self.master_key_file.as_deref().map(DataDirectory::master_key).transpose()
    }

    /// The times of the keys.
    pub(crate) fn key_rules(&self, rules: &TokenRules) -> KeyRules {
        let period = Duration::from_secs(u64::from(self.key_days) * 24 * 60 * 60);
        KeyRules::new(rules.peer_refresh_max, rules.lifetime_max).with_period(period)
    }
}

impl ServeArguments {
    /// How long a token lives.
    pub(crate) const fn lifetime(&self) -> Duration {
        Duration::from_secs(self.token_lifetime)
    }

    /// The limits on connections.
    pub(crate) fn limits(&self) -> ConnectionLimits {
        let connections = usize::try_from(self.connections).unwrap_or(usize::MAX);
        ConnectionLimits::default().with_connections(connections)
    }
}

impl From<StrangerChoice> for Strangers {
    fn from(choice: StrangerChoice) -> Self {
        match choice {
            StrangerChoice::Deliver => Self::Deliver,
            StrangerChoice::Drop => Self::Drop,
            StrangerChoice::NotFound => Self::NotFound,
        }
    }
}

impl From<PrivateFileError> for StartError {
    fn from(error: PrivateFileError) -> Self {
        Self::Integrator(error.into())
    }
}

impl From<ServeError> for StartError {
    fn from(error: ServeError) -> Self {
        Self::Integrator(error.into())
    }
}

impl From<TokenError> for StartError {
    fn from(error: TokenError) -> Self {
        Self::Integrator(error.into())
    }
}

impl From<StoreError> for StartError {
    fn from(error: StoreError) -> Self {
        Self::Integrator(error.into())
    }
}

impl From<SinkError> for StartError {
    fn from(error: SinkError) -> Self {
        Self::Integrator(error.into())
    }
}

/// A path below the base URL: plain segments, as in the base URL itself.
fn path(text: &str) -> Result<String, String> {
    let url = format!("https://integrator.example{text}");
    match url.parse::<BaseUrl>() {
        Ok(url) if url.path() == text && !text.is_empty() => Ok(text.to_owned()),
        _ => Err("a path begins with a slash and has plain segments, such as /push".to_owned()),
    }
}
