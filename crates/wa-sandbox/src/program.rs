//! The program: what is said on the command line, and what is printed. `wa-sandbox` and `wa sandbox` are the same.

use std::io::{ErrorKind, Write};
use std::net::IpAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::{Map, Value};
use wa_profile::Profile;

use crate::clock::Clock;
use crate::listen::{Addresses, Binding, Sandbox, ask};
use crate::world::{Integrator, WorldConfig};

/// The port of HTTP, where nothing else is said.
pub const PORT: u16 = 7400;

/// What can be said on the command line.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    serve: Serve,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Ask a running sandbox, or tell it something
    #[command(after_help = CTL_EXAMPLES)]
    Ctl(Ctl),
    /// Print the rules as tables in Markdown
    Rules,
}

#[derive(Debug, Args)]
struct Serve {
    /// An onboarded third party: its id (1 to 999) and base URL, for instance 1=http://127.0.0.1:8080; without any there
    /// is a demonstration integrator
    #[arg(long, value_name = "ID=BASE_URL", value_parser = parse_integrator)]
    integrator: Vec<Integrator>,

    /// The phone number of a WhatsApp user, digits only; without any there are three
    #[arg(long, value_name = "NUMBER", value_parser = parse_phone)]
    phone: Vec<String>,

    /// The rules that apply: a document, overview or 1.0.3, or a TOML file as `wa profile show` prints one
    #[arg(long, value_name = "NAME|FILE", default_value = "1.0.3", value_parser = Profile::open)]
    profile: Profile,

    /// The port of HTTP; chatd has the next one, the demonstration integrator and HTTPS those after that; 0: any
    #[arg(long, default_value_t = PORT)]
    port: u16,

    /// The address to listen on; another one than loopback needs --token
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1")]
    listen: IpAddr,

    /// What the control interface demands as bearer token
    #[arg(long, env = "WA_SANDBOX_TOKEN", hide_env_values = true)]
    token: Option<String>,

    /// End a connection at its first deviation, and say which rule it broke
    #[arg(long)]
    strict: bool,

    /// Write the certificate of the TLS authority, which is made at each start, to this file in PEM
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,

    /// Trust these authorities, certificates in PEM, when integrators are asked over TLS
    #[arg(long, value_name = "FILE")]
    authorities: Option<PathBuf>,

    /// Keep accounts, mail and phones in this file, and go on from it
    #[arg(long, value_name = "FILE")]
    state: Option<PathBuf>,

    /// Seconds by which the sandbox's clock is ahead of the machine's
    #[arg(long, default_value_t = 0, allow_negative_numbers = true)]
    clock_offset: i64,
}

#[derive(Debug, Args)]
struct Ctl {
    /// The method; GET without words behind the path, else POST
    #[arg(long, short = 'X')]
    method: Option<String>,
    /// Where the sandbox is
    #[arg(long, env = "WA_SANDBOX_URL", default_value_t = format!("http://127.0.0.1:{PORT}"))]
    url: String,
    /// Its token, if it demands one
    #[arg(long, env = "WA_SANDBOX_TOKEN", hide_env_values = true)]
    token: Option<String>,
    /// The path below /v1/, for instance phones/14155551001/send
    #[arg(default_value = "")]
    path: String,
    /// Members of the body: NAME=TEXT, or NAME:=JSON
    #[arg(value_name = "NAME=TEXT")]
    members: Vec<String>,
}

const CTL_EXAMPLES: &str = "\
Examples:
  ctl accounts
  ctl phones/14155551001/send to=1-10853634039893@interop text='Hello'
  ctl clock advance:=2592000
  ctl faults drop:=2 certificate=leaf_issuer
  ctl -X DELETE faults
  ctl 'deviations?class=deviation'";

/// Does what the command line says.
pub async fn run(arguments: Arguments) -> ExitCode {
    match arguments.command {
        None => serve(arguments.serve).await,
        Some(Command::Rules) => {
            print(crate::rules::book::table().trim_end());
            ExitCode::SUCCESS
        }
        Some(Command::Ctl(ctl)) => control(ctl).await,
    }
}

async fn serve(serve: Serve) -> ExitCode {
    tracing_subscriber::fmt()
        .with_env_filter(
            tracing_subscriber::EnvFilter::try_from_default_env()
                .unwrap_or_else(|_| "wa_sandbox=warn".into()),
        )
        .with_writer(std::io::stderr)
        .init();
    let ca = serve.ca.clone();
    let sandbox = match bound(serve).await {
        Ok(sandbox) => sandbox,
        Err((why, code)) => return fail(&why, code),
    };
    if let Some(path) = ca
        && let Err(error) = std::fs::write(&path, &sandbox.addresses().ca)
    {
        return fail(&format!("{}: {error}", path.display()), ExitCode::from(3));
    }
    match serde_json::to_string(sandbox.addresses()) {
        Ok(line) => print(&line),
        Err(error) => return fail(&error.to_string(), ExitCode::FAILURE),
    }
    if sandbox.addresses().integrator.is_some() {
        note(&welcome(sandbox.addresses()));
    }
    sandbox.run(shutdown()).await;
    ExitCode::SUCCESS
}

