//! The program's arguments and what can be wrong with them.

use std::{io, net::SocketAddr, path::PathBuf};

use clap::{CommandFactory as _, Parser, Subcommand};
use http::Uri;
use thiserror::Error;
use wa_integrator::{
    IntegratorError, PrivateFileError, ServeError, SinkError, StoreError, TlsError, TokenError,
};

use crate::{
    media_commands::MediaCommand,
    settings::{Settings, SettingsFile, SettingsFileError},
};

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
    pub(crate) file: SettingsFile,

    #[command(flatten)]
    pub(crate) settings: Settings,
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
    /// Look after the store
    Store {
        #[command(subcommand)]
        command: StoreCommand,
    },
    /// Look at everything that the server stands on, and say what is wrong; changes nothing
    Doctor {
        /// One JSON object a line
        #[arg(long)]
        json: bool,
    },
    /// Look after the settings
    Config {
        #[command(subcommand)]
        command: ConfigCommand,
    },
}

/// What to do with the store.
#[derive(Debug, Subcommand)]
pub(crate) enum StoreCommand {
    /// Copy the store and the index of media from the data directory into the database of --postgres, which must be empty;
    /// the server must not run. Prints how much it was, as JSON
    Migrate,
}

/// What to do with the settings.
#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Read the settings and the files that they name, and say what is wrong; nothing is opened or made
    Check,
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

/// Why the program cannot run, in one sentence.
#[derive(Debug, Error)]
pub(crate) enum StartError {
    #[error(transparent)]
    Integrator(#[from] IntegratorError),
    #[error(transparent)]
    Settings(#[from] SettingsFileError),
    #[error("{name} is no setting")]
    Environment { name: String },
    #[error("--base-url is needed, because {address} is not a loopback address")]
    BaseUrlMissing { address: SocketAddr },
    #[error("--{name} is needed with this authenticator")]
    Missing { name: &'static str },
    #[error("{url} is not a url that keys may be fetched from: https, or --allow-private")]
    KeyUrl { url: Uri },
    #[cfg(feature = "postgres")]
    #[error("the database's password belongs into a file (--postgres-password-file), not into its url")]
    PasswordShown,
    #[error("--{name} is needed with a database that several servers share")]
    Unshared { name: &'static str },
    #[error("--{name} is needed as well")]
    Needed { name: &'static str },
    #[cfg(not(all(feature = "nats", feature = "otel", feature = "postgres", feature = "s3")))]
    #[error("this program was built without {name}")]
    NotBuilt { name: &'static str },
    #[cfg(feature = "postgres")]
    #[error("there is no store at {path}", path = .path.display())]
    NoStore { path: PathBuf },
    #[cfg(feature = "otel")]
    #[error("traces cannot be sent there")]
    Collector,
    #[error("something is wrong")]
    Unwell,
    #[error("hosted media is not as it should be")]
    MediaUnsound,
    #[error("the recorder of metrics cannot be installed")]
    Recorder,
    #[error("cannot listen for signals: {kind}")]
    Signal { kind: io::ErrorKind },
    #[error("cannot write to standard output: {kind}")]
    Stdout { kind: io::ErrorKind },
}

impl From<PrivateFileError> for StartError {
    fn from(error: PrivateFileError) -> Self {
        Self::Integrator(error.into())
    }
}

impl From<TlsError> for StartError {
    fn from(error: TlsError) -> Self {
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

/// Variables of the environment that are named like ours and are none of them.
pub(crate) fn unknown_variables() -> Vec<String> {
    let command = Arguments::command();
    let known: Vec<_> = command.get_arguments().filter_map(clap::Arg::get_env).collect();
    let set = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
    let ours = set.filter(|name| name.starts_with(PREFIX) && name != LOG);
    ours.filter(|name| !known.iter().any(|known| *known == name.as_str())).collect()
}

/// The variable that says what is logged.
pub(crate) const LOG: &str = "WA_INTEGRATOR_LOG";
const PREFIX: &str = "WA_INTEGRATOR_";
