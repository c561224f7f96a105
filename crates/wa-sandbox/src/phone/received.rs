//! What came to a phone, kept as it came: it is described to those who ask, not on the message path.

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use wa_binary::{Jid, JidError, Str};

use crate::phone::arrival::{Attributes, Delivery, NAMES};
use crate::phone::content::describe;

/// A message as the phone's user sees it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(into = "Shown", try_from = "Shown")]
pub(crate) struct Received {
    from: Jid,
    id: Str,
    device: u16,
    read: Read,
    around: Around,
}

/// What could be read of it.
#[derive(Clone, Debug, PartialEq)]
enum Read {
    /// It cannot be decrypted.
    Nothing,
    /// The decrypted protobuf.
    Plain(Bytes),
    /// Described already, by an earlier run, or because it was never encrypted.
    Described(Value),
}

/// What the stanza says beside its content.
#[derive(Clone, Debug, PartialEq)]
enum Around {
    Attributes(Attributes),
    Described(Value),
}

/// Its JSON, at the control interface and in a kept state.
#[derive(Serialize, Deserialize)]
struct Shown {
    from: String,
    id: String,
    device: u16,
    /// Absent if it could not be decrypted or is no text.
    text: Option<String>,
    /// Everything that was read of it; absent if it could not be decrypted.
    content: Option<Value>,
    stanza: Value,
}

impl Received {
    /// A message in an `<enc>`; `plain` is absent if it could not be decrypted.
    pub(crate) fn new(delivery: &Delivery, plain: Option<Bytes>) -> Self {
        Self {
            from: delivery.from.clone(),
            id: delivery.id.clone(),
            device: delivery.device,
            read: plain.map_or(Read::Nothing, Read::Plain),
            around: Around::Attributes(delivery.attributes.clone()),
        }
    }

    /// A message whose text is in the clear, for device 0.
    pub(crate) fn in_clear(from: &Jid, id: &Str, text: &str) -> Self {
        let read = Read::Described(json!({ "text": text, "encrypted": false }));
        let around = Around::Described(json!({ "type": "text" }));
        Self { from: from.clone(), id: id.clone(), device: 0, read, around }
    }
}

impl From<Received> for Shown {
    fn from(received: Received) -> Self {
        let content = match received.read {
            Read::Nothing => None,
            Read::Plain(plain) => Some(describe(&plain)),
            Read::Described(content) => Some(content),
        };
        let text = content.as_ref().and_then(|content| content.get("text")?.as_str()).map(str::to_owned);
        let stanza = match received.around {
            Around::Described(stanza) => stanza,
            Around::Attributes(values) => {
                let named = NAMES.into_iter().zip(&values);
                named.map(|(name, value)| (name.to_owned(), json!(value.as_deref()))).collect()
            }
        };
        let (from, id, device) = (received.from.to_string(), received.id.to_string(), received.device);
        Self { from, id, device, text, content, stanza }
    }
}

impl TryFrom<Shown> for Received {
    type Error = JidError;

    fn try_from(shown: Shown) -> Result<Self, JidError> {
        Ok(Self {
            from: shown.from.parse()?,
            id: shown.id.into(),
            device: shown.device,
            read: shown.content.map_or(Read::Nothing, Read::Described),
            around: Around::Described(shown.stanza),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_kept_is_shown_the_same() {
        let node: wa_binary::Node =
            "<message id='A' type='text'><enc type='msg' count='1'/></message>".parse().unwrap();
        let enc = node.child("enc").unwrap();
        let from = Jid::interop(1, 2).unwrap();
        let delivery = Delivery::new(from, "A".into(), 3, (&node, enc));
        let plain = Bytes::from_static(b"\x0A\x02hi");
        for (received, text) in [
            (Received::new(&delivery, Some(plain)), json!("hi")),
            (Received::new(&delivery, None), Value::Null),
        ] {
            let shown = serde_json::to_value(&received).unwrap();
            assert_eq!((&shown["text"], &shown["content"]["text"]), (&text, &text));
            let stanza =
                json!({ "type": "text", "edit": null, "mediatype": null, "count": "1", "enc": "msg" });
            assert_eq!((&shown["device"], &shown["stanza"]), (&json!(3), &stanza));
            let again: Received = serde_json::from_value(shown.clone()).unwrap();
            assert_eq!(serde_json::to_value(again).unwrap(), shown);
        }
    }
}
