//! Files that hold a secret: their owner's alone, written whole or not at all, never replaced when corrupt.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read as _, Write as _},
    path::{Path, PathBuf},
};

use zeroize::Zeroizing;

use crate::PrivateFileError;

/// The content of the file at `path`, or `None` where there is none.
///
/// Refuses what is not a regular file, what others than the owner may access, and more than 16 KiB.
pub(crate) fn read(path: &Path) -> Result<Option<Zeroizing<Vec<u8>>>, PrivateFileError> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(refused(path, &error)),
    };
    let metadata = file.metadata().map_err(|error| refused(path, &error))?;
    if !metadata.is_file() {
        return Err(PrivateFileError::NotAFile { path: path.to_owned() });
    }
    check_mode(path, &metadata)?;
    // Reserved whole, so that the secret is never left behind in a smaller allocation.
    let mut content = Zeroizing::new(Vec::with_capacity(BYTES_MAX + 1));
    let limit = u64::try_from(BYTES_MAX + 1).unwrap_or(u64::MAX);
    file.take(limit).read_to_end(&mut content).map_err(|error| refused(path, &error))?;
    if content.len() > BYTES_MAX {
        return Err(PrivateFileError::Corrupt { path: path.to_owned() });
    }
    Ok(Some(content))
}

/// Writes a new file with this content: beside it, synced, renamed, and the directory synced.
///
/// The caller holds the directory's lock and has seen that there is no file.
pub(crate) fn write(path: &Path, content: &[u8]) -> Result<(), PrivateFileError> {
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    let beside = PathBuf::from(name);
    write_synced(&beside, content).map_err(|error| refused(&beside, &error))?;
    fs::rename(&beside, path).and_then(|()| sync_directory(path)).map_err(|error| refused(path, &error))
}

/// Makes an empty file with mode 0600 where there is none, and refuses what is not a file of the owner's alone.
pub(crate) fn ensure(path: &Path) -> Result<(), PrivateFileError> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(path).map_err(|error| refused(path, &error))?;
    let metadata = file.metadata().map_err(|error| refused(path, &error))?;
    if !metadata.is_file() {
        return Err(PrivateFileError::NotAFile { path: path.to_owned() });
    }
    check_mode(path, &metadata)
}

/// Removes a file whose content is kept elsewhere by now, and syncs the directory.
pub(crate) fn remove(path: &Path) -> Result<(), PrivateFileError> {
    fs::remove_file(path).and_then(|()| sync_directory(path)).map_err(|error| refused(path, &error))
}

/// What the operating system said about this path.
pub(crate) fn refused(path: &Path, error: &io::Error) -> PrivateFileError {
    PrivateFileError::Io { path: path.to_owned(), kind: error.kind() }
}

/// More than any key takes.
const BYTES_MAX: usize = 16 * 1024;

fn write_synced(path: &Path, content: &[u8]) -> io::Result<()> {
    // What a crash left behind was never used.
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(content)?;
    file.sync_all()
}

fn sync_directory(path: &Path) -> io::Result<()> {
    #[cfg(unix)]
    if let Some(directory) = path.parent() {
        let directory = if directory.as_os_str().is_empty() { Path::new(".") } else { directory };
        File::open(directory)?.sync_all()?;
    }
    Ok(())
}

#[cfg(unix)]
fn check_mode(path: &Path, metadata: &fs::Metadata) -> Result<(), PrivateFileError> {
    let mode = std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o7777;
    if mode & 0o077 != 0 {
        return Err(PrivateFileError::Mode { path: path.to_owned(), mode });
    }
    Ok(())
}

#[cfg(not(unix))]
fn check_mode(_: &Path, _: &fs::Metadata) -> Result<(), PrivateFileError> {
    Ok(())
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn what_is_written_is_read_and_the_owners_alone() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("secret");
        assert_eq!(read(&path), Ok(None));
        fs::write(directory.path().join("secret.new"), "left by a crash").unwrap();
        write(&path, b"content").unwrap();
        assert_eq!(read(&path).unwrap().unwrap().as_slice(), b"content");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o600);
        assert_eq!(fs::read_dir(&directory).unwrap().count(), 1, "nothing is left beside it");
    }

    #[test]
    fn every_permission_of_others_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("secret");
        write(&path, b"content").unwrap();
        for mode in [0o640, 0o620, 0o610, 0o604, 0o602, 0o601, 0o666] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(read(&path), Err(PrivateFileError::Mode { path: path.clone(), mode }));
        }
        fs::set_permissions(&path, fs::Permissions::from_mode(0o400)).unwrap();
        assert!(read(&path).unwrap().is_some());
    }

    #[test]
    fn a_directory_and_a_flood_are_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().to_owned();
        assert_eq!(read(&path), Err(PrivateFileError::NotAFile { path: path.clone() }));
        let path = path.join("secret");
        write(&path, &[b'x'; 16 * 1024]).unwrap();
        assert!(read(&path).unwrap().is_some());
        write(&path, &[b'x'; 16 * 1024 + 1]).unwrap();
        assert_eq!(read(&path), Err(PrivateFileError::Corrupt { path }));
    }

    #[test]
    fn what_the_system_refuses_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("absent").join("secret");
        let beside = directory.path().join("absent").join("secret.new");
        let kind = io::ErrorKind::NotFound;
        assert_eq!(write(&path, b"content"), Err(PrivateFileError::Io { path: beside, kind }));
    }
}
