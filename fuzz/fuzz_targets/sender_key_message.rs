//! A group message that is signed, whatever it says: it is decrypted once or refused, and a refusal changes nothing; and
//! any bytes as one that is not (wa-signal).
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use wa_fuzz::sessions::{GROUP, sign};
use wa_signal::{Distribution, SenderKeyMessage};

fuzz_target!(|data: &[u8]| {
    let bytes = Bytes::copy_from_slice(data);
    if let Ok(distribution) = Distribution::decode(bytes.clone()) {
        let again = distribution.encode().to_vec();
        assert_eq!(*Distribution::decode(again.clone().into()).expect("what was written").encode(), again);
    }
    let mut record = GROUP.1.clone();
    let before = record.encode();
    if let Ok(unsigned) = SenderKeyMessage::decode(bytes) {
        record.decrypt(&unsigned).expect_err("nobody signed it");
    }
    if let Ok(message) = SenderKeyMessage::decode(sign(data).into()) {
        match record.decrypt(&message) {
            Err(_) => assert_eq!(*record.encode(), *before, "a refusal changed the record"),
            Ok(_) => drop(record.decrypt(&message).expect_err("a message decrypts once")),
        }
    }
});
