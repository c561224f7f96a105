//! The data directory: the store, the shared secret, and a signing key from elsewhere (overview §1.3).

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};

use rand_core::CryptoRng;
use wa_integrator::{IntegratorError, KeyError, MasterKey, PrivateFileError, SigningKey, private_file};
use zeroize::Zeroizing;

/// The directory in which the server keeps its secrets, held by one process at a time.
///
/// A file that is corrupt, or that others may read, is an error and never replaced: a new key would silently
/// end every token, and a restored backup brings the old one back.
#[derive(Debug)]
pub struct DataDirectory {
    path: PathBuf,
    /// Locked for as long as this value lives.
    _lock: File,
}

impl DataDirectory {
    /// Opens the directory at `path` for this process alone, making it (mode 0700) where there is none.
    ///
    /// # Errors
    /// [`PrivateFileError::InUse`] while another process has it, [`PrivateFileError::Io`] otherwise.
    pub fn open(path: &Path) -> Result<Self, PrivateFileError> {
        let refused = |error: &std::io::Error| private_file::refused(path, error);
        Self::make(path)?;
        let lock = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(path.join(LOCK_FILE))
            .map_err(|error| refused(&error))?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { path: path.to_owned(), _lock: lock }),
            Err(TryLockError::WouldBlock) => Err(PrivateFileError::InUse { path: path.to_owned() }),
            Err(TryLockError::Error(error)) => Err(refused(&error)),
        }
    }

    /// Makes the directory (mode 0700) where there is none.
    ///
    /// # Errors
    /// [`PrivateFileError::Io`].
    pub fn make(path: &Path) -> Result<(), PrivateFileError> {
        private_file::make_directory(path)
    }

    /// The signing key in `signing-key.pem` (PKCS#8, mode 0600), where there is such a file: a key that was made
    /// elsewhere. It becomes the first key of an empty store, and the file goes with
    /// [`remove_signing_key`](Self::remove_signing_key).
    ///
    /// # Errors
    /// [`PrivateFileError`] for a file that cannot be used, [`KeyError`](wa_integrator::KeyError) for a key of another
    /// size.
    pub fn signing_key(&self) -> Result<Option<SigningKey>, IntegratorError> {
        let path = self.path.join(KEY_FILE);
        let Some(pem) = private_file::read(&path)? else { return Ok(None) };
        SigningKey::from_pem(&pem).map(Some).map_err(|error| match error {
            KeyError::NotPkcs8 | KeyError::Signing => PrivateFileError::Corrupt { path }.into(),
            error => error.into(),
        })
    }

    /// Removes `signing-key.pem`, whose key the store has by now.
    ///
    /// # Errors
    /// [`PrivateFileError`].
    pub fn remove_signing_key(&self) -> Result<(), PrivateFileError> {
        private_file::remove(&self.path.join(KEY_FILE))
    }

    /// The key in the file at `path`, 64 hexadecimal digits and a line end, mode 0600, that private halves are
    /// sealed with in the store.
    ///
    /// # Errors
    /// [`PrivateFileError`] for a file that is not there or cannot be used.
    pub fn master_key(path: &Path) -> Result<MasterKey, PrivateFileError> {
        let content = private_file::read_existing(path)?;
        Ok(MasterKey::new(*digits(path, &content)?))
    }

    /// The secret in the file at `path`, of the same form.
    ///
    /// # Errors
    /// [`PrivateFileError`] for a file that is not there or cannot be used.
    pub fn existing_secret(path: &Path) -> Result<Zeroizing<[u8; 32]>, PrivateFileError> {
        digits(path, &private_file::read_existing(path)?)
    }

    /// Where the shared secret lies in the directory at `path`.
    #[must_use]
    pub fn secret_path(path: &Path) -> PathBuf {
        path.join(SECRET_FILE)
    }

    /// Where the index of hosted media lies in the directory at `path`.
    #[must_use]
    pub fn media_path(path: &Path) -> PathBuf {
        path.join(MEDIA_FILE)
    }

    /// Where the store lies in the directory at `path`.
    #[must_use]
    pub fn store_path(path: &Path) -> PathBuf {
        path.join(STORE_FILE)
    }

    /// The shared secret in the file at `path`: 64 hexadecimal digits and a line end, mode 0600; made on first
    /// use. Without `path` it is `shared-secret` in this directory.
    ///
    /// # Errors
    /// [`PrivateFileError`] for a file that cannot be used or written.
    pub fn shared_secret(
        &self,
        path: Option<&Path>,
        rng: &mut impl CryptoRng,
    ) -> Result<Zeroizing<[u8; 32]>, PrivateFileError> {
        let path = path.map_or_else(|| self.path.join(SECRET_FILE), Path::to_owned);
        if let Some(content) = private_file::read(&path)? {
            return digits(&path, &content);
        }
        let mut secret = Zeroizing::new([0; 32]);
        rng.fill_bytes(secret.as_mut_slice());
        let mut content = Zeroizing::new(hex::encode(secret.as_slice()));
        content.push('\n');
        private_file::write(&path, content.as_bytes())?;
        tracing::info!(path = %path.display(), "made a shared secret; give it to the service's backend");
        Ok(secret)
    }
}

