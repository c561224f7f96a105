//! A message written as JSON, field by field: the way back from the tree that is shown of one.
//!
//! A member is named as in `proto/content.proto`, or by its number where nobody knows the field: a number is a varint, a
//! text is UTF-8, an object a message. Bytes are hexadecimal, a list is a repeated field, and a number that JavaScript
//! would round may be a text.

use prost::encoding::{WireType, encode_key, encode_varint};
use serde::de::{Deserialize, Deserializer, Error as _};
use serde_json::{Map, Value};

use crate::phone::tree::schema::Kind;
use crate::phone::tree::{MAX_DEPTH, known};

/// The highest number of a field.
const MAX_NUMBER: u32 = (1 << 29) - 1;

/// Fields of a message, with what the stanza around them says.
const FILES: [(&str, &str); 5] = [
    ("image_message", "image"),
    ("video_message", "video"),
    ("audio_message", "audio"),
    ("document_message", "document"),
    ("sticker_message", "sticker"),
];

/// A protobuf that was written as JSON.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Composed {
    /// The encoded message.
    pub(crate) plain: Vec<u8>,
    /// The stanza's type.
    pub(crate) kind: &'static str,
    /// What kind of edit it is.
    pub(crate) edit: Option<&'static str>,
    /// What kind of file it has.
    pub(crate) mediatype: Option<&'static str>,
}

impl Composed {
    /// A message of these members, or what is wrong with one.
    fn of(message: &Value) -> Result<Self, String> {
        let plain = inside("Message", message, "message", 0)?;
        let has = |name: &str| message.get(name).is_some();
        let mediatype = FILES.iter().find(|(name, _)| has(name)).map(|(_, kind)| *kind);
        let kind = match mediatype {
            Some(_) => "media",
            None if has("reaction_message") => "reaction",
            None => "text",
        };
        let revokes =
            message.get("protocol_message").is_some_and(|it| it.get("type").is_none_or(|kind| kind == 0));
        let edit = if has("edited_message") { Some("1") } else { revokes.then_some("7") };
        Ok(Self { plain, kind, edit, mediatype })
    }
}

impl<'de> Deserialize<'de> for Composed {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::of(&Value::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

/// The fields of one message, in the order of their numbers.
fn inside(message: &str, value: &Value, path: &str, depth: usize) -> Result<Vec<u8>, String> {
    let Value::Object(members) = value else { return Err(format!("{path}: a {message} is an object")) };
    if depth > MAX_DEPTH {
        return Err(format!("{path}: messages are at most {MAX_DEPTH} deep"));
    }
    let mut fields = fields(message, members, path)?;
    fields.sort_by_key(|(number, ..)| *number);
    let mut plain = Vec::new();
    for (number, kind, value, path) in fields {
        match value {
            Value::Array(values) => {
                for (index, value) in values.iter().enumerate() {
                    field(&mut plain, number, kind, value, (&format!("{path}[{index}]"), depth))?;
                }
            }
            value => field(&mut plain, number, kind, value, (&path, depth))?,
        }
    }
    Ok(plain)
}

/// A field's number, what it holds if that is known, its value, and where that is written.
type Field<'v> = (u32, Option<Kind>, &'v Value, String);

fn fields<'v>(message: &str, members: &'v Map<String, Value>, path: &str) -> Result<Vec<Field<'v>>, String> {
    let known = known(message);
    let field = |(name, value): (&'v String, &'v Value)| {
        let path = format!("{path}.{name}");
        let named = known.iter().find(|(number, it, _)| it == name || number.to_string() == *name);
        if let Some((number, _, kind)) = named {
            return Ok((u32::try_from(*number).unwrap_or(MAX_NUMBER), Some(*kind), value, path));
        }
        match name.parse() {
            Ok(number) if (1..=MAX_NUMBER).contains(&number) => Ok((number, None, value, path)),
            _ => {
                let names: Vec<&str> = known.iter().map(|(_, name, _)| *name).collect();
                Err(format!("{path}: {message} has {}, or the number of a field", names.join(", ")))
            }
        }
    };
    members.iter().map(field).collect()
}

fn field(
    plain: &mut Vec<u8>,
    number: u32,
    kind: Option<Kind>,
    value: &Value,
    (path, depth): (&str, usize),
) -> Result<(), String> {
    if let Some(value) = counted(kind, value, path)? {
        encode_key(number, WireType::Varint, plain);
        encode_varint(value, plain);
        return Ok(());
    }
    let bytes = match (kind, value) {
        (None | Some(Kind::Text), Value::String(text)) => text.as_bytes().to_vec(),
        (Some(Kind::Bytes), Value::String(text)) => {
            hex::decode(text).map_err(|error| format!("{path}: bytes are hexadecimal: {error}"))?
        }
        (Some(Kind::Message(of)), value) => inside(of, value, path, depth + 1)?,
        (None, value @ Value::Object(_)) => inside("", value, path, depth + 1)?,
        (kind, _) => {
            return Err(format!("{path}: {} is expected", kind.map_or("a number, text or object", expected)));
        }
    };
    encode_key(number, WireType::LengthDelimited, plain);
    encode_varint(u64::try_from(bytes.len()).unwrap_or(u64::MAX), plain);
    plain.extend(bytes);
    Ok(())
}

