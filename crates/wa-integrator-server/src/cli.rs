//! The program's arguments.

use std::path::PathBuf;

use clap::error::{ContextKind, ContextValue};
use clap::{Args, Parser, Subcommand};

use crate::settings;
use crate::settings::{Given, PREFIX, is_setting, variables};

/// The third party's server for WhatsApp interoperability: publishes its keys, issues identity tokens, takes
/// WhatsApp's wake-ups and hosts media.
///
/// Prints one line of JSON on standard output when it is ready: `ready`, `address`, `jwks`, `token`, `push`
/// and `media`.
/// Logs go to standard error; WA_INTEGRATOR_LOG selects them (error, warn, info, debug).
/// Every setting, and its variable of the environment, is in docs/OPERATIONS.md.
#[derive(Debug, Parser)]
#[command(version)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,

    #[command(flatten)]
    pub(crate) flags: Flags,
}

/// Settings that are often given on the command line; --set gives any. Each has a variable WA_INTEGRATOR_* too: see
/// docs/OPERATIONS.md.
#[derive(Debug, Args)]
pub(crate) struct Flags {
    /// The file of settings, TOML; flags and the environment come before it
    #[arg(long, global = true, value_name = "FILE", env = "WA_INTEGRATOR_CONFIG")]
    pub(crate) config: Option<PathBuf>,
    /// The rules that apply: a document, overview or 1.0.3, or a TOML file as `wa profile show` prints one [default: 1.0.3]
    #[arg(long, global = true, value_name = "NAME|FILE")]
    profile: Option<String>,
    /// The directory of the store and the secrets, made on first start [default: wa-integrator-data]
    #[arg(long, global = true, value_name = "DIR")]
    data_dir: Option<String>,
    /// The address to listen on; port 0 takes a free one [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDR")]
    listen: Option<String>,
    /// The public URL of this server, the tokens' issuer [default: the address, if it is loopback]
    #[arg(long, value_name = "URL")]
    base_url: Option<String>,
    /// Where operators ask for /health, /ready, /metrics and /build: a port of the loopback address, or an address that the
    /// public cannot reach [default: nowhere]
    #[arg(long, value_name = "PORT|ADDR")]
    admin_listen: Option<String>,
    /// The certificates in PEM, the server's own first; with it, the server speaks TLS only
    #[arg(long, value_name = "FILE")]
    tls_certificate: Option<String>,
    /// Its private key in PEM
    #[arg(long, value_name = "FILE")]
    tls_key: Option<String>,
    /// Where wake-ups are posted: the service's backend. Without any place for them no pushes are taken
    #[arg(long, value_name = "URL")]
    webhook: Option<String>,
    /// How logs are written: text or json [default: text]
    #[arg(long, value_name = "FORMAT")]
    log_format: Option<String>,
    /// Any setting, such as tokens.lifetime=600
    #[arg(long, global = true, value_name = "SETTING=VALUE")]
    set: Vec<String>,
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
    /// Look after wake-ups: those that wait, and those that were given up
    Outbox {
        #[command(subcommand)]
        command: OutboxCommand,
    },
    /// Look after users
    Users {
        #[command(subcommand)]
        command: UserCommand,
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
    /// Make the store, or bring it to this program's version. A database is never brought there by a start of the server,
    /// because older programs may use it
    Upgrade,
}

/// What to do with wake-ups.
#[derive(Debug, Subcommand)]
pub(crate) enum OutboxCommand {
    /// List wake-ups that were given up, the latest first
    List {
        #[command(flatten)]
        which: WhichWakeUps,
        /// How many at most
        #[arg(long, default_value_t = 100)]
        limit: usize,
        /// One JSON object a line
        #[arg(long)]
        json: bool,
    },
    /// Try wake-ups again that were given up, from now on for a day
    Retry {
        #[command(flatten)]
        which: WhichWakeUps,
        /// All that were given up, if neither a user nor a sink is named
        #[arg(long)]
        all: bool,
    },
    /// Drop wake-ups that were given up
    Drop {
        #[command(flatten)]
        which: WhichWakeUps,
        /// All that were given up, if neither a user nor a sink is named
        #[arg(long)]
        all: bool,
        /// Those that wait, too
        #[arg(long)]
        waiting: bool,
    },
}

/// Chooses wake-ups by user and by sink.
#[derive(Debug, clap::Args)]
pub(crate) struct WhichWakeUps {
    /// Those for one user
    #[arg(long)]
    pub(crate) user: Option<String>,
    /// Those for one sink, such as `webhook`
    #[arg(long)]
    pub(crate) sink: Option<String>,
}

/// What to do with users.
#[derive(Debug, Subcommand)]
pub(crate) enum UserCommand {
    /// Forget a user: that they got tokens, their wake-ups, and the files that they uploaded
    Forget {
        /// The user's identifier
        user: String,
    },
}

/// What to do with hosted media.
#[derive(Debug, Subcommand)]
pub(crate) enum MediaCommand {
    /// Compare the index with the files, also while the server runs; ends with an error if anything is wrong
    Fsck {
        /// Read every file and compare its digest
        #[arg(long)]
        verify: bool,
        /// Remove files that have lain there for a day and that nobody knows, unless they are so many that rather the index
        /// is wrong
        #[arg(long)]
        remove: bool,
        /// Remove them if they are exactly so many, as `fsck` said before
        #[arg(long, value_name = "N")]
        yes_remove: Option<u64>,
        /// One JSON object
        #[arg(long)]
        json: bool,
    },
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
        /// The file that holds it
        file: PathBuf,
    },
    /// Print the published key set
    ExportPublic,
}

