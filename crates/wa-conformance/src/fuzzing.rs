//! What the fuzzer looks at and nobody else: only in builds with `--cfg fuzzing` (docs/FUZZING.md).

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::target::device::{Answer, Command, Hello};

/// Kinds of lines between the suite and a shim: hello, command, answer.
pub const LINES: usize = 3;

/// What is written of a line of that kind that can be read; nothing if it is refused.
#[must_use]
pub fn rewritten(kind: usize, line: &[u8]) -> Option<String> {
    fn again<T: DeserializeOwned + Serialize>(line: &[u8]) -> Option<String> {
        serde_json::to_string(&serde_json::from_slice::<T>(line).ok()?).ok()
    }
    match kind {
        0 => again::<Hello>(line),
        1 => again::<Command>(line),
        _ => again::<Answer>(line),
    }
}
