#![no_main]

use libfuzzer_sys::fuzz_target;
use wa_binary::Jid;

fuzz_target!(|text: &str| {
    if let Ok(jid) = text.parse::<Jid>() {
        assert_eq!(jid.to_string().parse(), Ok(jid));
    }
});
