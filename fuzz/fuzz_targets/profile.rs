//! A profile that is read from TOML is written and read the same, and a refusal names a line that is there (wa-profile).
#![no_main]

use libfuzzer_sys::fuzz_target;
use wa_profile::Profile;

fuzz_target!(|text: &str| {
    match Profile::from_toml(text) {
        Ok(profile) => {
            let written = profile.to_toml();
            assert_eq!(Profile::from_toml(&written).as_ref(), Ok(&profile), "{written}");
        }
        Err(error) => {
            let lines = text.matches('\n').count() + 1;
            assert!((1..=lines).contains(&error.line), "line {} of {lines}", error.line);
            assert!(!error.message.is_empty() && !error.message.contains('\n'), "{error}");
        }
    }
});
