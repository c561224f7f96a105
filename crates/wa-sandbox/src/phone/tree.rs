//! A decrypted message as a tree of its protobuf's fields, those that nobody knows among them.

use serde_json::{Value, json};

use crate::phone::tree::schema::{Field, Kind, MESSAGES};

mod composed;
mod schema;

pub(crate) use self::composed::Composed;

/// How deep messages are looked into, and how many fields are shown.
const MAX_DEPTH: usize = 16;
const MAX_FIELDS: usize = 2000;

/// Bytes of a value that are shown.
const MAX_VALUE: usize = 4096;

/// What a field holds on the wire.
enum Wire<'a> {
    Number(u64),
    Fixed(u64),
    Bytes(&'a [u8]),
}

/// The fields of a message that a phone decrypted. What is no protobuf is shown in hex.
pub(crate) fn tree(plain: &[u8]) -> Value {
    let mut left = MAX_FIELDS;
    match fields(plain, "Message", 0, &mut left) {
        Some(fields) => json!(fields),
        None => json!([{ "name": "no protobuf", "type": "bytes", "value": hexed(plain) }]),
    }
}

fn fields(mut bytes: &[u8], message: &str, depth: usize, left: &mut usize) -> Option<Vec<Value>> {
    let known = known(message);
    let mut shown = Vec::new();
    while !bytes.is_empty() {
        let (number, value) = field(&mut bytes)?;
        if *left == 0 {
            shown.push(json!({ "name": "…", "type": "more fields than are shown" }));
            break;
        }
        *left -= 1;
        let known = known.iter().find(|(it, ..)| *it == number);
        shown.push(described(number, known.map(|(_, name, kind)| (*name, *kind)), &value, depth, left));
    }
    Some(shown)
}

/// The fields that a message is known to have.
fn known(message: &str) -> &'static [Field] {
    MESSAGES.iter().find(|(name, _)| *name == message).map_or(&[], |(_, fields)| fields)
}

fn described(
    number: u64,
    known: Option<(&str, Kind)>,
    value: &Wire<'_>,
    depth: usize,
    left: &mut usize,
) -> Value {
    let name = known.map(|(name, _)| name);
    let (kind, value) = match (known.map(|(_, kind)| kind), value) {
        (Some(Kind::Message(of)), Wire::Bytes(bytes)) if depth < MAX_DEPTH => {
            match fields(bytes, of, depth + 1, left) {
                Some(inside) => {
                    return json!({ "field": number, "name": name, "type": of, "inside": inside });
                }
                None => ("bytes", json!(hexed(bytes))),
            }
        }
        (Some(Kind::Text), Wire::Bytes(bytes)) => match std::str::from_utf8(bytes) {
            Ok(text) => ("string", json!(shortened(text))),
            Err(_) => ("bytes", json!(hexed(bytes))),
        },
        (Some(Kind::Bool), Wire::Number(value @ (0 | 1))) => ("bool", json!(*value == 1)),
        // As text: a reader in JavaScript would round it.
        (_, Wire::Number(value)) => ("number", json!(value.to_string())),
        (_, Wire::Fixed(value)) => ("fixed", json!(value.to_string())),
        (_, Wire::Bytes(bytes)) => ("bytes", json!(hexed(bytes))),
    };
    json!({ "field": number, "name": name, "type": kind, "value": value })
}

/// The next field's number and value.
fn field<'a>(bytes: &mut &'a [u8]) -> Option<(u64, Wire<'a>)> {
    let key = varint(bytes)?;
    let value = match key & 7 {
        0 => Wire::Number(varint(bytes)?),
        1 => Wire::Fixed(u64::from_le_bytes(take(bytes, 8)?.try_into().ok()?)),
        2 => {
            let length = usize::try_from(varint(bytes)?).ok()?;
            Wire::Bytes(take(bytes, length)?)
        }
        5 => Wire::Fixed(u32::from_le_bytes(take(bytes, 4)?.try_into().ok()?).into()),
        _ => return None,
    };
    (key >> 3 > 0).then_some((key >> 3, value))
}

fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let [byte] = take(bytes, 1)? else { return None };
        number |= u64::from(byte & 0x7F) << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

fn take<'a>(bytes: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (taken, rest) = bytes.split_at_checked(length)?;
    *bytes = rest;
    Some(taken)
}

