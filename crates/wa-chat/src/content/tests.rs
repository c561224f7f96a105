//! Contents as they stand on the wire, put together by field numbers alone.

use wa_media::MediaKey;

use super::*;

/// One field of a protobuf message whose value is bytes.
fn field(number: u32, value: &[u8]) -> Vec<u8> {
    [varint(u64::from(number) << 3 | 2), varint(value.len() as u64), value.to_vec()].concat()
}

/// One field whose value is a number.
fn number(number: u32, value: u64) -> Vec<u8> {
    [varint(u64::from(number) << 3), varint(value)].concat()
}

fn varint(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value >= 0x80 {
        bytes.push(value.to_le_bytes()[0] | 0x80);
        value >>= 7;
    }
    bytes.push(value.to_le_bytes()[0]);
    bytes
}

fn peer() -> Jid {
    Jid::phone("14155551001").unwrap()
}

fn id(id: &str) -> MessageId {
    MessageId(id.to_owned())
}

/// `MessageKey`: remoteJID 1, fromMe 2, ID 3.
fn key(from_me: bool) -> Vec<u8> {
    [field(1, b"14155551001@s.whatsapp.net"), number(2, u64::from(from_me)), field(3, b"3EB0")].concat()
}

fn golden(content: &Content, bytes: &[u8]) {
    assert_eq!(content.encode(&peer(), 7), bytes, "{content:?}");
    assert_eq!(Content::decode(Bytes::copy_from_slice(bytes)), *content, "{content:?}");
}

#[test]
fn texts() {
    golden(&Content::text("hi"), &field(1, b"hi"));
    let reply = Reply { id: id("3EB0"), author: peer(), quoted: field(1, b"what?").into() };
    let context = [
        field(1, b"3EB0"),
        field(2, b"14155551001@s.whatsapp.net"),
        field(3, &field(1, b"what?")),
        field(15, b"1-5@interop"),
    ];
    let text =
        Text { reply: Some(reply), mentions: vec![Jid::interop(1, 5).unwrap()], ..Text::from("@5 yes") };
    golden(&Content::Text(text), &field(6, &[field(1, b"@5 yes"), field(17, &context.concat())].concat()));
    // Plain text in the long form is text all the same.
    assert_eq!(Content::decode(field(6, &field(1, b"hi")).into()), Content::text("hi"));
}

#[test]
fn reactions_and_their_removal() {
    for (by_sender, emoji) in [(false, "\u{1F44D}"), (true, "")] {
        let content = Content::Reaction { target: Target { id: id("3EB0"), by_sender }, emoji: emoji.into() };
        let parts = [field(1, &key(by_sender)), field(2, emoji.as_bytes()), number(4, 7000)];
        golden(&content, &field(46, &parts.concat()));
        let envelope = content.envelope();
        assert_eq!(
            (envelope.kind, envelope.edit, envelope.hide_failure),
            (MessageKind::Reaction, None, true)
        );
    }
}

#[test]
fn edits_and_revokes() {
    let edit = Content::Edit { id: id("3EB0"), text: "new".into() };
    let protocol =
        [field(1, &key(true)), number(2, 14), field(14, &field(1, b"new")), number(15, 7000)].concat();
    golden(&edit, &field(58, &field(1, &field(12, &protocol))));
    // Without the wrapper it is the same.
    assert_eq!(Content::decode(field(12, &protocol).into()), edit);
    let revoke = Content::Revoke { id: id("3EB0") };
    golden(&revoke, &field(12, &[field(1, &key(true)), number(2, 0), number(15, 7000)].concat()));
    assert_eq!(edit.envelope().edit, Some(Edit::Message));
    assert_eq!(revoke.envelope().edit, Some(Edit::SenderRevoke));
}

#[test]
fn nobody_changes_what_another_wrote() {
    let protocol = [field(1, &key(false)), number(2, 0)].concat();
    let bytes = Bytes::from(field(12, &protocol));
    assert_eq!(Content::decode(bytes.clone()), Content::Unknown(bytes));
}

#[test]
fn pictures() {
    let file = MediaFile {
        direct_path: "/v/t62".into(),
        key: MediaKey::from_bytes([3; 32]),
        sha256: [1; 32],
        enc_sha256: [2; 32],
        length: 1000,
        mime: "image/jpeg".into(),
    };
    let image =
        Media { caption: Some("look".into()), width: Some(4), ..Media::new(MediaKind::Image, file.clone()) };
    let parts = [
        field(2, b"image/jpeg"),
        field(3, b"look"),
        field(4, &[1; 32]),
        number(5, 1000),
        number(7, 4),
        field(8, &[3; 32]),
        field(9, &[2; 32]),
        field(11, b"/v/t62"),
    ];
    golden(&Content::Media(Box::new(image)), &field(3, &parts.concat()));
    // Without its key a picture cannot be had: it stays bytes.
    let keyless = [&parts[..5], &parts[6..]].concat().concat();
    let bytes = Bytes::from(field(3, &keyless));
    assert_eq!(Content::decode(bytes.clone()), Content::Unknown(bytes));
    assert!(!format!("{file:?} {:?}", file.key).contains('3'));
}

