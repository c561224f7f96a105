//! Files that hold a secret: their owner's, or of a group that the owner meant; written whole or not at all, never replaced
//! when corrupt.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use thiserror::Error;
use wa_http_server::SystemError;
use zeroize::Zeroizing;

/// What is wrong with a file that holds a secret.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum PrivateFileError {
    /// The operating system refused an operation.
    #[error("{path} cannot be used: {reason}", path = .path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What the operating system said.
        reason: SystemError,
    },
    /// It is not a regular file.
    #[error("{path} is not a regular file", path = .path.display())]
    NotAFile {
        /// The path of the file.
        path: PathBuf,
    },
    /// Others than its owner may use it.
    #[error(
        "{path} has mode {mode:o}; only its owner may have access (chmod 600), or a group that root, or its owner, \
         chose for this process",
        path = .path.display()
    )]
    Mode {
        /// The path of the file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// Its content is not what it should hold. It is never replaced.
    #[error("{path} does not hold what it should; restore it, or move it away to start anew", path = .path.display())]
    Corrupt {
        /// The path of the file.
        path: PathBuf,
    },
    /// Another process uses the data directory.
    #[error("{path} is in use by another process", path = .path.display())]
    InUse {
        /// The path of the directory.
        path: PathBuf,
    },
}

/// More than any key takes.
const BYTES_MAX: usize = 16 * 1024;

/// The content of the file at `path`, or `None` where there is none.
///
/// # Errors
/// [`PrivateFileError`] for what is not a regular file, what others may access, and more than 16 KiB.
pub fn read(path: &Path) -> Result<Option<Zeroizing<Vec<u8>>>, PrivateFileError> {
    match read_existing(path) {
        Err(PrivateFileError::Io { reason, .. }) if reason.kind() == io::ErrorKind::NotFound => Ok(None),
        read => read.map(Some),
    }
}

/// The content of a file that must be there.
///
/// # Errors
/// As [`read`], and for a file that is not there.
pub fn read_existing(path: &Path) -> Result<Zeroizing<Vec<u8>>, PrivateFileError> {
    let file = File::open(path).map_err(|error| refused(path, &error))?;
    let metadata = file.metadata().map_err(|error| refused(path, &error))?;
    check(path, &metadata)?;
    // Reserved whole, so that the secret is never left behind in a smaller allocation.
    let mut content = Zeroizing::new(Vec::with_capacity(BYTES_MAX + 1));
    let limit = u64::try_from(BYTES_MAX + 1).unwrap_or(u64::MAX);
    file.take(limit).read_to_end(&mut content).map_err(|error| refused(path, &error))?;
    if content.len() > BYTES_MAX {
        return Err(PrivateFileError::Corrupt { path: path.to_owned() });
    }
    Ok(content)
}

/// Writes a new file with this content: beside it, synced, renamed, and the directory synced.
///
/// The caller holds the directory's lock and has seen that there is no file.
///
/// # Errors
/// [`PrivateFileError::Io`].
pub fn write(path: &Path, content: &[u8]) -> Result<(), PrivateFileError> {
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    let beside = PathBuf::from(name);
    write_synced(&beside, content).map_err(|error| refused(&beside, &error))?;
    fs::rename(&beside, path).and_then(|()| sync_directory(path)).map_err(|error| refused(path, &error))
}

/// Makes an empty file with mode 0600 where there is none, and refuses what is not a file as [`read`] wants it.
pub(crate) fn ensure(path: &Path) -> Result<(), PrivateFileError> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(path).map_err(|error| refused(path, &error))?;
    check(path, &file.metadata().map_err(|error| refused(path, &error))?)
}

/// Refuses what is not there, or not a file as [`read`] wants it.
///
/// # Errors
/// [`PrivateFileError`].
pub fn check_existing(path: &Path) -> Result<(), PrivateFileError> {
    check(path, &fs::metadata(path).map_err(|error| refused(path, &error))?)
}

/// Removes a file whose content is kept elsewhere by now, and syncs the directory.
///
/// # Errors
/// [`PrivateFileError::Io`].
pub fn remove(path: &Path) -> Result<(), PrivateFileError> {
    fs::remove_file(path).and_then(|()| sync_directory(path)).map_err(|error| refused(path, &error))
}

/// Makes a directory with mode 0700, and those above it, where there is none.
///
/// # Errors
/// [`PrivateFileError::Io`].
pub fn make_directory(path: &Path) -> Result<(), PrivateFileError> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path).map_err(|error| refused(path, &error))
}