impl Flags {
    /// What they and the environment give; of two the later counts.
    pub(crate) fn given(&self) -> Vec<Given> {
        let flags = [
            ("--profile", "profile", &self.profile),
            ("--data-dir", "store.data_dir", &self.data_dir),
            ("--listen", "listen.address", &self.listen),
            ("--base-url", "listen.base_url", &self.base_url),
            ("--admin-listen", "admin.listen", &self.admin_listen),
            ("--tls-certificate", "tls.certificate", &self.tls_certificate),
            ("--tls-key", "tls.key", &self.tls_key),
            ("--webhook", "push.webhook", &self.webhook),
            ("--log-format", "telemetry.log_format", &self.log_format),
        ];
        let set = self.set.iter().map(|set| {
            let (key, value) = set.split_once('=').unwrap_or((set, "true"));
            Given { key: key.to_owned(), origin: format!("--set {key}"), value: value.to_owned() }
        });
        let flags = flags.into_iter().filter_map(|(origin, key, value)| {
            Some(Given { key: key.to_owned(), origin: origin.to_owned(), value: value.clone()? })
        });
        variables().chain(flags).chain(set).collect()
    }
}

/// How to say what earlier versions had a flag for.
pub(crate) fn advice(error: &clap::Error) -> Option<String> {
    let (ContextKind::InvalidArg, ContextValue::String(flag)) = error.context().next()? else { return None };
    let name = flag.strip_prefix("--")?.to_ascii_uppercase().replace('-', "_");
    let (variable, key) =
        settings::VARIABLES.iter().find(|(known, _)| known.strip_prefix(PREFIX) == Some(&name))?;
    Some(format!(
        "{flag} is a setting: give it by --set {key}=VALUE, by {variable}, or in the file of --config"
    ))
}

/// Variables of the environment that are named like ours and are none of them.
pub(crate) fn unknown_variables() -> Vec<String> {
    let set = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
    let ours = set.filter(|name| name.starts_with(PREFIX) && name != LOG && name != CONFIG);
    ours.filter(|name| !is_of_a_cluster(name) && !is_setting(name)).collect()
}

/// Whether Kubernetes sets such a variable for a service that is named `wa-integrator`.
fn is_of_a_cluster(name: &str) -> bool {
    let Some(rest) = name.strip_prefix(PREFIX) else { return false };
    rest.starts_with("SERVICE_HOST")
        || rest.starts_with("SERVICE_PORT")
        || rest == "PORT"
        || rest
            .strip_prefix("PORT_")
            .is_some_and(|rest| rest.starts_with(|first: char| first.is_ascii_digit()))
}

/// The variable that says what is logged.
pub(crate) const LOG: &str = "WA_INTEGRATOR_LOG";
/// The variable that names the file of settings.
const CONFIG: &str = "WA_INTEGRATOR_CONFIG";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_cluster_sets_for_its_service_is_no_setting_of_ours() {
        for name in [
            "WA_INTEGRATOR_SERVICE_HOST",
            "WA_INTEGRATOR_SERVICE_PORT",
            "WA_INTEGRATOR_SERVICE_PORT_HTTP",
            "WA_INTEGRATOR_PORT",
            "WA_INTEGRATOR_PORT_8080_TCP",
            "WA_INTEGRATOR_PORT_8080_TCP_ADDR",
            "WA_INTEGRATOR_PORT_8080_TCP_PROTO",
        ] {
            assert!(is_of_a_cluster(name), "{name}");
        }
        for name in
            ["WA_INTEGRATOR_SERVICE", "WA_INTEGRATOR_PORTS", "WA_INTEGRATOR_PORT_X", "WA_INTEGRATOR_LISTN"]
        {
            assert!(!is_of_a_cluster(name), "{name}");
        }
    }
}