#[test]
fn every_kind_of_media_comes_back() {
    let file = MediaFile {
        direct_path: "/v/t62".into(),
        key: MediaKey::from_bytes([3; 32]),
        sha256: [1; 32],
        enc_sha256: [2; 32],
        length: 1000,
        mime: "application/octet-stream".into(),
    };
    for (kind, field_number, word) in [
        (MediaKind::Image, 3, "image"),
        (MediaKind::Video, 9, "video"),
        (MediaKind::Gif, 9, "gif"),
        (MediaKind::Audio, 8, "audio"),
        (MediaKind::Voice, 8, "ptt"),
        (MediaKind::Document, 7, "document"),
        (MediaKind::Sticker, 26, "sticker"),
    ] {
        let content = Content::Media(Box::new(Media::new(kind, file.clone())));
        let bytes = content.encode(&peer(), 7);
        assert!(bytes.starts_with(&varint(field_number << 3 | 2)), "{kind:?}");
        assert_eq!(Content::decode(bytes), content);
        assert_eq!(content.envelope().media_type().as_deref(), Some(word));
    }
}

#[test]
fn a_document_with_a_caption_may_be_wrapped() {
    let parts = [
        field(4, &[1; 32]),
        number(5, 9),
        field(7, &[3; 32]),
        field(8, b"a.pdf"),
        field(9, &[2; 32]),
        field(10, b"/v/t62"),
        field(20, b"read this"),
    ];
    let inner = field(7, &parts.concat());
    let wrapped = field(53, &field(1, &inner));
    let read = Content::decode(wrapped.into());
    assert_eq!(read, Content::decode(inner.into()));
    let Content::Media(media) = read else { panic!("{read:?}") };
    assert_eq!(media.file_name.as_deref(), Some("a.pdf"));
    assert_eq!(media.caption.as_deref(), Some("read this"));
}

#[test]
fn what_disappears_or_is_seen_once_is_read_like_any_other() {
    let text = field(1, b"hello");
    for wrapper in [37, 40, 55, 59] {
        let wrapped = field(wrapper, &field(1, &text));
        assert_eq!(Content::decode(wrapped.clone().into()), Content::text("hello"), "{wrapper}");
        let twice = field(40, &field(1, &wrapped));
        assert_eq!(Content::decode(twice.into()), Content::text("hello"), "{wrapper}");
        // Around nothing it is not read, and kept.
        let empty = Bytes::from(field(wrapper, b""));
        assert_eq!(Content::decode(empty.clone()), Content::Unknown(empty), "{wrapper}");
    }
    // What is edited may disappear, too.
    let edit = [field(1, &key(true)), number(2, 14), field(14, &text)].concat();
    let edit = field(40, &field(1, &field(58, &field(1, &field(12, &edit)))));
    assert_eq!(Content::decode(edit.into()), Content::Edit { id: id("3EB0"), text: "hello".into() });
}

#[test]
fn unknown_content_is_kept() {
    for bytes in [&[0x2A, 0x02, 0x0A, 0x00][..], b"\xFF", b"", &field(46, b"")] {
        let bytes = Bytes::copy_from_slice(bytes);
        assert_eq!(Content::decode(bytes.clone()), Content::Unknown(bytes.clone()));
        assert_eq!(Content::decode(bytes.clone()).encode(&peer(), 7), bytes);
    }
}

#[test]
fn nesting_is_bounded() {
    let mut bytes = field(1, b"x");
    for _ in 0..2000 {
        bytes = field(58, &field(1, &field(12, &field(14, &bytes))));
    }
    let bytes = Bytes::from(bytes);
    assert_eq!(Content::decode(bytes.clone()), Content::Unknown(bytes));
}

#[test]
fn files_are_equal_in_everything_or_not_at_all() {
    let file = MediaFile {
        direct_path: "/v/a".into(),
        key: MediaKey::from_bytes([1; 32]),
        sha256: [2; 32],
        enc_sha256: [3; 32],
        length: 4,
        mime: "image/png".into(),
    };
    assert_eq!(file, file.clone());
    for other in [
        MediaFile { direct_path: "/v/b".into(), ..file.clone() },
        MediaFile { key: MediaKey::from_bytes([9; 32]), ..file.clone() },
        MediaFile { sha256: [9; 32], ..file.clone() },
        MediaFile { enc_sha256: [9; 32], ..file.clone() },
        MediaFile { length: 9, ..file.clone() },
        MediaFile { mime: "image/gif".into(), ..file.clone() },
    ] {
        assert!(other != file);
    }
}
