//! Files of any size in constant memory: encrypted in one pass, opened in two (observed order of checks).

use std::fs;
use std::fs::File;
use std::io;
use std::io::{Read, Seek as _, Write};
use std::path::Path;

use crate::{Decryptor, Encrypted, Encryptor, FileError, FileFacts, FileVerifier, MediaKeys, Verified};

/// Encrypts what `source` gives into `target`, and tells `progress` how many bytes have been read each time.
///
/// # Errors
/// [`FileError::Io`].
pub fn encrypt_stream(
    mut encryptor: Encryptor,
    mut source: impl Read,
    mut target: impl Write,
    mut progress: impl FnMut(u64),
) -> Result<Encrypted, FileError> {
    let mut out = Vec::with_capacity(CHUNK + 64);
    each_chunk(&mut source, |chunk, position| {
        out.clear();
        encryptor.update(chunk, &mut out);
        target.write_all(&out)?;
        progress(position);
        Ok(())
    })?;
    out.clear();
    let encrypted = encryptor.finish(&mut out);
    target.write_all(&out)?;
    target.flush()?;
    Ok(encrypted)
}

/// Verifies the encrypted file that `source` gives.
///
/// # Errors
/// [`FileError::Media`] with the check that failed, [`FileError::Io`].
pub fn verify_stream(
    keys: &MediaKeys,
    facts: &FileFacts,
    mut source: impl Read,
) -> Result<Verified, FileError> {
    let mut verifier = FileVerifier::new(keys, facts);
    each_chunk(&mut source, |chunk, _| Ok(verifier.update(chunk)?))?;
    Ok(verifier.finish()?)
}

/// Opens the encrypted file at `blob`: verified, decrypted to a file beside `target`, verified again, synced, and
/// only then renamed to `target`. Then `blob` is removed; after a failed check both are, and the error says which.
///
/// `progress` is told how many bytes have been decrypted each time.
///
/// # Errors
/// [`FileError::Media`] with the check that failed, [`FileError::Io`]; `target` is then as it was before.
pub fn open_file(
    keys: &MediaKeys,
    facts: &FileFacts,
    blob: &Path,
    target: &Path,
    progress: impl FnMut(u64),
) -> Result<(), FileError> {
    let mut beside = target.as_os_str().to_owned();
    beside.push(".decrypted");
    let beside = Path::new(&beside);
    let opened = decrypt_beside(keys, facts, blob, beside, progress)
        .and_then(|()| fs::rename(beside, target).map_err(FileError::from));
    if opened.is_err() {
        // Nothing that failed a check is left; what was never made need not be removed.
        let _ = fs::remove_file(beside);
    }
    match opened {
        Ok(()) | Err(FileError::Media(_)) => {
            let _ = fs::remove_file(blob);
        }
        // The disk may be full for a while only: what was downloaded stays.
        Err(FileError::Io { .. }) => {}
    }
    opened
}

fn decrypt_beside(
    keys: &MediaKeys,
    facts: &FileFacts,
    blob: &Path,
    beside: &Path,
    mut progress: impl FnMut(u64),
) -> Result<(), FileError> {
    let mut source = File::open(blob)?;
    let verified = verify_stream(keys, facts, &mut source)?;
    source.rewind()?;
    let mut target = File::create(beside)?;
    let mut decryptor = Decryptor::new(&verified);
    let mut out = Vec::with_capacity(CHUNK + 64);
    each_chunk(&mut source, |chunk, position| {
        out.clear();
        decryptor.update(chunk, &mut out)?;
        target.write_all(&out)?;
        progress(position);
        Ok(())
    })?;
    decryptor.finish()?;
    Ok(target.sync_all()?)
}

/// How much is read at a time.
const CHUNK: usize = 256 * 1024;

/// Gives each chunk of a file to `take`, with how many bytes were read up to its end.
fn each_chunk(
    source: &mut impl Read,
    mut take: impl FnMut(&[u8], u64) -> Result<(), FileError>,
) -> Result<(), FileError> {
    let mut buffer = vec![0; CHUNK];
    let mut position = 0_u64;
    loop {
        let read = match source.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error.into()),
        };
        position = position.saturating_add(read as u64);
        take(buffer.get(..read).unwrap_or_default(), position)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{MediaClass, MediaError, MediaKey};

    fn keys() -> MediaKeys {
        MediaKeys::derive(&MediaKey::from_bytes([5; 32]), MediaClass::Document)
    }

    fn written(directory: &Path, plain: &[u8]) -> (std::path::PathBuf, FileFacts) {
        let blob = directory.join("blob");
        let encryptor = Encryptor::new(&keys());
        let encrypted = encrypt_stream(encryptor, plain, File::create(&blob).unwrap(), |_| {}).unwrap();
        (blob, encrypted.facts)
    }

    #[test]
    fn a_file_is_opened_into_its_place_and_nothing_else_is_left() {
        let directory = tempfile::tempdir().unwrap();
        let plain: Vec<u8> = (0..1_000_003_u32).map(|number| number.to_le_bytes()[0]).collect();
        let (blob, facts) = written(directory.path(), &plain);
        let target = directory.path().join("file");
        let mut progress = Vec::new();
        open_file(&keys(), &facts, &blob, &target, |bytes| progress.push(bytes)).unwrap();
        assert_eq!(fs::read(&target).unwrap(), plain);
        assert_eq!(progress, [262_144, 524_288, 786_432, facts.blob_length()]);
        assert_eq!(fs::read_dir(&directory).unwrap().count(), 1);
    }

    #[test]
    fn what_fails_a_check_leaves_nothing_and_what_was_there_before() {
        let directory = tempfile::tempdir().unwrap();
        let target = directory.path().join("file");
        fs::write(&target, "before").unwrap();
        let plain = [7; 300_000];
        let (_, facts) = written(directory.path(), &plain);
        let wrong = |hash: [u8; 32]| hash.map(|byte| !byte);
        let refused = [
            (FileFacts { enc_sha256: wrong(facts.enc_sha256), ..facts }, MediaError::EncryptedHash),
            (FileFacts { sha256: wrong(facts.sha256), ..facts }, MediaError::Hash),
        ];
        for (facts, error) in refused {
            let (blob, _) = written(directory.path(), &plain);
            assert_eq!(open_file(&keys(), &facts, &blob, &target, |_| {}), Err(error.into()));
            assert_eq!(fs::read(&target).unwrap(), b"before");
            assert_eq!(fs::read_dir(&directory).unwrap().count(), 1, "{error}");
        }
    }

    #[test]
    fn what_the_disk_refuses_keeps_what_was_downloaded() {
        let directory = tempfile::tempdir().unwrap();
        let (blob, facts) = written(directory.path(), b"plain");
        let target = directory.path().join("absent").join("file");
        let kind = io::ErrorKind::NotFound;
        assert_eq!(open_file(&keys(), &facts, &blob, &target, |_| {}), Err(FileError::Io { kind }));
        assert!(blob.exists());
    }
}
