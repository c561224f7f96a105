//! The program's arguments.

use std::path::PathBuf;

use clap::{CommandFactory as _, Parser, Subcommand};

use crate::settings::{Settings, SettingsFile};

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

/// Which wake-ups.
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
        /// The file
        file: PathBuf,
    },
    /// Print the published key set
    ExportPublic,
}

/// Variables of the environment that are named like ours and are none of them.
pub(crate) fn unknown_variables() -> Vec<String> {
    let command = Arguments::command();
    let known: Vec<_> = command.get_arguments().filter_map(clap::Arg::get_env).collect();
    let set = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
    let ours = set.filter(|name| name.starts_with(PREFIX) && name != LOG && !is_of_a_cluster(name));
    ours.filter(|name| !known.iter().any(|known| *known == name.as_str())).collect()
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
const PREFIX: &str = "WA_INTEGRATOR_";

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