/// The value of a field that is a varint.
fn counted(kind: Option<Kind>, value: &Value, path: &str) -> Result<Option<u64>, String> {
    match (kind, value) {
        (Some(Kind::Bool), Value::Bool(value)) => Ok(Some(u64::from(*value))),
        (None, Value::Number(_)) | (Some(Kind::Number), Value::Number(_) | Value::String(_)) => {
            whole(value).map(Some).ok_or_else(|| format!("{path}: a whole number is expected"))
        }
        _ => Ok(None),
    }
}

/// A number, or one in a text; a negative one as protobuf has it, in two's complement.
fn whole(value: &Value) -> Option<u64> {
    let text = value.as_str();
    let unsigned = text.map_or_else(|| value.as_u64(), |text| text.parse().ok());
    let signed = || text.map_or_else(|| value.as_i64(), |text| text.parse().ok());
    unsigned.or_else(|| signed().map(i64::cast_unsigned))
}

fn expected(kind: Kind) -> &'static str {
    match kind {
        Kind::Text => "a text",
        Kind::Bytes => "bytes in hexadecimal",
        Kind::Bool => "true or false",
        Kind::Number => "a number",
        Kind::Message(_) => "an object",
    }
}

#[cfg(test)]
mod tests {
    use prost::Message as _;
    use serde_json::json;
    use wa_proto::content::Message;

    use super::*;

    fn composed(message: Value) -> Composed {
        Composed::of(&message).unwrap()
    }

    #[test]
    fn a_message_is_what_its_members_say() {
        let message = json!({
            "image_message": {
                "mimetype": "image/jpeg", "height": 3, "file_length": "18446744073709551615", "media_key": "00ff",
                "context_info": { "mentioned_jid": ["1@s.whatsapp.net", "2@s.whatsapp.net"] },
            },
            "protocol_message": { "type": 0, "key": { "id": "A", "from_me": true } },
        });
        let message = composed(message);
        assert_eq!((message.kind, message.edit, message.mediatype), ("media", Some("7"), Some("image")));
        let read = Message::decode(message.plain.as_slice()).unwrap();
        let image = read.image_message.as_ref().unwrap();
        assert_eq!((image.height, image.file_length), (Some(3), Some(u64::MAX)));
        assert_eq!(image.media_key.as_deref(), Some(&[0, 255][..]));
        assert_eq!(image.context_info.as_ref().unwrap().mentioned_jid.len(), 2);
        assert_eq!(read.encode_to_vec(), message.plain, "in the order of the fields");
    }

    #[test]
    fn a_field_that_nobody_knows_goes_by_its_number() {
        let message = composed(json!({ "99": [150, 1], "100": { "1": "a" }, "1": "hi" }));
        let expected =
            [&[0x0A, 2, b'h', b'i'][..], &[0x98, 6, 0x96, 1, 0x98, 6, 1], &[0xA2, 6, 3, 0x0A, 1, b'a']];
        assert_eq!(message.plain, expected.concat());
        let negative = composed(json!({ "protocol_message": { "type": -1 } })).plain;
        assert_eq!(Message::decode(negative.as_slice()).unwrap().protocol_message.unwrap().r#type, Some(-1));
    }

    #[test]
    fn what_is_wrong_is_said_with_its_place() {
        let deep = (0..20).fold(json!({}), |inner, _| json!({ "view_once_message": { "message": inner } }));
        for (message, said) in [
            (json!("hi"), "message: a Message is an object"),
            (json!({ "text": "hi" }), "message.text: Message has conversation, image_message"),
            (json!({ "conversation": 1 }), "message.conversation: a text is expected"),
            (json!({ "0": 1 }), "message.0: Message has"),
            (json!({ "99": 1.5 }), "message.99: a whole number is expected"),
            (json!({ "99": null }), "message.99: a number, text or object is expected"),
            (json!({ "99": { "a": 1 } }), "message.99.a: "),
            (
                json!({ "extended_text_message": { "context_info": { "mentioned_jid": ["a", 1] } } }),
                "message.extended_text_message.context_info.mentioned_jid[1]: a text is expected",
            ),
            (
                json!({ "image_message": { "media_key": "x" } }),
                "message.image_message.media_key: bytes are hexadecimal",
            ),
            (deep, "messages are at most 16 deep"),
        ] {
            let error = Composed::of(&message).unwrap_err();
            assert!(error.contains(said), "{error}");
        }
    }
}
