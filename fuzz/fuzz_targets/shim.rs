//! A line of a shim or of the suite is refused or is written and read the same; none is more than its line (wa-conformance).
#![no_main]

use libfuzzer_sys::fuzz_target;
use wa_conformance::fuzzing::{LINES, rewritten};

fuzz_target!(|data: &[u8]| {
    let Some((kind, line)) = data.split_first() else { return };
    let kind = usize::from(*kind) % LINES;
    if let Some(written) = rewritten(kind, line) {
        assert!(!written.contains('\n'), "{written}");
        assert_eq!(rewritten(kind, written.as_bytes()).as_ref(), Some(&written));
    }
});
