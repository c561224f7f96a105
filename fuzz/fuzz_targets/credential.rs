//! A backend's credential in any header is refused, or was made with the secret, stands in its time and names a possible
//! user; and what is made is taken (wa-integrator).
//!
//! The input is a kind, and the header; or what the secret's MAC is put behind.
#![no_main]

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use http::{HeaderValue, Request, header};
use libfuzzer_sys::fuzz_target;
use sha2::Sha256;
use tokio::runtime::Builder;
use wa_integrator::{AuthenticationError, Authenticator, Principal, SharedSecret, UserIdentifier};

const SECRET: [u8; 32] = [7; 32];
const NOW: u64 = 1_700_000_000;

fuzz_target!(|data: &[u8]| {
    let Some((kind, data)) = data.split_first() else { return };
    let secret = SharedSecret::new(SECRET, 40);
    match kind % 3 {
        0 => header(&secret, data),
        1 => sealed(&secret, data),
        _ => made(&secret, data),
    }
});

/// Any value of the header: nobody made it.
fn header(secret: &SharedSecret, value: &[u8]) {
    let Ok(value) = HeaderValue::from_bytes(value) else { return };
    let request = Request::builder().header(header::AUTHORIZATION, value).body(()).expect("a request");
    assert!(asked(secret, request).is_err(), "nobody made it");
}

/// Whatever is signed: it is believed only in its time, and only for who can be a user.
fn sealed(secret: &SharedSecret, text: &[u8]) {
    let Ok(text) = std::str::from_utf8(text) else { return };
    let credential = format!("{text}.{}", mac(text));
    let Ok(principal) = secret.verify(&credential, NOW) else { return };
    let name = principal.user_identifier().as_str().to_owned();
    assert!((1..=40).contains(&name.chars().count()) && credential.len() <= 1024);
    assert!(secret.verify(&credential, NOW + 300).is_err(), "five minutes are over");
    assert!(SharedSecret::new([8; 32], 40).verify(&credential, NOW).is_err(), "another secret");
    // By the header it is the same, or stands in no header.
    let value = HeaderValue::from_str(&format!("Bearer {credential}")).expect("base64url and dots");
    let request = Request::builder().header(header::AUTHORIZATION, value).body(()).expect("a request");
    assert_eq!(asked(secret, request), Ok(principal));
}

/// What this makes for a user, it takes for that user and no longer.
fn made(secret: &SharedSecret, name: &[u8]) {
    let Some(user) = std::str::from_utf8(name).ok().and_then(|name| UserIdentifier::new(name, 40).ok())
    else {
        return;
    };
    let credential = secret.credential(&user, NOW + 60);
    assert_eq!(secret.verify(&credential, NOW), Ok(Principal::new(user)));
    assert_eq!(secret.verify(&credential, NOW + 60), Err(AuthenticationError::Expired));
    assert_eq!(secret.verify(&credential, NOW - 241), Err(AuthenticationError::TooLongLived));
}

fn asked(secret: &SharedSecret, request: Request<()>) -> Result<Principal, AuthenticationError> {
    let runtime = Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(secret.authenticate(&request.into_parts().0, NOW))
}

fn mac(text: &str) -> String {
    let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(&SECRET).expect("any length");
    mac.update(text.as_bytes());
    URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes())
}