/// What the operating system said about this path.
#[must_use]
pub fn refused(path: &Path, error: &io::Error) -> PrivateFileError {
    PrivateFileError::Io { path: path.to_owned(), reason: error.into() }
}

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

fn check(path: &Path, metadata: &Metadata) -> Result<(), PrivateFileError> {
    if !metadata.is_file() {
        return Err(PrivateFileError::NotAFile { path: path.to_owned() });
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt as _;
        let mode = metadata.mode() & 0o7777;
        let file = Access { mode, owner: metadata.uid(), group: metadata.gid() };
        if !file.is_private(&Process::current()) {
            return Err(PrivateFileError::Mode { path: path.to_owned(), mode });
        }
    }
    Ok(())
}

/// Who may do what with a file.
#[cfg(unix)]
#[derive(Clone, Copy, Debug)]
struct Access {
    mode: u32,
    owner: u32,
    group: u32,
}

/// As whom this process runs.
#[cfg(unix)]
#[derive(Clone, Debug)]
struct Process {
    user: u32,
    group: u32,
    /// Beside the primary one.
    groups: Vec<u32>,
}

#[cfg(unix)]
impl Process {
    fn current() -> Self {
        let groups = rustix::process::getgroups().unwrap_or_default();
        Self {
            user: rustix::process::geteuid().as_raw(),
            group: rustix::process::getegid().as_raw(),
            groups: groups.into_iter().map(rustix::process::Gid::as_raw).collect(),
        }
    }
}

#[cfg(unix)]
impl Access {
    /// Whether nobody has access but the owner, or a group that somebody meant: root gave it the file (a secret that is
    /// mounted into a container, a credential of systemd's), or its owner gave it to a group that is not the primary one
    /// (a volume that `fsGroup` prepared).
    fn is_private(self, process: &Process) -> bool {
        let Self { mode, owner, group } = self;
        let (of_group, of_others) = (mode & 0o070, mode & 0o007);
        if of_others != 0 || of_group & 0o010 != 0 {
            return false;
        }
        let chosen = process.groups.contains(&group) && group != process.group;
        let ours = chosen || process.group == group;
        match of_group {
            0 => true,
            0o040 => owner == 0 || (owner == process.user && chosen),
            0o060 => (owner == 0 && ours) || (owner == process.user && chosen),
            _ => false,
        }
    }
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
    fn permissions_of_others_are_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("secret");
        write(&path, b"content").unwrap();
        for mode in [0o620, 0o610, 0o604, 0o602, 0o601, 0o666, 0o644, 0o650] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(read(&path), Err(PrivateFileError::Mode { path: path.clone(), mode }));
        }
        fs::set_permissions(&path, fs::Permissions::from_mode(0o400)).unwrap();
        assert!(read(&path).unwrap().is_some());
    }

    /// What clusters and service managers make of a secret's file (A8).
    #[test]
    fn a_group_that_somebody_meant_may_have_access() {
        let pod = Process { user: 10001, group: 10001, groups: vec![10001, 2000] };
        let is_private = |mode, owner, group| Access { mode, owner, group }.is_private(&pod);
        for (name, mode, owner, group) in [
            ("the owner's alone", 0o600, 10001, 10001),
            ("a volume of secrets with fsGroup", 0o440, 0, 2000),
            ("the same, by default", 0o640, 0, 2000),
            ("writable too", 0o660, 0, 2000),
            ("files of ours on a volume with fsGroup", 0o660, 10001, 2000),
            ("a credential of systemd's, whose access list shows as the group's", 0o440, 0, 0),
        ] {
            assert!(is_private(mode, owner, group), "{name}");
        }
        for (name, mode, owner, group) in [
            ("others", 0o444, 0, 2000),
            ("others again", 0o604, 10001, 10001),
            ("our primary group, perhaps by no more than a umask", 0o640, 10001, 10001),
            ("somebody else's file", 0o640, 500, 2000),
            ("writable by a group that is not ours", 0o660, 0, 4000),
            ("executable", 0o650, 0, 2000),
            ("write without read", 0o620, 0, 2000),
        ] {
            assert!(!is_private(mode, owner, group), "{name}");
        }
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
        let refused = write(&path, b"content").unwrap_err();
        let said = format!("{} cannot be used: no such file or directory", beside.display());
        assert_eq!(refused.to_string(), said);
    }
}
