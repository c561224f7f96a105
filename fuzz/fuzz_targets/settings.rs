//! A file of settings is taken or refused with a line that is there, comments and blank lines change neither, and what is
//! no setting is refused (wa-integrator-server). A profile, which is another file, is not opened.
#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;
use wa_integrator_server::{Settings, SettingsError};

fuzz_target!(|text: &str| {
    // A lone carriage return at the end would become a line's end by what is put behind it.
    if text.contains("profile") || text.contains('\\') || text.ends_with('\r') {
        return;
    }
    let read = |text: &str| Settings::from_toml(text, Path::new("a.toml"));
    let commented = format!("# a comment\n\n{text}\n# another\n");
    match (read(text), read(&commented)) {
        (Ok(_), Ok(_)) => {
            let strange = format!("{text}\n[nobody-knows-this]\n");
            assert!(read(&strange).is_err(), "what is no setting was taken");
        }
        (Err(error), Err(moved)) => assert_moved(&error, &moved, text),
        (one, other) => unreachable!("{:?}, with comments {:?}", one.err(), other.err()),
    }
});

/// The same, two lines below.
fn assert_moved(error: &SettingsError, moved: &SettingsError, text: &str) {
    let lines = text.matches('\n').count() + 1;
    match (error, moved) {
        (SettingsError::Form { line, .. }, SettingsError::Form { .. }) => {
            assert!((1..=lines).contains(line));
        }
        (
            SettingsError::InFile { line, key, message, .. },
            SettingsError::InFile { line: below, key: same, .. },
        ) => {
            assert!((1..=lines).contains(line) && !message.contains('\n'));
            // Of two mistakes either may be the one that is named.
            assert!(
                key != same || *below == line + 2 || *line == 1,
                "line {line}, and with two before it {below}"
            );
        }
        (error, moved) => unreachable!("{error}, with comments {moved}"),
    }
}
