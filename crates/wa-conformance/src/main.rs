//! `wa-conformance`: starts integrator and local WhatsApp as processes and runs the checks against them.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser;
use wa_conformance::{Document, Environment, Failure, Form, Report, Rules, all};

/// Checks the whole path, from enlistment to the hundredth message, over loopback sockets.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// The program wa-integrator
    #[arg(long, value_name = "PATH")]
    integrator: PathBuf,

    /// The program wa-sandbox
    #[arg(long, value_name = "PATH")]
    sandbox: PathBuf,

    /// Only under this version of the document
    #[arg(long, value_name = "VERSION", value_parser = Document::ALL.map(Document::name))]
    document: Option<String>,

    /// Under the rules of this TOML file instead of the documents', for the client, the integrator and WhatsApp alike
    #[arg(long, value_name = "FILE", conflicts_with = "document", value_parser = Rules::open)]
    profile: Option<Rules>,

    /// One JSON object a line instead of text
    #[arg(long)]
    json: bool,

    /// Only checks whose id contains one of these
    #[arg(value_name = "ID")]
    only: Vec<String>,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Arguments::parse()).await {
        Ok(report) if report.failed == 0 && report.passed > 0 => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(failure) => fail(&failure),
    }
}

async fn run(arguments: Arguments) -> Result<Report, Failure> {
    let is_wanted =
        |document: &Document| arguments.document.as_ref().is_none_or(|name| name == document.name());
    let rules: Vec<Rules> = match arguments.profile {
        Some(profile) => vec![profile],
        None => Document::ALL.into_iter().filter(is_wanted).map(Rules::from).collect(),
    };
    let mut environments = Vec::new();
    for rules in rules {
        let (integrator, sandbox) = (&arguments.integrator, &arguments.sandbox);
        environments.push(Arc::new(Environment::processes(integrator, sandbox, rules).await?));
    }
    let mut checks = all();
    if !arguments.only.is_empty() {
        checks.retain(|check| arguments.only.iter().any(|only| check.id.contains(only.as_str())));
    }
    let form = if arguments.json { Form::Json } else { Form::Text };
    Ok(Report::run(&environments, &checks, form, &mut std::io::stdout()).await?)
}

#[expect(clippy::print_stderr, reason = "a command-line program speaks on stderr")]
fn fail(failure: &Failure) -> ExitCode {
    eprintln!("wa-conformance: {failure}");
    ExitCode::FAILURE
}