/// A sandbox as the command line wants it, or why there is none and the exit code that says so.
async fn bound(serve: Serve) -> Result<Sandbox, (String, ExitCode)> {
    let Serve { integrator, phone, profile, port, listen, token, strict, clock_offset, state, .. } = serve;
    let usage = |why: String| (why, ExitCode::from(2));
    if !listen.is_loopback() && token.is_none() {
        return Err(usage("off loopback a token is needed: --token or WA_SANDBOX_TOKEN".to_owned()));
    }
    let (demo, has_phones) = (integrator.is_empty(), !phone.is_empty());
    let read = |path: PathBuf| {
        std::fs::read_to_string(&path).map_err(|error| usage(format!("{}: {error}", path.display())))
    };
    let authorities = serve.authorities.map(read).transpose()?;
    let binding = Binding { address: listen, port, token, demo, state, authorities };
    let config = WorldConfig { profile, integrators: integrator, phones: phone, strict };
    let sandbox = Sandbox::bind_at(config, Clock::new(clock_offset), binding).await.map_err(|error| {
        let hint = if error.kind() == ErrorKind::AddrInUse { " (--port 0 takes any ports)" } else { "" };
        (format!("could not start: {error}{hint}"), ExitCode::FAILURE)
    })?;
    Ok(if has_phones { sandbox } else { sandbox.with_three_phones() })
}

/// What a person wants to know first.
fn welcome(addresses: &Addresses) -> String {
    let Addresses { enlist, chat, control, noise_root, https, media, .. } = addresses;
    let integrator = addresses.integrator.as_deref().unwrap_or_default();
    format!(
        "
A local WhatsApp is running. Open {media}/ in a browser to see it.

  enlistment    {enlist}
  chatd         {chat}, root key {noise_root}
  integrator    {integrator} (a demonstration; yours: --integrator 1=URL)
  TLS           {https} (its authority: --ca FILE)
  control       {control}openapi.yaml
  mistakes      {control}deviations

A user with throw-away keys enlists, and a WhatsApp user writes to her:

  curl -s {integrator}/form -d '{{\"user\": \"alice\"}}' | curl -s {enlist} -d @-
  curl -s {control}phones/14155551001/send -d '{{\"to\": \"THE LOGIN\", \"text\": \"Hello\"}}'

docs/SANDBOX.md goes on from here. Ctrl-C ends it.
"
    )
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
    // Where there is no signal to wait for, serve on.
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
}

async fn control(ctl: Ctl) -> ExitCode {
    let Ctl { method, url, token, path, members } = ctl;
    let body = match body(&members) {
        Ok(body) => body,
        Err(why) => return fail(&why, ExitCode::from(2)),
    };
    let method = method.unwrap_or_else(|| if members.is_empty() { "GET" } else { "POST" }.to_owned());
    let body = (!members.is_empty()).then(|| body.to_string());
    let url = format!("{}/v1/{}", url.trim_end_matches('/'), path.trim_start_matches('/'));
    match ask(&method.to_ascii_uppercase(), &url, token.as_deref(), body).await {
        Ok((status, answer)) => {
            let pretty = serde_json::from_str::<Value>(&answer)
                .ok()
                .and_then(|it| serde_json::to_string_pretty(&it).ok());
            print(pretty.as_deref().unwrap_or(&answer).trim_end());
            if status < 400 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(error) => fail(&format!("{url} does not answer: {error}"), ExitCode::from(3)),
    }
}

/// `name=text` and `name:=JSON` words as a JSON object.
fn body(members: &[String]) -> Result<Value, String> {
    let mut body = Map::new();
    for member in members {
        let (name, text) = member.split_once('=').ok_or_else(|| format!("{member:?} is not NAME=TEXT"))?;
        let (name, value) = match name.strip_suffix(':') {
            None => (name, Value::from(text)),
            Some(name) => {
                (name, serde_json::from_str(text).map_err(|error| format!("{name} is not JSON: {error}"))?)
            }
        };
        body.insert(name.to_owned(), value);
    }
    Ok(Value::Object(body))
}

/// Nobody may be reading any more, as after `| head`.
fn print(text: &str) {
    let _ = writeln!(std::io::stdout(), "{text}");
}

#[expect(clippy::print_stderr, reason = "a command-line program speaks to people on stderr")]
fn note(text: &str) {
    eprintln!("{text}");
}

fn fail(message: &str, code: ExitCode) -> ExitCode {
    note(&format!("wa-sandbox: {message}"));
    code
}

fn parse_integrator(text: &str) -> Result<Integrator, String> {
    let (id, base_url) = text.split_once('=').ok_or("expected ID=BASE_URL")?;
    let id = id.parse().map_err(|_| "the id must be 1 to 999")?;
    Ok(Integrator { id, base_url: base_url.to_owned() }.checked()?)
}

fn parse_phone(text: &str) -> Result<String, String> {
    match wa_binary::Jid::phone(text) {
        Ok(_) => Ok(text.to_owned()),
        Err(_) => Err("a phone number is 1 to 20 digits, without +".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_become_a_body() {
        let words = ["to=1-2@interop", "n:=3", "list:=[1]", "text=a:=b", "number=3"].map(str::to_owned);
        let expected =
            serde_json::json!({ "to": "1-2@interop", "n": 3, "list": [1], "text": "a:=b", "number": "3" });
        assert_eq!(body(&words), Ok(expected));
        assert_eq!(body(&["x".to_owned()]), Err("\"x\" is not NAME=TEXT".to_owned()));
        assert!(body(&["x:=y".to_owned()]).unwrap_err().starts_with("x is not JSON: "));
    }

    #[test]
    fn an_integrator_is_read() {
        let read = parse_integrator("12=http://127.0.0.1:1/a/").unwrap();
        assert_eq!((read.id, read.base_url.as_str()), (12, "http://127.0.0.1:1/a"));
        for text in ["12", "0=http://a", "1000=http://a", "1=ftp://a", "x=http://a"] {
            assert!(parse_integrator(text).is_err(), "{text}");
        }
    }
}
