//! The stanza of a message: one ciphertext, or one for each device (overview §2.1.1; `<participants>` observed).

use wa_binary::Jid;
use wa_stanza::{Enc, EncKind, Message, MessageKind};

use crate::content::Envelope;
use crate::row::Waiting;

/// One `<enc>` for one device, `<participants>` for several.
pub(super) fn write_message(
    user: &Jid,
    message: &Waiting,
    envelope: &Envelope,
    mut encs: Vec<(Jid, Enc)>,
) -> Message {
    let to = match (message.device, encs.as_slice()) {
        (Some(_), [(address, _)]) => address.clone(),
        _ => user.clone(),
    };
    let kind = envelope.kind.clone();
    let mut stanza = match (encs.pop(), encs.is_empty()) {
        (Some((_, enc)), true) => Message::new(to, &*message.id, kind, enc),
        (last, _) => {
            encs.extend(last);
            fan_out(to, message, kind, encs)
        }
    };
    stanza.edit.clone_from(&envelope.edit);
    stanza
}

fn fan_out(to: Jid, message: &Waiting, kind: MessageKind, encs: Vec<(Jid, Enc)>) -> Message {
    let mut stanza = Message::new(to, &*message.id, kind, Enc::new(EncKind::Msg, ""));
    stanza.encs.clear();
    stanza.participants = encs;
    stanza
}
