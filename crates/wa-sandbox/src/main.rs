//! `wa-sandbox`: a local WhatsApp as a program. Prints one JSON line with its addresses when it is ready.

use std::process::ExitCode;

use clap::Parser;
use wa_profile::Profile;
use wa_sandbox::{Clock, Integrator, Sandbox, WorldConfig};

/// A local WhatsApp for testing interoperability, on loopback ports that it prints as one JSON line.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// An onboarded third party: its id (1 to 999) and base URL, for instance 1=http://127.0.0.1:8080
    #[arg(long, value_name = "ID=BASE_URL", value_parser = parse_integrator)]
    integrator: Vec<Integrator>,

    /// The phone number of a WhatsApp user, digits only
    #[arg(long, value_name = "NUMBER", value_parser = parse_phone)]
    phone: Vec<String>,

    /// The rules that apply: a document, overview or 1.0.3, or a TOML file as `wa profile show` prints one
    #[arg(long, value_name = "NAME|FILE", default_value = "overview", value_parser = Profile::open)]
    profile: Profile,

    /// Seconds by which the sandbox's clock is ahead of the machine's
    #[arg(long, default_value_t = 0, allow_negative_numbers = true)]
    clock_offset: i64,
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
        .with_writer(std::io::stderr)
        .init();
    let Arguments { integrator, phone, profile, clock_offset } = arguments;
    let config = WorldConfig { profile, integrators: integrator, phones: phone };
    match Sandbox::bind(config, Clock::new(clock_offset)).await {
        Ok(sandbox) => serve(sandbox).await,
        Err(error) => fail(&format!("could not listen on loopback: {error}")),
    }
}

#[expect(clippy::print_stdout, reason = "the ready line is this program's output")]
async fn serve(sandbox: Sandbox) -> ExitCode {
    match serde_json::to_string(sandbox.addresses()) {
        Ok(line) => println!("{line}"),
        Err(error) => return fail(&error.to_string()),
    }
    sandbox.run(shutdown()).await;
    ExitCode::SUCCESS
}

/// Done at the first interrupt or termination signal.
async fn shutdown() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = terminate.recv() => return,
                _ = tokio::signal::ctrl_c() => return,
            }
        }
    }
    // Where there is no signal to wait for, serve for ever.
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
}

#[expect(clippy::print_stderr, reason = "a command-line program speaks on stderr")]
fn fail(message: &str) -> ExitCode {
    eprintln!("wa-sandbox: {message}");
    ExitCode::FAILURE
}

fn parse_integrator(text: &str) -> Result<Integrator, String> {
    let (id, base_url) = text.split_once('=').ok_or("expected ID=BASE_URL")?;
    let id = id.parse().ok().filter(|id| (1..=999).contains(id)).ok_or("the id must be 1 to 999")?;
    let base_url = base_url.trim_end_matches('/').to_owned();
    if !base_url.starts_with("http://") {
        return Err("the base URL must begin with http:// (the sandbox stays on this machine)".to_owned());
    }
    Ok(Integrator { id, base_url })
}

fn parse_phone(text: &str) -> Result<String, String> {
    match wa_binary::Jid::phone(text) {
        Ok(_) => Ok(text.to_owned()),
        Err(_) => Err("a phone number is 1 to 20 digits, without +".to_owned()),
    }
}
