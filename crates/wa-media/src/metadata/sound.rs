//! Recordings and music: how long they play (fields observed).

use std::io::{BufReader, Read, Seek};

use lofty::config::ParseOptions;
use lofty::file::AudioFile;
use lofty::probe::Probe;

use super::Metadata;

/// What is not sound after all leaves the metadata as they are.
pub(super) fn read(file: &mut (impl Read + Seek), metadata: &mut Metadata) {
    let options = ParseOptions::new().read_tags(false).read_cover_art(false);
    let Ok(probe) = Probe::new(BufReader::new(file)).options(options).guess_file_type() else { return };
    let Ok(sound) = probe.read() else { return };
    let duration = sound.properties().duration();
    metadata.duration = Some(duration).filter(|duration| !duration.is_zero());
}
