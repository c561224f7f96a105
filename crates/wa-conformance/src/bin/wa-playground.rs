//! `wa-playground`: a local WhatsApp and a service of one's own, with one user to chat as.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use wa_conformance::{Failure, Playground, Rules};

/// Starts everything that a chat needs on loopback, and the chat.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Chat as a user of the service, with a phone that answers
    Chat {
        /// The program wa
        #[arg(long, value_name = "PATH")]
        wa: PathBuf,
        /// The rules that apply: a document, overview or 1.0.3, or a TOML file as `wa profile show` prints one
        #[arg(long, value_name = "NAME|FILE", default_value = "1.0.3", value_parser = open)]
        profile: Box<Rules>,
    },
    /// Print a fresh token of the service that a chat was started with
    #[command(hide = true)]
    Token {
        /// Where to ask, and with what secret, in JSON
        #[arg(env = "WA_PLAYGROUND", hide_env_values = true)]
        service: String,
    },
    /// Print what that service recognises the user by
    #[command(hide = true)]
    Credential {
        /// Where to ask, and with what secret, in JSON
        #[arg(env = "WA_PLAYGROUND", hide_env_values = true)]
        service: String,
    },
}

#[tokio::main]
#[expect(clippy::print_stderr, reason = "a command-line program")]
async fn main() -> ExitCode {
    let done: Result<ExitCode, Failure> = match Arguments::parse().what {
        What::Chat { wa, profile } => chat(&wa, *profile).await,
        What::Token { service } => Playground::token(&service).await.map(|token| print(&token)),
        What::Credential { service } => {
            Playground::credential_of(&service).map(|credential| print(&credential))
        }
    };
    done.unwrap_or_else(|failure| {
        eprintln!("wa-playground: {failure}");
        ExitCode::FAILURE
    })
}

fn open(name_or_path: &str) -> Result<Box<Rules>, String> {
    Rules::open(name_or_path).map(Box::new).map_err(|error| error.to_string())
}

#[expect(clippy::print_stdout, reason = "a command-line program")]
fn print(text: &str) -> ExitCode {
    println!("{text}");
    ExitCode::SUCCESS
}

async fn chat(wa: &std::path::Path, rules: Rules) -> Result<ExitCode, Failure> {
    let playground = Playground::start(rules).await?;
    let program = std::env::current_exe()?;
    let command = |what: &str| format!("'{}' {what}", program.display());
    let status = playground.chat(wa, &command("token"), &command("credential")).status().await?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