const KEY_FILE: &str = "signing-key.pem";
const SECRET_FILE: &str = "shared-secret";
const LOCK_FILE: &str = "lock";
const STORE_FILE: &str = "store.sqlite";
const MEDIA_FILE: &str = "media.sqlite";

fn digits(path: &Path, content: &[u8]) -> Result<Zeroizing<[u8; 32]>, PrivateFileError> {
    let mut secret = Zeroizing::new([0; 32]);
    let digits = content.strip_suffix(b"\n").unwrap_or(content);
    hex::decode_to_slice(digits, secret.as_mut_slice())
        .map_err(|_| PrivateFileError::Corrupt { path: path.to_owned() })?;
    Ok(secret)
}

#[cfg(all(test, unix))]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use rand::SeedableRng as _;
    use rand::rngs::StdRng;

    use super::*;

    fn rng() -> StdRng {
        StdRng::seed_from_u64(1)
    }

    #[test]
    fn a_key_from_elsewhere_is_read_and_removed() {
        let temporary = tempfile::tempdir().unwrap();
        let path = temporary.path().join("a").join("b");
        let directory = DataDirectory::open(&path).unwrap();
        assert!(directory.signing_key().unwrap().is_none());
        let made = SigningKey::generate().unwrap();
        let file = path.join("signing-key.pem");
        private_file::write(&file, &made.to_pem()).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o700);
        let read = directory.signing_key().unwrap().unwrap();
        assert_eq!(read.public_key(), made.public_key());
        directory.remove_signing_key().unwrap();
        assert!(!file.exists() && directory.signing_key().unwrap().is_none());
    }

    #[test]
    fn the_master_key_is_a_file_of_its_own() {
        let temporary = tempfile::tempdir().unwrap();
        let path = temporary.path().join("master");
        let absent = format!("{} cannot be used: no such file or directory", path.display());
        assert_eq!(DataDirectory::master_key(&path).unwrap_err().to_string(), absent);
        private_file::write(&path, format!("{}\n", "01".repeat(32)).as_bytes()).unwrap();
        assert!(DataDirectory::master_key(&path).is_ok());
        fs::set_permissions(&path, fs::Permissions::from_mode(0o604)).unwrap();
        let mode = PrivateFileError::Mode { path: path.clone(), mode: 0o604 };
        assert_eq!(DataDirectory::master_key(&path).unwrap_err(), mode);
    }

    #[test]
    fn a_corrupt_key_is_an_error_and_stays() {
        let temporary = tempfile::tempdir().unwrap();
        let directory = DataDirectory::open(temporary.path()).unwrap();
        let path = temporary.path().join("signing-key.pem");
        for content in ["", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"] {
            private_file::write(&path, content.as_bytes()).unwrap();
            let error = directory.signing_key().unwrap_err();
            assert!(
                matches!(error, IntegratorError::PrivateFile(refusal) if refusal == PrivateFileError::Corrupt { path: path.clone() })
            );
            assert_eq!(fs::read_to_string(&path).unwrap(), content);
        }
    }

    #[test]
    fn a_key_that_others_may_read_is_an_error() {
        let temporary = tempfile::tempdir().unwrap();
        let directory = DataDirectory::open(temporary.path()).unwrap();
        let path = temporary.path().join("signing-key.pem");
        private_file::write(&path, &SigningKey::generate().unwrap().to_pem()).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        let error = directory.signing_key().unwrap_err();
        assert!(
            matches!(error, IntegratorError::PrivateFile(refusal) if refusal == PrivateFileError::Mode { path, mode: 0o644 })
        );
    }

    #[test]
    fn the_secret_is_made_once_and_kept() {
        let temporary = tempfile::tempdir().unwrap();
        let directory = DataDirectory::open(temporary.path()).unwrap();
        let made = directory.shared_secret(None, &mut rng()).unwrap();
        assert_ne!(*made, [0; 32]);
        let written = fs::read_to_string(temporary.path().join("shared-secret")).unwrap();
        assert_eq!(written, format!("{}\n", hex::encode(*made)));
        let elsewhere = temporary.path().join("shared-secret");
        assert_eq!(directory.shared_secret(Some(&elsewhere), &mut rng()).unwrap(), made);
    }

    #[test]
    fn a_secret_of_another_form_is_corrupt() {
        let temporary = tempfile::tempdir().unwrap();
        let directory = DataDirectory::open(temporary.path()).unwrap();
        let path = temporary.path().join("shared-secret");
        for content in
            ["", "\n", &"0".repeat(63), &"0".repeat(65), &"g".repeat(64), &format!("{}\n\n", "0".repeat(64))]
        {
            private_file::write(&path, content.as_bytes()).unwrap();
            let refused = directory.shared_secret(None, &mut rng());
            assert_eq!(refused, Err(PrivateFileError::Corrupt { path: path.clone() }), "{content:?}");
        }
    }

    #[test]
    fn one_process_has_the_directory() {
        let temporary = tempfile::tempdir().unwrap();
        let first = DataDirectory::open(temporary.path()).unwrap();
        let refused = DataDirectory::open(temporary.path()).unwrap_err();
        assert_eq!(refused, PrivateFileError::InUse { path: temporary.path().to_owned() });
        drop(first);
        assert!(DataDirectory::open(temporary.path()).is_ok());
    }
}
