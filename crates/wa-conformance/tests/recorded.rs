//! What a public client of WhatsApp wrote, read by both of our ends: contents, a login's payload, stanzas.
//!
//! `recorded/baileys.json` was written by `recorded/record.mjs` with Baileys 7.0.0-rc14 (MIT) on 2026-11-28: its functions
//! made the contents, the payload and the bytes, with which nothing of ours had to do. So neither end here is the other's
//! oracle.

#![expect(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

use prost::Message as _;
use serde_json::{Value, json};
use wa_interop::binary::{EncodeOptions, Limits, Node, decode, pack, unpack};
use wa_interop::chat::{Content, MediaKind};
use wa_interop::proto::handshake::ClientPayload;
use wa_interop::stanza::Stanza;
use wa_sandbox::rules::book::clauses;

const RECORDED: &str = include_str!("recorded/baileys.json");

/// The recordings of one kind: their names, and their bytes.
fn recorded(kind: &str) -> Vec<(String, Vec<u8>)> {
    let recorded: Value = serde_json::from_str(RECORDED).unwrap();
    assert_eq!(recorded["client"], "Baileys 7.0.0-rc14");
    let text = |it: &Value| it.as_str().unwrap().to_owned();
    let each = recorded[kind].as_array().unwrap().iter();
    each.map(|it| (text(it.get("name").unwrap_or(&it["xml"])), hex::decode(text(&it["hex"])).unwrap()))
        .collect()
}

/// What content says, in a few words.
fn said(content: &Content) -> Value {
    match content {
        Content::Text(text) => json!({
            "text": text.body,
            "to": text.reply.as_ref().map(|it| json!([it.id.0, it.author.to_string(), said(&Content::decode(it.quoted.clone()))])),
            "mentions": text.mentions.iter().map(ToString::to_string).collect::<Vec<_>>(),
        }),
        Content::Reaction { target, emoji } => json!([emoji, target.id.0, target.by_sender]),
        Content::Edit { id, text } => json!({ "edited": id.0, "text": text.body }),
        Content::Revoke { id } => json!({ "revoked": id.0 }),
        Content::Media(media) => json!({
            "kind": match media.kind {
                MediaKind::Image => "image",
                MediaKind::Voice => "voice note",
                MediaKind::Document => "document",
                _ => "another",
            },
            "caption": media.caption,
            "name": media.file_name,
            "size": [media.width, media.height],
            "seconds": media.seconds,
            "path": media.file.direct_path,
            "length": media.file.length,
        }),
        Content::Unknown(_) => json!("unknown"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn contents_are_read_by_the_client() {
    let (id, phone) = ("3EB0C767D26A8B4A5E6F", "14155551001@s.whatsapp.net");
    let text = |text: &str| json!({ "text": text, "to": null, "mentions": [] });
    let file = |kind: &str, change: Value| {
        let mut file = json!({
            "kind": kind, "caption": null, "name": null, "size": [null, null], "seconds": null,
            "path": "/v/t62.7118-24/a.enc", "length": 4096,
        });
        file.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        file
    };
    let expected = [
        ("text", text("Hello")),
        ("mention", json!({ "text": "Hello @14155551001", "to": null, "mentions": [phone] })),
        ("reply", json!({ "text": "Here", "to": [id, phone, text("Where?")], "mentions": [] })),
        ("reaction", json!(["👍", id, false])),
        ("reaction taken back", json!(["", id, false])),
        ("edit", json!({ "edited": id, "text": "Hello!" })),
        ("revoke", json!({ "revoked": id })),
        ("disappearing", text("Soon gone")),
        ("view once", file("image", json!({}))),
        ("picture", file("image", json!({ "caption": "Look", "size": [320, 200] }))),
        ("voice note", file("voice note", json!({ "seconds": 3 }))),
        ("document", file("document", json!({ "name": "a.txt" }))),
        ("location", json!("unknown")),
    ];
    let read = recorded("contents").into_iter().map(|(name, bytes)| {
        let content = Content::decode(bytes.into());
        (name, said(&content))
    });
    let expected = expected.map(|(name, said)| (name.to_owned(), said));
    assert_eq!(read.collect::<Vec<_>>(), expected);
}

/// Whatever byte of a recording is lost, what is read of it is something else.
#[test]
fn a_recording_that_was_touched_is_not_read_the_same() {
    for (name, bytes) in
        recorded("contents").into_iter().filter(|(name, _)| name == "reaction" || name == "revoke")
    {
        let whole = said(&Content::decode(bytes.clone().into()));
        let target = bytes.windows(4).position(|it| it == b"3EB0").unwrap();
        for at in [0, 1, target] {
            let mut touched = bytes.clone();
            touched[at] ^= 1;
            assert_ne!(said(&Content::decode(touched.into())), whole, "{name} at {at}");
        }
    }
}

#[test]
fn a_logins_payload_has_the_fields_that_are_read_of_it() {
    let payloads = recorded("payloads");
    let read = |name: &str| {
        let (_, bytes) = payloads.iter().find(|(it, _)| it == name).unwrap();
        ClientPayload::decode(bytes.as_slice()).unwrap()
    };
    let own = read("as it logs in itself");
    assert_eq!((own.username, own.product, own.interop_data), (Some(14_155_551_001), None, None));
    let theirs = read("of a third party");
    let interop = theirs.interop_data.unwrap();
    assert_eq!(theirs.product, Some(2), "INTEROP");
    assert_eq!(
        (interop.account_id, interop.token.as_deref()),
        (Some(10_853_634_039_893), Some(&b"header.claims.signature"[..]))
    );
    let version = theirs.user_agent.unwrap().app_version.unwrap();
    assert_eq!((version.primary, version.secondary, version.tertiary), (Some(1), Some(0), Some(3)));
}

#[test]
fn stanzas_are_the_same_bytes_and_fit_the_rules() {
    let rules = [
        "ping",
        "ack",
        "receipt",
        "receipt-retry",
        "message",
        "prekey-count",
        "prekey-fetch",
        "block",
        "chatstate",
    ];
    let stanzas = recorded("stanzas");
    assert_eq!(stanzas.len(), rules.len());
    for ((xml, bytes), rule) in stanzas.into_iter().zip(rules) {
        let read = decode(&unpack(bytes.clone().into(), &Limits::new()).unwrap(), &Limits::new()).unwrap();
        // The server's name is a text to it, and a JID to XML that does not say so.
        let written = read.to_string().replace(r#" wa:text="to""#, "");
        assert_eq!(written, xml.parse::<Node>().unwrap().to_string());
        assert_eq!(hex::encode(pack(&read, &EncodeOptions::new()).unwrap()), hex::encode(&bytes), "{xml}");
        let clause = clauses().find(|clause| clause.id == rule).unwrap();
        let notes =
            clause.grammar.unwrap().check(&read).unwrap_or_else(|finding| panic!("{xml}: {finding:?}"));
        assert!(notes.is_empty(), "{xml}: {notes:?}");
        let stanza = Stanza::try_from(read).unwrap();
        assert!(!matches!(stanza, Stanza::Other(_)), "{xml}");
    }
}
