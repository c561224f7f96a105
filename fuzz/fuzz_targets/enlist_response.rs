//! An enlistment's answer is read or refused, and a login is an interop address (wa-enlist).
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use wa_enlist::EnlistAnswer;

fuzz_target!(|data: &[u8]| {
    let Some((status, body)) = data.split_first() else { return };
    let mut response = http::Response::new(Bytes::copy_from_slice(body));
    *response.status_mut() =
        if status % 2 == 0 { http::StatusCode::OK } else { http::StatusCode::BAD_GATEWAY };
    if let Ok(EnlistAnswer::Login(login)) = EnlistAnswer::from_http(&response) {
        let (integrator, _) = login.as_interop().expect("an interop address");
        assert!((1..=999).contains(&integrator));
        assert_eq!(login.to_string().parse().as_ref(), Ok(&login));
    }
});
