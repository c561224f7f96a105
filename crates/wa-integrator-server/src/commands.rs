//! What the program does beside serving. Nothing here makes a store or changes the version of one, but `store`.

mod config;
mod doctor;
mod keys;
mod media;
mod outbox;
mod store;
mod users;

use std::io::{self, Write as _};

use crate::cli::{Command, ConfigCommand};
use crate::error::StartError;
use crate::settings::Settings;

pub use keys::key_keeper;

/// Does one command.
pub(crate) async fn run(command: &Command, settings: &Settings) -> Result<(), StartError> {
    match command {
        Command::Keys { command } => keys::run(command, settings).await,
        Command::Media { command } => media::run(command, settings).await,
        Command::Config { command: ConfigCommand::Check } => config::check(settings),
        Command::Store { command } => store::run(command, settings).await,
        Command::Outbox { command } => outbox::run(command, settings).await,
        Command::Users { command } => users::run(command, settings).await,
        Command::Doctor { json } => doctor::examine(settings, *json).await,
    }
}

fn print<T: AsRef<str>>(lines: impl IntoIterator<Item = T>) -> Result<(), StartError> {
    let mut stdout = io::stdout().lock();
    let written = lines.into_iter().try_for_each(|line| writeln!(stdout, "{}", line.as_ref()));
    written.and_then(|()| stdout.flush()).map_err(StartError::stdout)
}
