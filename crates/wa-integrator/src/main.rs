//! The program `wa-integrator`: the third party's server for WhatsApp interoperability (seed §1.3).

mod cli;

use std::{
    io::{self, Write as _},
    process::ExitCode,
};

use clap::Parser as _;
use cli::{Arguments, StartError};
use tokio::signal;
use tracing_subscriber::EnvFilter;
use wa_integrator::{BaseUrl, Clock, DataDirectory, Integrator, Server, SharedSecret, TokenIssuer};
use wa_profile::Profile;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let filter = EnvFilter::try_from_env("WA_INTEGRATOR_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr).init();
    match start(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nothing is left to do when even this cannot be written.
            let _ = writeln!(io::stderr(), "wa-integrator: {error}");
            ExitCode::FAILURE
        }
    }
}

#[tokio::main]
async fn start(arguments: &Arguments) -> Result<(), StartError> {
    let rules = Profile::default().token;
    let directory = DataDirectory::open(&arguments.data_dir)?;
    let key = directory.signing_key()?;
    let secret = directory.shared_secret(arguments.shared_secret_file.as_deref(), &mut rand::rng())?;
    let server = Server::bind(arguments.listen, arguments.limits()).await?;
    let base_url = match &arguments.base_url {
        Some(base_url) => base_url.clone(),
        None => BaseUrl::of_loopback(server.address())
            .map_err(|_| StartError::BaseUrlMissing { address: server.address() })?,
    };
    let kid = key.public_key().kid().to_owned();
    let issuer = TokenIssuer::new(key, base_url.clone(), &rules, arguments.lifetime())?;
    let authenticator = SharedSecret::new(*secret, rules.user_identifier_chars_max);
    let integrator = Integrator::new(issuer, authenticator, Clock::system());

    let shutdown = stop_asked()?;
    let address = format!("http://{}", server.address());
    tracing::info!(%address, %base_url, %kid, "serving");
    announce(&address, &integrator).map_err(|error| StartError::Stdout { kind: error.kind() })?;
    server.run(integrator, shutdown).await;
    tracing::info!("stopped");
    Ok(())
}

/// The one line on standard output, which says that requests are answered from now on and where.
fn announce(address: &str, integrator: &Integrator<SharedSecret>) -> io::Result<()> {
    let line = serde_json::json!({
        "ready": true,
        "address": address,
        "jwks": integrator.jwks_url(),
        "token": integrator.token_url(),
    });
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{line}")?;
    stdout.flush()
}

/// Ready once the program is asked to end; listening for that begins before this returns.
#[cfg(unix)]
fn stop_asked() -> Result<impl Future<Output = ()>, StartError> {
    let listen = |kind| signal::unix::signal(kind).map_err(|error| StartError::Signal { kind: error.kind() });
    let mut interrupt = listen(signal::unix::SignalKind::interrupt())?;
    let mut terminate = listen(signal::unix::SignalKind::terminate())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}

/// Ready once the program is asked to end.
#[cfg(not(unix))]
fn stop_asked() -> Result<impl Future<Output = ()>, StartError> {
    Ok(async {
        let _ = signal::ctrl_c().await;
    })
}
