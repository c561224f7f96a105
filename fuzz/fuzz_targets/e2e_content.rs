//! Content that is read and written reads as the same, and what is not known keeps its bytes (wa-chat).
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use wa_binary::Jid;
use wa_chat::Content;

fuzz_target!(|data: &[u8]| {
    let bytes = Bytes::copy_from_slice(data);
    let content = Content::decode(bytes.clone());
    let to = Jid::phone("14155551001").expect("digits");
    let written = content.encode(&to, 1_700_000_000);
    if let Content::Unknown(_) = content {
        assert_eq!(written, bytes);
    }
    assert_eq!(Content::decode(written), content);
});
