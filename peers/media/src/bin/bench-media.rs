//! `bench-media [--json]`: 256 MiB encrypted and decrypted on one thread, beside the ciphers and hashes that this
//! cannot do without, run alone; hosting beside a plain copy of a file; and the memory that a file of a gibibyte takes.

use std::hint::black_box;
use std::time::Instant;

use aes::Aes256;
use aes::cipher::{Array, BlockModeDecrypt as _, BlockModeEncrypt as _, KeyIvInit as _};
use hmac::{Hmac, KeyInit as _, Mac as _};
use measure::{Report, Row, Unit};
use peers_media::hosting::Both;
use peers_media::large;
use sha2::{Digest as _, Sha256};
use wa_media::{Decryptor, Encryptor, FileVerifier, MediaClass, MediaKey, MediaKeys, encrypt};

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.expect("a runtime");
    let json = arguments.iter().any(|argument| argument == "--json");
    if !json && !arguments.is_empty() {
        return runtime.block_on(large::run(&arguments));
    }
    // First, while this process is small.
    let mut memory = Report::new("just started");
    for row in runtime.block_on(large::measured()) {
        memory.push(row);
    }
    let mut report = Report::new("parts run alone");
    report.push(encrypting());
    report.push(decrypting());
    let mut hosting = Report::new("plain hyper file copy");
    for row in runtime.block_on(hosted()) {
        hosting.push(row);
    }
    for report in [report, hosting, memory] {
        report.print(json);
    }
}

const LENGTH: usize = 256 << 20;
const ROUNDS: usize = 5;

fn keys() -> MediaKeys {
    MediaKeys::derive(&MediaKey::from_bytes([7; 32]), MediaClass::Video)
}

/// Bytes a second of both, as medians of interleaved runs.
fn rates(mut ours: impl FnMut(), mut reference: impl FnMut()) -> (f64, f64) {
    let mut times = [Vec::new(), Vec::new()];
    for _ in 0..ROUNDS {
        for (side, work) in [&mut ours as &mut dyn FnMut(), &mut reference].into_iter().enumerate() {
            let start = Instant::now();
            work();
            times[side].push(start.elapsed().as_secs_f64());
        }
    }
    let [ours, reference] = times.map(|mut times| {
        times.sort_by(f64::total_cmp);
        LENGTH as f64 / times[ROUNDS / 2]
    });
    (ours, reference)
}

fn encrypting() -> Row {
    let plain = vec![0x5a; LENGTH];
    let mut blob = Vec::with_capacity(LENGTH + 64);
    let mut buffer = plain.clone();
    let (ours, reference) = rates(
        || {
            blob.clear();
            let mut encryptor = Encryptor::new(&keys());
            encryptor.update(&plain, &mut blob);
            black_box(encryptor.finish(&mut blob));
        },
        || {
            black_box(Sha256::digest(&buffer));
            let mut cipher = cbc::Encryptor::<Aes256>::new(&[1; 32].into(), &[2; 16].into());
            cipher.encrypt_blocks(Array::slice_as_chunks_mut(&mut buffer).0);
            authenticated(&buffer);
        },
    );
    Row::new("encrypt", Unit::PerSecond, ours, reference)
}

fn decrypting() -> Row {
    let (blob, encrypted) = encrypt(&keys(), &vec![0x5a; LENGTH]);
    let mut plain = Vec::with_capacity(LENGTH + 64);
    let mut buffer = vec![0x5a; LENGTH];
    let (ours, reference) = rates(
        || {
            plain.clear();
            let mut verifier = FileVerifier::new(&keys(), &encrypted.facts);
            verifier.update(&blob).expect("the length");
            let mut decryptor = Decryptor::new(&verifier.finish().expect("the file"));
            decryptor.update(&blob, &mut plain).expect("the length");
            decryptor.finish().expect("the file");
        },
        || {
            authenticated(&buffer);
            let mut cipher = cbc::Decryptor::<Aes256>::new(&[1; 32].into(), &[2; 16].into());
            cipher.decrypt_blocks(Array::slice_as_chunks_mut(&mut buffer).0);
            black_box(Sha256::digest(&buffer));
        },
    );
    Row::new("decrypt", Unit::PerSecond, ours, reference)
}

fn authenticated(buffer: &[u8]) {
    let mut mac = Hmac::<Sha256>::new_from_slice(&[3; 32]).expect("any length");
    mac.update(buffer);
    black_box((mac.finalize(), Sha256::digest(buffer)));
}

/// Files of 64 MiB over loopback: MiB a second.
async fn hosted() -> [Row; 2] {
    const LENGTH: usize = 64 << 20;
    let both = Both::start(LENGTH).await;
    let reference = both.upload().await;
    let (mut serve, mut upload) = ([Vec::new(), Vec::new()], [Vec::new(), Vec::new()]);
    for _ in 0..ROUNDS {
        let start = Instant::now();
        black_box(both.fetch(&reference).await);
        serve[0].push(start.elapsed().as_secs_f64());
        let start = Instant::now();
        black_box(both.copy_out().await);
        serve[1].push(start.elapsed().as_secs_f64());
        let start = Instant::now();
        black_box(both.upload().await);
        upload[0].push(start.elapsed().as_secs_f64());
        let start = Instant::now();
        both.copy_in().await;
        upload[1].push(start.elapsed().as_secs_f64());
    }
    let row = |name, times: [Vec<f64>; 2]| {
        let [ours, reference] = times.map(|mut times| {
            times.sort_by(f64::total_cmp);
            LENGTH as f64 / times[ROUNDS / 2]
        });
        Row::new(name, Unit::PerSecond, ours, reference).with_info()
    };
    [row("serve", serve), row("upload", upload)]
}
