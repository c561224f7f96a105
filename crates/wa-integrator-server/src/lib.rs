#![doc = include_str!("../README.md")]
//!
//! # In detail
//! The program `wa-integrator` as a library: settings, commands, and the server put together from them (overview §1.3).
//!
//! What the program does, [`main`] does; [`run::Assembly`] is the server for a process that has others in it, put together
//! by the same code.

mod cli;
mod commands;
mod data_directory;
mod error;
pub mod run;
mod settings;
mod telemetry;

use std::io::{self, Write as _};
use std::process::ExitCode;

use clap::Parser as _;

use crate::cli::Arguments;
use crate::telemetry::Telemetry;

pub use commands::key_keeper;
pub use data_directory::DataDirectory;
pub use error::StartError;
pub use settings::{Settings, SettingsError};

/// The whole program, from its arguments to its end.
#[must_use]
pub fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            let _ = error.print();
            if let Some(advice) = cli::advice(&error) {
                let _ = writeln!(io::stderr(), "{advice}");
            }
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    match start(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nothing is left to do when even this cannot be written.
            let _ = writeln!(io::stderr(), "wa-integrator: {error}");
            ExitCode::from(if error.is_usage() { 2 } else { 1 })
        }
    }
}

#[tokio::main]
async fn start(arguments: Arguments) -> Result<(), StartError> {
    let Arguments { command, flags } = arguments;
    let settings = Settings::read(flags.config.as_deref(), &flags.given())?;
    let telemetry = Telemetry::begin(&settings)?;
    let result = match command {
        Some(command) => commands::run(&command, &settings).await,
        None => run::serve(&settings).await,
    };
    telemetry.end().await;
    result
}
