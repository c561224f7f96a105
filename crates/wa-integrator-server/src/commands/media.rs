//! Hosted media from the command line: `wa-integrator media`.

use wa_integrator::{Clock, Findings, Opening, Removal};

use super::print;
use crate::cli::MediaCommand;
use crate::error::StartError;
use crate::run;
use crate::settings::Settings;

/// Does one command.
pub(super) async fn run(command: &MediaCommand, settings: &Settings) -> Result<(), StartError> {
    let MediaCommand::Fsck { verify, remove, yes_remove, json } = command;
    let engines = run::stored_media(settings, Opening::Existing).await?;
    let (profile, clock) = (settings.profile(), Clock::system());
    let host = run::media_host(settings, engines.media, &profile, clock, Opening::Existing)?;
    let removal = match (yes_remove, remove) {
        (Some(number), _) => Removal::Exactly(*number),
        (None, true) => Removal::Plausible,
        (None, false) => Removal::Nothing,
    };
    let findings = host.check(*verify, removal).await?;
    print([if *json { as_json(&findings) } else { as_text(&findings, removal) }])?;
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
        "old_orphans": findings.old_orphans,
        "removed": findings.removed,
    })
    .to_string()
}

fn as_text(findings: &Findings, removal: Removal) -> String {
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
    if removal != Removal::Nothing && findings.old_orphans > findings.removed {
        text.push_str(&format!(
            "\nso many orphans may mean that the index is the wrong one, and none was removed; if it is the right one: \
             --yes-remove {}",
            findings.old_orphans
        ));
    }
    text
}