fn hexed(bytes: &[u8]) -> String {
    match bytes.get(..MAX_VALUE) {
        Some(first) if bytes.len() > MAX_VALUE => format!("{}… ({} bytes)", hex::encode(first), bytes.len()),
        _ => hex::encode(bytes),
    }
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(MAX_VALUE) {
        Some((end, _)) => format!("{}… ({} bytes)", text.get(..end).unwrap_or_default(), text.len()),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use prost::Message as _;
    use wa_proto::content::{ExtendedTextMessage, Message};

    use super::*;

    #[test]
    fn known_fields_have_names_and_unknown_ones_numbers() {
        let extended = ExtendedTextMessage { text: Some("<b>hi</b>".to_owned()), context_info: None };
        let message = Message { extended_text_message: Some(Box::new(extended)), ..Message::default() };
        let mut plain = message.encode_to_vec();
        // Field 99, a number; 100, eight bytes.
        plain.extend([0x98, 0x06, 0x96, 0x01, 0xA1, 0x06, 1, 0, 0, 0, 0, 0, 0, 0]);
        let expected = json!([
            { "field": 6, "name": "extended_text_message", "type": "ExtendedTextMessage", "inside": [
                { "field": 1, "name": "text", "type": "string", "value": "<b>hi</b>" },
            ] },
            { "field": 99, "name": null, "type": "number", "value": "150" },
            { "field": 100, "name": null, "type": "fixed", "value": "1" },
        ]);
        assert_eq!(tree(&plain), expected);
    }

    #[test]
    fn what_is_no_protobuf_is_shown_in_hex() {
        for plain in [&[0x0A, 5, 1][..], &[7], &[0], &[0xFF; 11], &[0x08]] {
            assert_eq!(tree(plain)[0]["name"], "no protobuf", "{plain:?}");
        }
        assert_eq!(tree(&[]), json!([]));
        // A text that is no UTF-8, and a message that is none.
        assert_eq!(tree(&[0x0A, 1, 0xFF])[0]["type"], "bytes");
        assert_eq!(tree(&[0x32, 1, 0xFF])[0]["type"], "bytes");
    }

    #[test]
    fn depth_number_and_length_are_bounded() {
        // view_once_message within view_once_message, over and over.
        let mut nested = Vec::new();
        for _ in 0..40 {
            for key in [&[0x0A][..], &[0xAA, 0x02]] {
                let mut outer = key.to_vec();
                let mut length = nested.len();
                while length >= 0x80 {
                    outer.push(u8::try_from(length & 0x7F).unwrap() | 0x80);
                    length >>= 7;
                }
                outer.push(u8::try_from(length).unwrap());
                outer.extend(&nested);
                nested = outer;
            }
        }
        assert!(tree(&nested).to_string().contains(r#""type":"bytes""#));
        let many = [0x08, 1].repeat(3 * MAX_FIELDS);
        assert_eq!(tree(&many).as_array().unwrap().len(), MAX_FIELDS + 1);
        let long = [&[0x0A, 0x80, 0x80, 0x04][..], &[b'a'; 65_536]].concat();
        assert_eq!(tree(&long)[0]["value"].as_str().unwrap().len(), MAX_VALUE + "… (65536 bytes)".len());
    }

    /// The names are those of `proto/content.proto`.
    #[test]
    fn the_names_are_the_protos() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../proto/content.proto");
        let text = std::fs::read_to_string(path).unwrap();
        let mut expected = Vec::new();
        let mut message = "";
        for line in text.lines() {
            let words: Vec<&str> = line.trim().trim_end_matches(';').split_whitespace().collect();
            match words[..] {
                ["message", name, "{"] => message = name,
                ["optional" | "repeated", kind, name, "=", number] => {
                    expected.push(format!("{message} {number} {name} {kind}"));
                }
                _ => {}
            }
        }
        let known = MESSAGES.iter().flat_map(|(message, fields)| {
            fields.iter().map(move |(number, name, kind)| {
                let kind = match kind {
                    Kind::Text => "string",
                    Kind::Bytes => "bytes",
                    Kind::Bool => "bool",
                    Kind::Number => "number",
                    Kind::Message(of) => of,
                };
                format!("{message} {number} {name} {kind}")
            })
        });
        let is_number = ["uint32", "uint64", "int32", "int64"];
        let plain = |line: String| is_number.iter().fold(line, |line, kind| line.replace(kind, "number"));
        assert_eq!(known.collect::<Vec<_>>(), expected.into_iter().map(plain).collect::<Vec<_>>());
    }
}
