//! Why the program cannot run, in one sentence.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use http::Uri;
use thiserror::Error;
use wa_http_server::{ServeError, SystemError, TlsError};
use wa_integrator::{
    BaseUrlError, IntegratorError, KeyError, KeyringError, KeysError, PrivateFileError, SinkError,
    StoreError, TokenError, UserIdentifierError,
};

use crate::settings::SettingsError;

/// Why the program cannot run; mostly the configuration's fault.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum StartError {
    /// Something of the server cannot be made.
    #[error(transparent)]
    Integrator(#[from] IntegratorError),
    /// The listener cannot be opened.
    #[error(transparent)]
    Serve(#[from] ServeError),
    /// The certificate or its key cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// A setting is wrong.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// A variable that is named like ours.
    #[error("{name} is no setting")]
    Environment {
        /// The name of the variable.
        name: String,
    },
    /// The variable that says what is logged.
    #[error("WA_INTEGRATOR_LOG is no filter: {reason}")]
    LogFilter {
        /// What is wrong with it.
        reason: String,
    },
    /// Nobody can be called that.
    #[error(transparent)]
    User(#[from] UserIdentifierError),
    /// Nobody said where the server is.
    #[error("a base url is needed (--base-url), because {address} is not a loopback address")]
    BaseUrlMissing {
        /// Where it listens.
        address: SocketAddr,
    },
    /// An authenticator lacks something.
    #[error("{name} is needed with this authenticator")]
    Missing {
        /// The name of the setting.
        name: &'static str,
    },
    /// Keys are not fetched from everywhere.
    #[error("{url} is not a url that keys may be fetched from: https, or push.allow_private")]
    KeyUrl {
        /// The URL that cannot be used.
        url: Uri,
    },
    /// Pushes cannot come where something else is.
    #[error("the path of pushes, {path}, is taken")]
    PushPath {
        /// The path that cannot be used.
        path: String,
    },
    /// The command line and the environment can be read by others.
    #[error("the database's password belongs into a file (store.postgres_password_file), not into its url")]
    PasswordShown,
    /// What one server keeps beside itself another could not know.
    #[error("{name} is needed with a database that several servers share")]
    Unshared {
        /// The name of the setting.
        name: &'static str,
    },
    /// One setting without its other half.
    #[error("{name} is needed as well")]
    Needed {
        /// The name of the setting.
        name: &'static str,
    },
    /// A feature is not in this program.
    #[error("this program was built without {name}")]
    NotBuilt {
        /// The name of the feature.
        name: &'static str,
    },
    /// There is nothing to work on.
    #[error("there is no store at {path}", path = .path.display())]
    NoStore {
        /// Where it should be.
        path: PathBuf,
    },
    /// A collector's URL cannot be used.
    #[error("traces cannot be sent there")]
    Collector,
    /// `doctor` found something bad.
    #[error("something that the server stands on is bad")]
    Unwell,
    /// `media fsck` found something.
    #[error("hosted media is not as it should be")]
    MediaUnsound,
    /// There is a recorder in the process already.
    #[error("the recorder of metrics cannot be installed")]
    Recorder,
    /// The operating system gives no signals.
    #[error("cannot listen for signals: {reason}")]
    Signal {
        /// What it said.
        reason: SystemError,
    },
    /// Standard output is closed.
    #[error("cannot write to standard output: {reason}")]
    Stdout {
        /// What the operating system said.
        reason: SystemError,
    },
}

macro_rules! through_integrator {
    ($($error:ty),+ $(,)?) => {
        $(impl From<$error> for StartError {
            fn from(error: $error) -> Self {
                Self::Integrator(error.into())
            }
        })+
    };
}

through_integrator!(
    BaseUrlError,
    KeyError,
    KeyringError,
    KeysError,
    PrivateFileError,
    SinkError,
    StoreError,
    TokenError,
);

impl StartError {
    /// Whether a flag is to blame.
    pub(crate) fn is_usage(&self) -> bool {
        matches!(self, Self::Settings(SettingsError::Given { origin, .. }) if origin.starts_with("--"))
    }

    pub(crate) fn stdout(error: io::Error) -> Self {
        Self::Stdout { reason: (&error).into() }
    }
}
