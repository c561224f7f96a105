//! The program `wa-integrator`: the third party's server for WhatsApp interoperability (seed §1.3).

mod background;
mod cli;
mod config_commands;
mod doctor;
mod engines;
mod key_commands;
mod listening;
mod media_commands;
mod serving;
mod settings;
mod signals;
mod store_commands;
mod telemetry;

use std::{
    io::{self, Write as _},
    process::ExitCode,
};

use clap::Parser as _;
use cli::{Arguments, Command, ConfigCommand, StartError, StoreCommand};
use settings::Settings;
use telemetry::Telemetry;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
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
    let Arguments { command, file, settings } = arguments;
    let settings = settings.over_file(&file)?;
    let telemetry = Telemetry::begin(&settings.telemetry)?;
    let result = run(command, &settings).await;
    telemetry.end().await;
    result
}

async fn run(command: Option<Command>, settings: &Settings) -> Result<(), StartError> {
    match command {
        Some(Command::Keys { command }) => key_commands::run(&command, settings).await,
        Some(Command::Media { command }) => media_commands::run(&command, settings).await,
        Some(Command::Config { command: ConfigCommand::Check }) => config_commands::check(settings),
        Some(Command::Store { command: StoreCommand::Migrate }) => store_commands::migrate(settings).await,
        Some(Command::Doctor { json }) => doctor::examine(settings, json).await,
        None => serving::serve(settings).await,
    }
}
