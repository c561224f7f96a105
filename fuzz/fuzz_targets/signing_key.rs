//! A file as a signing key: refused, or an RSA key that can sign and is written and read the same; and no bytes open under
//! the master key but what it sealed (wa-integrator).
#![no_main]

use libfuzzer_sys::fuzz_target;
use rand::SeedableRng;
use rand::rngs::StdRng;
use wa_integrator::{MasterKey, SigningKey, rs256};

fuzz_target!(|data: &[u8]| {
    if let Ok(key) = SigningKey::from_pem(data) {
        let again = SigningKey::from_pem(&key.to_pem()).expect("what was written");
        let (ours, read) = (key.public_key(), again.public_key());
        assert_eq!((ours.n(), ours.e(), ours.kid()), (read.n(), read.e(), read.kid()));
        assert!(ours.n().len() >= 342, "shorter than 2048 bits");
        key.sign(b"message").expect("a key signs");
    }
    let master = MasterKey::new([1; 32]);
    master.open("kid", data).expect_err("nobody sealed it");
    let sealed = master.seal("kid", data, &mut StdRng::seed_from_u64(1)).expect("seals");
    assert_eq!(master.open("kid", &sealed).expect("what was sealed").as_slice(), data);
    master.open("kie", &sealed).expect_err("another key's");
    assert!(MasterKey::is_envelope(&sealed));
    // Two halves of it are no modulus and exponent of a key that verifies what nobody signed.
    let (modulus, exponent) = data.split_at(data.len() / 2);
    if let Some(key) = rs256(modulus, exponent) {
        assert!(!key.verifies(b"message", data));
    }
});
