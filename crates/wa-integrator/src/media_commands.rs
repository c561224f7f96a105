//! Hosted media from the command line: how the server hosts it, and `wa-integrator media`.

use std::{
    io::{self, Write as _},
    path::Path,
    time::Duration,
};

use clap::{Args, Subcommand};
use wa_integrator::{Blobs, Clock, DataDirectory, Findings, MediaHost, MediaIndex, MediaQuota, MediaRules};
use wa_profile::{MediaFetchAuth, Profile};

use crate::cli::{DataArguments, StartError};

/// How media is hosted.
#[derive(Debug, Args)]
pub(crate) struct MediaArguments {
    /// The longest file that is hosted, in bytes as encrypted.
    #[arg(long, value_name = "BYTES", env = "WA_INTEGRATOR_MEDIA_BYTES_MAX", default_value_t = (2 << 30) + 26)]
    media_bytes_max: u64,

    /// How many bytes a user may upload a day.
    #[arg(long, value_name = "BYTES", env = "WA_INTEGRATOR_MEDIA_BYTES_A_DAY", default_value_t = 4 << 30)]
    media_bytes_a_day: u64,

    /// How many files a user may upload a day.
    #[arg(long, value_name = "N", env = "WA_INTEGRATOR_MEDIA_FILES_A_DAY", default_value_t = 1000)]
    media_files_a_day: u64,

    /// How many days a file is hosted.
    #[arg(long, value_name = "DAYS", env = "WA_INTEGRATOR_MEDIA_DAYS", default_value_t = 30,
        value_parser = clap::value_parser!(u32).range(1..=3650))]
    media_days: u32,

    /// Give files only to whoever shows a token of WhatsApp's; needs the webhook.
    #[arg(long, env = "WA_INTEGRATOR_MEDIA_TOKEN_REQUIRED")]
    media_token_required: bool,
}

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

impl MediaArguments {
    fn rules(&self, profile: &Profile) -> MediaRules {
        let rules = MediaRules::new(&profile.media)
            .with_blob_bytes_max(self.media_bytes_max)
            .with_quota(MediaQuota { bytes: self.media_bytes_a_day, files: self.media_files_a_day })
            .with_kept(Duration::from_secs(u64::from(self.media_days) * 24 * 60 * 60));
        if self.media_token_required { rules.with_fetch_auth(MediaFetchAuth::Required) } else { rules }
    }

    /// The host of the media in the data directory, without what an earlier process did not end.
    pub(crate) async fn host(
        &self,
        data: &DataArguments,
        profile: &Profile,
        clock: &Clock,
    ) -> Result<MediaHost, StartError> {
        let host = open(&data.data_dir, self.rules(profile), clock.clone())?;
        let swept = host.sweep_at_start().await?;
        if swept.broken > 0 {
            tracing::info!(?swept, "uploads of an earlier process removed");
        }
        Ok(host)
    }
}

/// Does one command.
pub(crate) async fn run(command: &MediaCommand, data: &DataArguments) -> Result<(), StartError> {
    let MediaCommand::Fsck { verify, remove, json } = command;
    DataDirectory::make(&data.data_dir)?;
    let host = open(&data.data_dir, MediaRules::new(&Profile::default().media), Clock::system())?;
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
