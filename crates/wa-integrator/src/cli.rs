//! The program's arguments and what can be wrong with them.

use std::{io, net::SocketAddr, path::PathBuf, time::Duration};

use clap::Parser;
use thiserror::Error;
use wa_integrator::{BaseUrl, ConnectionLimits, IntegratorError, PrivateFileError, ServeError, TokenError};

/// The third party's server for WhatsApp interoperability: publishes its keys and issues identity tokens.
///
/// Prints one line of JSON on standard output when it is ready: `ready`, `address`, `jwks` and `token`.
/// Logs go to standard error; WA_INTEGRATOR_LOG selects them (error, warn, info, debug).
#[derive(Debug, Parser)]
#[command(version)]
pub(crate) struct Arguments {
    /// The address to listen on; port 0 takes a free one.
    #[arg(long, value_name = "ADDR", env = "WA_INTEGRATOR_LISTEN", default_value = "127.0.0.1:8080")]
    pub(crate) listen: SocketAddr,

    /// The public URL of this server, the tokens' issuer; by default the address, if it is loopback.
    #[arg(long, value_name = "URL", env = "WA_INTEGRATOR_BASE_URL")]
    pub(crate) base_url: Option<BaseUrl>,

    /// The directory of the signing key, made on first start; used by one process at a time.
    #[arg(long, value_name = "DIR", env = "WA_INTEGRATOR_DATA_DIR", default_value = "wa-integrator-data")]
    pub(crate) data_dir: PathBuf,

    /// The secret shared with the service's backend, 64 hexadecimal digits, made on first start; by default
    /// `shared-secret` in the data directory.
    #[arg(long, value_name = "FILE", env = "WA_INTEGRATOR_SHARED_SECRET_FILE")]
    pub(crate) shared_secret_file: Option<PathBuf>,

    /// How many seconds a token lives.
    #[arg(long, value_name = "SECONDS", env = "WA_INTEGRATOR_TOKEN_LIFETIME", default_value_t = 3600)]
    pub(crate) token_lifetime: u64,

    /// How many connections are served at a time.
    #[arg(long, value_name = "N", env = "WA_INTEGRATOR_CONNECTIONS", default_value_t = 1024,
        value_parser = clap::builder::RangedU64ValueParser::<u32>::new().range(1..=100_000))]
    pub(crate) connections: u32,
}

/// Why the program cannot run, in one sentence.
#[derive(Debug, Error)]
pub(crate) enum StartError {
    #[error(transparent)]
    Integrator(#[from] IntegratorError),
    #[error("--base-url is needed, because {address} is not a loopback address")]
    BaseUrlMissing { address: SocketAddr },
    #[error("cannot listen for signals: {kind}")]
    Signal { kind: io::ErrorKind },
    #[error("cannot write to standard output: {kind}")]
    Stdout { kind: io::ErrorKind },
}

impl Arguments {
    /// How long a token lives.
    pub(crate) fn lifetime(&self) -> Duration {
        Duration::from_secs(self.token_lifetime)
    }

    /// The limits on connections.
    pub(crate) fn limits(&self) -> ConnectionLimits {
        let connections = usize::try_from(self.connections).unwrap_or(usize::MAX);
        ConnectionLimits::default().with_connections(connections)
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
