//! Any bytes are refused as a file, and what a sender encrypted comes out however it is cut (wa-media).
#![no_main]

use libfuzzer_sys::fuzz_target;
use wa_media::{Decryptor, FileFacts, FileVerifier, MediaClass, MediaKey, MediaKeys, decrypt, encrypt};

fuzz_target!(|data: &[u8]| {
    let Some((cut, data)) = data.split_first() else { return };
    let keys = MediaKeys::derive(&MediaKey::from_bytes([*cut; 32]), MediaClass::Image);
    let facts = FileFacts { sha256: [0; 32], enc_sha256: [0; 32], length: data.len() as u64 / 2 };
    assert!(decrypt(&keys, &facts, data).is_err());

    let (blob, encrypted) = encrypt(&keys, data);
    let size = usize::from(*cut) + 1;
    let mut verifier = FileVerifier::new(&keys, &encrypted.facts);
    blob.chunks(size).for_each(|piece| verifier.update(piece).unwrap());
    let mut decryptor = Decryptor::new(&verifier.finish().unwrap());
    let mut plain = Vec::new();
    blob.chunks(size).for_each(|piece| decryptor.update(piece, &mut plain).unwrap());
    decryptor.finish().unwrap();
    assert_eq!(plain, data);
});
