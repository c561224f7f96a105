//! The `wa` command: stanzas of the chat protocol (overview §2.1) from bytes to text and back, and a chat.
//!
//! Exit codes: 0 all was well; 1 an input was malformed; 2 the command line was wrong; 3 something could not be
//! read or written.

mod arguments;
#[cfg(feature = "chat")]
mod chat;
mod colour;
mod decode;
mod encode;
mod failure;
mod input;
#[cfg(feature = "media")]
mod media;
mod output;
mod recording;
#[cfg(any(feature = "chat", feature = "media"))]
mod shell;
mod stanza;

use std::process::ExitCode;

use clap::{CommandFactory, Parser};

use crate::arguments::{Arguments, Command, ProfileCommand};
use crate::failure::Failure;

fn main() -> ExitCode {
    let result = match Arguments::parse().command {
        Command::Decode(arguments) => decode::run(&arguments),
        Command::Encode(arguments) => encode::run(&arguments),
        #[cfg(feature = "chat")]
        Command::Chat(arguments) => chat::run(*arguments).map_err(Into::into),
        Command::Profile { command: ProfileCommand::Show { profile } } => {
            output::line(profile.to_toml().trim_end())
        }
        Command::Completions { shell } => {
            clap_complete::generate(shell, &mut Arguments::command(), "wa", &mut std::io::stdout());
            Ok(())
        }
        Command::Man { directory } => {
            let written = clap_mangen::generate_to(Arguments::command(), &directory);
            written.map_err(|error| Failure::Written { path: directory.display().to_string(), error })
        }
        #[cfg(feature = "media")]
        Command::Media { command } => media::run(&command).map_err(Into::into).and_then(|said| match said {
            Some(said) => output::line(&said),
            None => Ok(()),
        }),
        #[cfg(feature = "sandbox")]
        Command::Sandbox(arguments) => return sandbox(*arguments),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            failure.show();
            failure.exit_code()
        }
    }
}

/// A local WhatsApp, whose exit codes are its own.
#[cfg(feature = "sandbox")]
fn sandbox(arguments: wa_sandbox::program::Arguments) -> ExitCode {
    match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime.block_on(wa_sandbox::program::run(arguments)),
        Err(error) => {
            let failure = failure::Failure::Runtime(error);
            failure.show();
            failure.exit_code()
        }
    }
}
