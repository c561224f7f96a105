//! The file in which everything is kept that outlives the program, and what lies beside it: `FILE.media`, a directory with
//! the files of the media host, and `FILE.transcript`, a JSON object a line for each stanza.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::{Value, json};

use crate::clock::Clock;
use crate::keeping::media::MediaDirectory;
use crate::keeping::transcript::TranscriptFile;
use crate::push::Pushes;
use crate::shared::Shared;
use crate::state::StateError;
use crate::world::World;

mod media;
mod transcript;

/// Why what was kept cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{}: {fault}", path.display())]
pub(crate) struct KeepingError {
    path: PathBuf,
    fault: Fault,
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum Fault {
    #[error(transparent)]
    File(#[from] io::Error),
    #[error("it is not JSON: {0}")]
    Json(#[from] serde_json::Error),
    #[error(transparent)]
    State(#[from] StateError),
    #[error("line {0} is no stanza")]
    Line(usize),
}

/// Keeps a world on the disk.
#[derive(Debug)]
pub(crate) struct Keeper {
    state: PathBuf,
    media: MediaDirectory,
    transcript: TranscriptFile,
}

impl Keeper {
    /// Goes on from what was kept, if there is anything.
    pub(crate) fn open(
        path: &Path,
        world: &mut World,
        pushes: &mut Pushes,
        clock: &Clock,
    ) -> Result<Self, KeepingError> {
        let (media, transcript) = (MediaDirectory::new(beside(path, "media")), beside(path, "transcript"));
        load(path, &media, world, pushes, clock)?;
        let transcript = TranscriptFile::open(transcript, world)?;
        Ok(Self { state: path.to_owned(), media, transcript })
    }

    /// Writes what has changed. What the state names is there before it.
    pub(crate) fn save(&mut self, shared: &Arc<Shared>) -> io::Result<()> {
        let (mut state, hosted, blobs, news) = shared.with_settled_world(|world, clock| {
            let missing = world.media.kept().filter(|kept| !self.media.has(&kept.path));
            let blobs: Vec<_> = missing
                .filter_map(|kept| Some((kept.path.clone(), world.media.kept_blob(&kept.path)?)))
                .collect();
            let hosted = json!(world.media.kept().collect::<Vec<_>>());
            (world.save(clock.offset()), hosted, blobs, self.transcript.news(&world.transcript))
        });
        self.media.add(blobs)?;
        self.transcript.write(news)?;
        if let Some(state) = state.as_object_mut() {
            state.insert("pushes".to_owned(), shared.with_pushes(|pushes| pushes.save()));
            state.insert("media".to_owned(), hosted.clone());
        }
        let text = state.to_string();
        if fs::read_to_string(&self.state).is_ok_and(|kept| kept == text) {
            return Ok(());
        }
        replace(&self.state, text.as_bytes())?;
        self.media.forget_others(&hosted)
    }
}

fn load(
    path: &Path,
    media: &MediaDirectory,
    world: &mut World,
    pushes: &mut Pushes,
    clock: &Clock,
) -> Result<(), KeepingError> {
    let at = |fault| KeepingError { path: path.to_owned(), fault };
    let text = match fs::read_to_string(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        other => other.map_err(|error| at(error.into()))?,
    };
    let mut state: Value = serde_json::from_str(&text).map_err(|error| at(error.into()))?;
    let mut taken = |name| state.as_object_mut().and_then(|state| state.remove(name));
    let (kept, hosted) = (taken("pushes").unwrap_or_default(), taken("media"));
    clock.set_offset(world.load(state).map_err(|error| at(error.into()))?);
    pushes.load(&kept).ok_or_else(|| at(StateError::Value("a key of the pushes").into()))?;
    // Before there was a media directory, nothing was said of it.
    if let Some(hosted) = hosted {
        let hosted = serde_json::from_value(hosted).map_err(|error| at(error.into()))?;
        media.load(hosted, world)?;
    }
    Ok(())
}

/// The same name with something more at its end.
fn beside(path: &Path, more: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(more);
    name.into()
}

/// Writes a file in one step. Nobody else may read it.
fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let fresh = beside(path, "new");
    private(OpenOptions::new().write(true).create(true).truncate(true), &fresh)?.write_all(bytes)?;
    fs::rename(fresh, path)
}

/// Opens a file that, if it is made, nobody else may read.
fn private(options: &mut OpenOptions, path: &Path) -> io::Result<File> {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
    options.open(path)
}
