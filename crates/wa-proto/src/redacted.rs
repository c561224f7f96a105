//! `Debug` for messages that hold keys, tokens or state: the name and nothing else.

use std::fmt;

use crate::{handshake, record};

macro_rules! redacted {
    ($($message:path),* $(,)?) => {$(
        impl fmt::Debug for $message {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($message), " { .. }"))
            }
        }
    )*};
}

redacted!(
    handshake::InteropData,
    record::Account,
    record::ChainKey,
    record::Counters,
    record::InboxEntry,
    record::KeyBlock,
    record::OutboxEntry,
    record::Prekey,
    record::ReceiverChain,
    record::SenderChain,
    record::SenderKey,
    record::SenderKeyRecord,
    record::SenderKeyState,
    record::Session,
    record::SessionRecord,
    record::Sent,
    record::SkippedKey,
    record::Unacknowledged,
    record::Waiting,
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_shows_no_token() {
        let data = handshake::InteropData { token: Some("secret".into()), ..Default::default() };
        let payload = handshake::ClientPayload { interop_data: Some(data), ..Default::default() };
        let shown = format!("{payload:?}");
        assert!(shown.contains("handshake::InteropData { .. }") && !shown.contains("115"), "{shown}");
    }
}
