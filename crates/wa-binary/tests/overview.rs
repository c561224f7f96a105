//! Overview §2.1.2: the example that the overview prints, and its erratum.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use bytes::Bytes;

use wa_binary::{DecodeError, DecodeErrorKind, EncodeOptions, Jid, Limits, Node, Packing, decode, encode};

/// As printed, up to the length of the body, and from there on.
const HEAD: &[u8] = &[
    248, 12, 19, 17, 250, 255, 134, 20, 21, 85, 81, 0, 31, 3, 6, 250, 255, 134, 20, 21, 85, 81, 0, 15, 3, 8,
    252, 6, 49, 50, 51, 52, 53, 54, 4, 56, 24, 252, 3, b'j', b'o', b'e', 248, 1, 248, 2, 237, 117, 252,
];
const BODY: &[u8] = b"Body text of message.";
const XML: &str = "<message to='14155551001@s.whatsapp.net' from='14155551000@s.whatsapp.net' \
                   id='123456' type='text' notify='joe'><body>Body text of message.</body></message>";

fn example(length: u8) -> Vec<u8> {
    [HEAD, &[length], BODY].concat()
}

fn node() -> Node {
    Node::new("message")
        .with_attr("to", Jid::phone("14155551001").unwrap())
        .with_attr("from", Jid::phone("14155551000").unwrap())
        .with_attr("id", "123456")
        .with_attr("type", "text")
        .with_attr("notify", "joe")
        .with_child(Node::new("body").with_bytes(BODY))
}

#[test]
fn decodes_with_the_right_length() {
    assert_eq!(decode(&example(21).into(), &Limits::new()), Ok(node()));
}

#[test]
fn is_refused_with_the_printed_length() {
    let error = DecodeError { kind: DecodeErrorKind::TrailingBytes(7), offset: 64 };
    assert_eq!(decode(&example(14).into(), &Limits::new()), Err(error));
    assert_eq!(error.to_string(), "7 bytes follow the node at byte 64");
}

#[test]
fn is_written_byte_for_byte() {
    let options = EncodeOptions::new().with_packing(Packing::JidsOnly);
    assert_eq!(encode(&node(), &options), Ok(example(21)));
}

#[test]
fn is_written_shorter_when_everything_is_packed() {
    let [before, after] = [&HEAD[..26], &HEAD[34..]];
    let expected = [before, &[255, 3, 0x12, 0x34, 0x56], after, &[21], BODY].concat();
    assert_eq!(encode(&node(), &EncodeOptions::new()), Ok(expected.clone()));
    assert_eq!(decode(&expected.into(), &Limits::new()), Ok(node()));
}

#[test]
fn equals_its_xml() {
    assert_eq!(XML.parse(), Ok(node()));
    assert_eq!(node().to_string(), XML.replace('\'', "\""));
    let indented =
        XML.replace('\'', "\"").replace("<body>", "\n  <body>").replace("</message>", "\n</message>");
    assert_eq!(format!("{:#}", node()), indented);
}

#[test]
fn every_truncation_is_refused() {
    let whole = example(21);
    for end in 0..whole.len() {
        assert!(decode(&Bytes::copy_from_slice(&whole[..end]), &Limits::new()).is_err(), "{end}");
    }
}
