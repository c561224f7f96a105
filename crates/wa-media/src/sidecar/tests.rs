//! Both readings of what a sidecar covers, against their definition.

use super::*;
use crate::{Encryptor, MediaClass, MediaKey};

fn keys() -> MediaKeys {
    MediaKeys::derive(&MediaKey::from_bytes([3; 32]), MediaClass::Video)
}

/// Encrypted in small pieces, with what the windows should be by their definition.
fn made(length: usize, coverage: SidecarCoverage) -> (Sidecar, Vec<u8>) {
    let keys = keys();
    let mut encryptor = Encryptor::new(&keys).with_sidecar(&keys, coverage);
    let mut blob = Vec::new();
    for piece in vec![0x5a; length].chunks(1000) {
        encryptor.update(piece, &mut blob);
    }
    let sidecar = encryptor.finish(&mut blob).sidecar.unwrap();
    let covered = match coverage {
        SidecarCoverage::WithIv => [&keys.iv[..], &blob].concat(),
        _ => blob,
    };
    (sidecar, covered)
}

fn windows(covered: &[u8]) -> Vec<&[u8]> {
    let starts = (0..covered.len()).step_by(64 * 1024);
    starts.map(|start| &covered[start..covered.len().min(start + 64 * 1024 + 16)]).collect()
}

#[test]
fn windows_overlap_by_a_block_in_both_readings() {
    for coverage in [SidecarCoverage::WithoutIv, SidecarCoverage::WithIv] {
        for length in [0, 1, 65_500, 65_536, 65_550, 131_000, 131_072, 131_080, 200_000] {
            let (sidecar, covered) = made(length, coverage);
            let windows = windows(&covered);
            assert_eq!(sidecar.windows(), windows.len(), "{length} {coverage:?}");
            for (index, window) in windows.iter().enumerate() {
                assert_eq!(sidecar.check(&keys(), index, window), Ok(()), "{length} {coverage:?} {index}");
            }
        }
    }
}

#[test]
fn the_readings_differ() {
    let [without, with] = [SidecarCoverage::WithoutIv, SidecarCoverage::WithIv].map(|it| made(70_000, it).0);
    assert_ne!(without, with);
}

#[test]
fn another_window_is_refused_with_its_number() {
    let (sidecar, covered) = made(200_000, SidecarCoverage::WithoutIv);
    let windows = windows(&covered);
    let mut spoilt = windows[1].to_vec();
    spoilt[65_551] ^= 1;
    let differs = |index| Err(MediaError::SidecarWindow { index });
    assert_eq!(sidecar.check(&keys(), 1, &spoilt), differs(1));
    assert_eq!(sidecar.check(&keys(), 0, windows[1]), differs(0));
    assert_eq!(sidecar.check(&keys(), 1, &windows[1][..windows[1].len() - 1]), differs(1));
    assert_eq!(sidecar.check(&keys(), 4, b""), differs(4));
    let other = MediaKeys::derive(&MediaKey::from_bytes([4; 32]), MediaClass::Video);
    assert_eq!(sidecar.check(&other, 1, windows[1]), differs(1));
}

#[test]
fn a_sidecar_has_ten_bytes_for_each_window() {
    for length in [1, 9, 11, 1_000_010] {
        let refused = Err(MediaError::SidecarLength { length });
        assert_eq!(Sidecar::from_bytes(&vec![0; length]), refused);
    }
    assert_eq!(Sidecar::from_bytes(&[0; 20]).unwrap().windows(), 2);
    assert_eq!(Sidecar::from_bytes(&[]).unwrap().windows(), 0);
}
