//! The program `wa-integrator`: the third party's server for WhatsApp interoperability (seed §1.3).

mod cli;
mod key_commands;
mod media_commands;
mod serving;

use std::{
    io::{self, Write as _},
    process::ExitCode,
};

use clap::Parser as _;
use cli::{Arguments, Command, StartError};
use tracing_subscriber::EnvFilter;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let filter = EnvFilter::try_from_env("WA_INTEGRATOR_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr).init();
    match start(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nothing is left to do when even this cannot be written.
            let _ = writeln!(io::stderr(), "wa-integrator: {error}");
            ExitCode::FAILURE
        }
    }
}

#[tokio::main]
async fn start(arguments: Arguments) -> Result<(), StartError> {
    match arguments.command {
        Some(Command::Keys { command }) => key_commands::run(&command, &arguments.data).await,
        Some(Command::Media { command }) => media_commands::run(&command, &arguments.data).await,
        None => serving::serve(&arguments.serve, &arguments.data).await,
    }
}
