//! Hosted media from the command line: `wa-integrator media`.

use std::io::{self, Write as _};

use clap::Subcommand;
use wa_integrator::{Clock, Findings};

use crate::{cli::StartError, engines, settings::Settings};

/// What to do with hosted media.
#[derive(Debug, Subcommand)]
pub(crate) enum MediaCommand {
    /// Compare the index with the files, also while the server runs; ends with an error if anything is wrong
    Fsck {
        /// Read every file and compare its digest
        #[arg(long)]
        verify: bool,
        /// Remove files that nobody knows
        #[arg(long)]
        remove: bool,
        /// One JSON object
        #[arg(long)]
        json: bool,
    },
}

/// Does one command.
pub(crate) async fn run(command: &MediaCommand, settings: &Settings) -> Result<(), StartError> {
    let MediaCommand::Fsck { verify, remove, json } = command;
    let store = engines::store(&settings.store).await?;
    let host = engines::media(settings, &store, &settings.profile(), Clock::system())?;
    let findings = host.check(*verify, *remove).await?;
    let shown = if *json { as_json(&findings) } else { as_text(&findings) };
    let mut stdout = io::stdout().lock();
    let written = writeln!(stdout, "{shown}").and_then(|()| stdout.flush());
    written.map_err(|error| StartError::Stdout { kind: error.kind() })?;
    if findings.is_sound() { Ok(()) } else { Err(StartError::MediaUnsound) }
}

fn as_json(findings: &Findings) -> String {
    serde_json::json!({
        "sound": findings.sound,
        "uploading": findings.uploading,
        "missing": findings.missing,
        "corrupt": findings.corrupt,
        "orphans": findings.orphans,
        "orphan_bytes": findings.orphan_bytes,
        "removed": findings.removed,
    })
    .to_string()
}

fn as_text(findings: &Findings) -> String {
    let mut text = format!(
        "{} sound, {} uploading, {} missing, {} corrupt, {} orphans ({} bytes), {} removed",
        findings.sound,
        findings.uploading,
        findings.missing.len(),
        findings.corrupt.len(),
        findings.orphans,
        findings.orphan_bytes,
        findings.removed,
    );
    for (what, names) in [("missing", &findings.missing), ("corrupt", &findings.corrupt)] {
        for name in names {
            text.push_str(&format!("\n{what} {name}"));
        }
    }
    text
}
