//! A key set is refused or has usable keys, within its limits, whatever else is in it (wa-jwt).
#![no_main]

use libfuzzer_sys::fuzz_target;
use wa_integrator::rs256;
use wa_jwt::ForeignKeySet;

fuzz_target!(|data: &[u8]| {
    if let Ok(set) = ForeignKeySet::parse(data, rs256) {
        assert!(data.len() <= 64 * 1024);
        assert!(!set.is_empty() && set.len() + set.passed_over() <= 64);
        // Blanks around a document change nothing.
        let spaced = [b" ", data, b"\n"].concat();
        if spaced.len() <= 64 * 1024 {
            assert_eq!(ForeignKeySet::parse(&spaced, rs256).expect("the same set").len(), set.len());
        }
    }
});
