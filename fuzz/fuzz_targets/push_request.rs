//! The body of a push names a possible user or is refused (wa-integrator).
#![no_main]

use libfuzzer_sys::fuzz_target;
use wa_integrator::PushRequest;

fuzz_target!(|data: &[u8]| {
    if let Ok(push) = PushRequest::parse(data, 40) {
        assert!(data.len() <= 4 * 1024);
        let name = push.to.as_str();
        assert!((1..=40).contains(&name.chars().count()) && !name.chars().any(char::is_control));
        let again = format!("{{\"to\":{}}}", serde_json::Value::from(name));
        assert_eq!(PushRequest::parse(again.as_bytes(), 40), Ok(push));
    }
});
