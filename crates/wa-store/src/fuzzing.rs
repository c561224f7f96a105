//! What the fuzzer looks at and nobody else: only in builds with `--cfg fuzzing` (docs/FUZZING.md).

use crate::StoreKey;
use crate::seal::Sealer;

/// A value as it stands in the file: sealed for this row of this account.
#[must_use]
pub fn seal(key: &StoreKey, account: &[u8], row: &[u8], value: &[u8]) -> Vec<u8> {
    Sealer::new(key, account).seal(row, value)
}

/// The value of a row, if these bytes were sealed for it.
#[must_use]
pub fn open(key: &StoreKey, account: &[u8], row: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
    let value = Sealer::new(key, account).open(row, sealed).ok()?;
    Some(value.as_bytes().to_vec())
}
