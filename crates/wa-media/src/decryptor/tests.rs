//! Each check of an opened file, refused by its own name.

use super::*;
use crate::{MediaClass, MediaKey, encrypt};

const PLAIN: &[u8] = b"forty bytes of a picture, more or less..";

fn keys(byte: u8) -> MediaKeys {
    MediaKeys::derive(&MediaKey::from_bytes([byte; 32]), MediaClass::Image)
}

fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

/// A file whose sender does everything right but what `change` does to the padded plaintext.
fn sent(change: impl FnOnce(&mut [u8])) -> (Vec<u8>, FileFacts) {
    use cbc::cipher::BlockModeEncrypt as _;
    use hmac::Mac as _;
    let keys = keys(1);
    let mut blob = [PLAIN, &[8; 8]].concat();
    change(&mut blob);
    keys.encryptor().encrypt_blocks(Array::slice_as_chunks_mut(&mut blob).0);
    let mut mac = keys.hmac();
    mac.update(&keys.iv);
    mac.update(&blob);
    blob.extend_from_slice(&mac.finalize().into_bytes()[..10]);
    let facts = FileFacts { sha256: sha256(PLAIN), enc_sha256: sha256(&blob), length: 40 };
    (blob, facts)
}

#[test]
fn what_was_encrypted_is_decrypted() {
    let (blob, facts) = sent(|_| {});
    let (encrypted, made) = encrypt(&keys(1), PLAIN);
    assert_eq!((&blob, &facts), (&encrypted, &made.facts));
    assert_eq!(decrypt(&keys(1), &facts, &blob).unwrap(), PLAIN);
}

#[test]
fn every_flipped_bit_is_refused_by_the_hash_of_what_was_received() {
    let (blob, facts) = sent(|_| {});
    for bit in 0..blob.len() * 8 {
        let mut spoilt = blob.clone();
        spoilt[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(decrypt(&keys(1), &facts, &spoilt), Err(MediaError::EncryptedHash), "bit {bit}");
    }
}

#[test]
fn a_flipped_byte_whose_hash_was_adapted_is_refused_by_the_mac() {
    let (blob, facts) = sent(|_| {});
    for byte in 0..blob.len() {
        let mut spoilt = blob.clone();
        spoilt[byte] ^= 0x80;
        let facts = FileFacts { enc_sha256: sha256(&spoilt), ..facts };
        assert_eq!(decrypt(&keys(1), &facts, &spoilt), Err(MediaError::Mac), "byte {byte}");
    }
}

#[test]
fn another_key_another_class_and_other_hashes_are_refused_by_name() {
    let (blob, facts) = sent(|_| {});
    let mut other = facts;
    other.enc_sha256[31] ^= 1;
    assert_eq!(decrypt(&keys(1), &other, &blob), Err(MediaError::EncryptedHash));
    let mut other = facts;
    other.sha256[0] ^= 1;
    assert_eq!(decrypt(&keys(1), &other, &blob), Err(MediaError::Hash));
    assert_eq!(decrypt(&keys(2), &facts, &blob), Err(MediaError::Mac));
    let class = MediaKeys::derive(&MediaKey::from_bytes([1; 32]), MediaClass::Video);
    assert_eq!(decrypt(&class, &facts, &blob), Err(MediaError::Mac));
}

#[test]
fn another_length_is_refused() {
    let (blob, facts) = sent(|_| {});
    let refused = |expected, found| Err(MediaError::BlobLength { expected, found });
    assert_eq!(decrypt(&keys(1), &facts, &blob[..57]), refused(58, 57));
    assert_eq!(decrypt(&keys(1), &facts, b""), refused(58, 0));
    assert_eq!(decrypt(&keys(1), &facts, &[&blob[..], b"x"].concat()), refused(58, 59));
    // The same number of blocks, so that only the padding can tell.
    let shorter = FileFacts { length: 39, ..facts };
    let length = MediaError::Length { expected: 39, found: 40 };
    assert_eq!(decrypt(&keys(1), &shorter, &blob), Err(length));
    for length in [31, 48, u64::MAX] {
        let expected = FileFacts { length, ..facts }.blob_length();
        let other = FileFacts { length, ..facts };
        assert_eq!(decrypt(&keys(1), &other, &blob), refused(expected, 58), "{length}");
    }
}

#[test]
fn a_padding_that_is_none_is_refused() {
    for (last, before) in [(0, 8), (17, 8), (255, 8), (8, 7)] {
        let (blob, facts) = sent(|padded| {
            padded[47] = last;
            padded[46] = before;
        });
        assert_eq!(decrypt(&keys(1), &facts, &blob), Err(MediaError::Padding), "{last} {before}");
    }
}

#[test]
fn a_file_that_changes_after_it_was_verified_is_refused() {
    let (mut blob, facts) = sent(|_| {});
    let mut verifier = FileVerifier::new(&keys(1), &facts);
    verifier.update(&blob).unwrap();
    let verified = verifier.finish().unwrap();

    let (mut out, mut decryptor) = (Vec::new(), Decryptor::new(&verified));
    decryptor.update(&blob[..57], &mut out).unwrap();
    assert_eq!(decryptor.finish(), Err(MediaError::BlobLength { expected: 58, found: 57 }));

    let mut decryptor = Decryptor::new(&verified);
    decryptor.update(&blob, &mut out).unwrap();
    let refused = MediaError::BlobLength { expected: 58, found: 59 };
    assert_eq!(decryptor.update(b"x", &mut out), Err(refused));

    blob[0] ^= 1;
    let mut decryptor = Decryptor::new(&verified);
    decryptor.update(&blob, &mut out).unwrap();
    assert_eq!(decryptor.finish(), Err(MediaError::Hash));
}

#[test]
fn the_empty_file_is_a_file() {
    let (blob, made) = encrypt(&keys(1), b"");
    assert_eq!((blob.len(), made.facts.length), (26, 0));
    assert_eq!(decrypt(&keys(1), &made.facts, &blob).unwrap(), b"");
}
