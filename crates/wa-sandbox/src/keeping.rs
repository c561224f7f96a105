//! The file in which everything is kept that outlives the program.

use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;

use serde_json::Value;

use crate::clock::Clock;
use crate::push::Pushes;
use crate::shared::Shared;
use crate::state::StateError;
use crate::world::World;

/// Why the file cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum KeepingError {
    #[error(transparent)]
    File(#[from] io::Error),
    #[error("it is not JSON: {0}")]
    Json(#[from] serde_json::Error),
    #[error(transparent)]
    State(#[from] StateError),
}

/// Goes on from a file, if it is there.
pub(crate) fn load(
    path: &Path,
    world: &mut World,
    pushes: &mut Pushes,
    clock: &Clock,
) -> Result<(), KeepingError> {
    let text = match std::fs::read_to_string(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        other => other?,
    };
    let mut state: Value = serde_json::from_str(&text)?;
    let kept = state.as_object_mut().and_then(|state| state.remove("pushes")).unwrap_or_default();
    clock.set_offset(world.load(state)?);
    pushes.load(&kept).ok_or(StateError::Value("a key of the pushes"))?;
    Ok(())
}

/// Writes everything that is kept, in one step, if it has changed. Nobody else may read the file.
pub(crate) fn save(path: &Path, shared: &Arc<Shared>) -> io::Result<()> {
    let mut state = shared.with_world(|world, clock| world.save(clock.offset()));
    if let Some(state) = state.as_object_mut() {
        state.insert("pushes".to_owned(), shared.with_pushes(|pushes| pushes.save()));
    }
    let text = state.to_string();
    if std::fs::read_to_string(path).is_ok_and(|kept| kept == text) {
        return Ok(());
    }
    let fresh = path.with_extension("new");
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(&fresh)?.write_all(text.as_bytes())?;
    std::fs::rename(fresh, path)
}
