//! The directory with the encrypted files of the media host: one file each, named as at the end of its path.

use std::collections::BTreeSet;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::PathBuf;

use bytes::Bytes;
use serde_json::Value;

use crate::keeping::{Fault, KeepingError, private};
use crate::media::KeptFile;
use crate::state::StateError;
use crate::world::World;

#[derive(Debug)]
pub(super) struct MediaDirectory(PathBuf);

impl MediaDirectory {
    pub(super) fn new(path: PathBuf) -> Self {
        Self(path)
    }

    /// Whether a file is there.
    pub(super) fn has(&self, path: &str) -> bool {
        self.place(path).is_some_and(|place| place.exists())
    }

    /// Hosts again what was hosted.
    pub(super) fn load(&self, hosted: Vec<KeptFile>, world: &mut World) -> Result<(), KeepingError> {
        for kept in hosted {
            let unusable = || Fault::from(StateError::Value("a path at the media host"));
            let place = self.place(&kept.path).ok_or_else(|| self.fault(unusable()))?;
            let blob = fs::read(&place)
                .map_err(|error| KeepingError { path: place.clone(), fault: error.into() })?;
            world.media.host_kept(kept, blob.into());
        }
        Ok(())
    }

    /// Writes files, each in one step.
    pub(super) fn add(&self, blobs: Vec<(String, Bytes)>) -> io::Result<()> {
        if !blobs.is_empty() {
            fs::create_dir_all(&self.0)?;
        }
        for (path, blob) in blobs {
            let Some(place) = self.place(&path) else { continue };
            let fresh = place.with_extension("new");
            private(OpenOptions::new().write(true).create(true).truncate(true), &fresh)?.write_all(&blob)?;
            fs::rename(fresh, place)?;
        }
        Ok(())
    }

    /// Removes the files that are hosted no more.
    pub(super) fn forget_others(&self, hosted: &Value) -> io::Result<()> {
        let hosted = hosted.as_array().into_iter().flatten();
        let names: BTreeSet<&str> = hosted.filter_map(|file| name(file.get("path")?.as_str()?)).collect();
        let Ok(entries) = fs::read_dir(&self.0) else { return Ok(()) };
        for entry in entries {
            let entry = entry?;
            if !entry.file_name().to_str().is_some_and(|name| names.contains(name)) {
                fs::remove_file(entry.path())?;
            }
        }
        Ok(())
    }

    fn place(&self, path: &str) -> Option<PathBuf> {
        name(path).map(|name| self.0.join(name))
    }

    fn fault(&self, fault: Fault) -> KeepingError {
        KeepingError { path: self.0.clone(), fault }
    }
}

/// The last part of a path at the media host, which leads nowhere else.
fn name(path: &str) -> Option<&str> {
    let name = path.rsplit('/').next()?;
    let is_plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'.');
    (is_plain && !name.is_empty() && !name.starts_with('.')).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_leads_nowhere_else() {
        assert_eq!(name("/v/t62.0000-24/00ff.enc"), Some("00ff.enc"));
        for path in ["", "/v/", "/v/..", "/v/.a", "/v/a\\b", "/v/a:b"] {
            assert_eq!(name(path), None, "{path}");
        }
    }
}
