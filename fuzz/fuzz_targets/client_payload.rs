//! A client payload that is read and written reads as the same (wa-proto, as the sandbox reads it).
#![no_main]

use libfuzzer_sys::fuzz_target;
use prost::Message;
use wa_proto::handshake::ClientPayload;

fuzz_target!(|data: &[u8]| {
    let Ok(payload) = ClientPayload::decode(data) else { return };
    assert_eq!(ClientPayload::decode(&*payload.encode_to_vec()).as_ref(), Ok(&payload));
});
