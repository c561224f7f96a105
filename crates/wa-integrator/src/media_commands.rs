//! Hosted media from the command line: how the server hosts it, and `wa-integrator media`.

use std::{
    io::{self, Write as _},
    path::Path,
};

use clap::Subcommand;
use wa_integrator::{Blobs, Clock, DataDirectory, Findings, MediaHost, MediaIndex, MediaRules};
use wa_profile::Profile;

use crate::{cli::StartError, settings::Settings};

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

/// The host of the media in the data directory, without what an earlier process did not end.
pub(crate) async fn host(
    settings: &Settings,
    profile: &Profile,
    clock: &Clock,
) -> Result<MediaHost, StartError> {
    let host = open(settings.store.data_dir(), settings.media.rules(profile), clock.clone())?;
    let swept = host.sweep_at_start().await?;
    if swept.broken > 0 {
        tracing::info!(?swept, "uploads of an earlier process removed");
    }
    Ok(host)
}

/// Does one command.
pub(crate) async fn run(command: &MediaCommand, settings: &Settings) -> Result<(), StartError> {
    let MediaCommand::Fsck { verify, remove, json } = command;
    let directory = settings.store.data_dir();
    DataDirectory::make(directory)?;
    let host = open(directory, settings.media.rules(&Profile::default()), Clock::system())?;
    let findings = host.check(*verify, *remove).await?;
    let shown = if *json { as_json(&findings) } else { as_text(&findings) };
    let mut stdout = io::stdout().lock();
    let written = writeln!(stdout, "{shown}").and_then(|()| stdout.flush());
    written.map_err(|error| StartError::Stdout { kind: error.kind() })?;
    if findings.is_sound() { Ok(()) } else { Err(StartError::MediaUnsound) }
}

fn open(directory: &Path, rules: MediaRules, clock: Clock) -> Result<MediaHost, StartError> {
    let blobs = Blobs::local(&directory.join("media"))?;
    let index = MediaIndex::open(&directory.join("media.sqlite"))?;
    Ok(MediaHost::new(blobs, index, rules, clock))
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
