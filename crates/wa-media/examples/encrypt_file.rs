//! Encrypts a file as WhatsApp's media are, in one pass, and opens it again as a receiver does.
//!
//! ```sh
//! cargo run -p wa-media --example encrypt_file -- Cargo.toml
//! ```

use std::error::Error;
use std::fs::File;
use std::path::Path;

use rand::rngs::SysRng;
use rand_core::UnwrapErr;
use wa_media::{Encryptor, MediaClass, MediaKey, MediaKeys, encrypt_stream, open_file};

#[expect(clippy::print_stdout, reason = "what it shows is what it is for")]
fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args().nth(1).ok_or("usage: encrypt_file FILE")?;
    let directory = tempfile::tempdir()?;
    let (blob, opened) = (directory.path().join("blob"), directory.path().join("opened"));

    // The key goes into the message, and with it what identifies the file.
    let key = MediaKey::generate(&mut UnwrapErr(SysRng));
    let keys = MediaKeys::derive(&key, MediaClass::Document);
    let encrypted = encrypt_stream(Encryptor::new(&keys), File::open(&path)?, File::create(&blob)?, |_| {})?;
    println!("{} bytes, {} encrypted", encrypted.facts.length, encrypted.facts.blob_length());

    // The receiver has key and facts from the message, and the blob from a media host.
    open_file(&keys, &encrypted.facts, &blob, &opened, |_| {})?;
    println!("the same again: {}", same(Path::new(&path), &opened)?);
    Ok(())
}

fn same(one: &Path, other: &Path) -> std::io::Result<bool> {
    Ok(std::fs::read(one)? == std::fs::read(other)?)
}
