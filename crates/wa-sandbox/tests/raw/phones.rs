//! WhatsApp's users: retries, sessions that are lost, files, manners.

use prost::Message as _;
use serde_json::json;
use wa_binary::Node;
use wa_proto::content::{ExtendedTextMessage, FutureProofMessage, Message, MessageKey, ProtocolMessage};

use crate::kit::{Bench, PHONE};

fn retry(id: &str, count: u32) -> String {
    format!(
        "<receipt to='{PHONE}@s.whatsapp.net' id='{id}' type='retry'><retry count='{count}' id='{id}' t='1' v='1'/>\
         <registration wa:bytes='c7a83ab4'/></receipt>"
    )
}

fn message(nodes: &[Node]) -> &Node {
    nodes.iter().find(|node| node.is("message")).unwrap_or_else(|| panic!("no message: {nodes:?}"))
}

#[test]
fn a_lost_session_recovers_without_keys() {
    let mut bench = Bench::new();
    let (mut user, mut line) = bench.connected("alice");
    bench.upload(&mut user, &mut line, 30);
    let to = user.login();
    bench.post(&format!("phones/{PHONE}/send"), json!({ "to": to, "text": "one" }));
    let nodes = bench.read(&mut line);
    user.decrypt(message(&nodes)).unwrap();
    // An answer, so that the phone's session needs no prekeys any more; then it is lost.
    let text = bench.text(&mut user, &mut line, "A", "two");
    bench.send(&mut line, &text);
    bench.read(&mut line);
    user.sessions.clear();
    bench.post(&format!("phones/{PHONE}/send"), json!({ "to": to, "text": "three" }));
    let nodes = bench.read(&mut line);
    let lost = message(&nodes);
    assert_eq!(lost.child("enc").unwrap().attr_str("type"), Some("msg"));
    assert!(user.decrypt(lost).is_none());
    let id = lost.attr_str("id").unwrap().to_owned();
    let nodes = bench.ask(&mut line, &retry(&id, 1));
    let again = message(&nodes).child("enc").unwrap();
    assert_eq!(
        (again.attr_str("type"), again.attr_str("count")),
        (Some("msg"), Some("1")),
        "a bit may be lost"
    );
    let nodes = bench.ask(&mut line, &retry(&id, 2));
    assert_eq!(message(&nodes).child("enc").unwrap().attr_str("type"), Some("pkmsg"));
    assert_eq!(user.decrypt(message(&nodes)).unwrap().conversation.as_deref(), Some("three"));
    // Asked without end it stops.
    let nodes = bench.ask(&mut line, &retry(&id, 11));
    assert!(nodes.iter().all(|node| !node.is("message")), "{nodes:?}");
}

#[test]
fn a_spoilt_message_cannot_be_decrypted_whatever_its_kind() {
    let mut bench = Bench::new();
    let (mut user, mut line) = bench.connected("alice");
    for kind in ["pkmsg", "pkmsg", "msg"] {
        if kind == "msg" {
            let text = bench.text(&mut user, &mut line, "A", "answer");
            bench.send(&mut line, &text);
            bench.read(&mut line);
        }
        bench.post(&format!("phones/{PHONE}/spoil"), json!({}));
        for is_spoilt in [true, false] {
            bench.post(&format!("phones/{PHONE}/send"), json!({ "to": user.login(), "text": "x" }));
            let nodes = bench.read(&mut line);
            let message = message(&nodes);
            assert_eq!(message.child("enc").unwrap().attr_str("type"), Some(kind));
            assert_eq!(user.decrypt(message).is_none(), is_spoilt, "{kind}");
        }
    }
}

#[test]
fn an_edit_is_read_in_both_of_its_forms() {
    let mut bench = Bench::new();
    let (mut user, mut line) = bench.connected("alice");
    let plain = Message { conversation: Some("new".to_owned()), ..Message::default() };
    let extended = ExtendedTextMessage { text: Some("new".to_owned()), ..ExtendedTextMessage::default() };
    let extended = Message { extended_text_message: Some(Box::new(extended)), ..Message::default() };
    for (id, edited) in [("plain", plain), ("extended", extended)] {
        let key = MessageKey { from_me: Some(true), id: Some("A".to_owned()), ..MessageKey::default() };
        let protocol = ProtocolMessage {
            key: Some(key),
            r#type: Some(14),
            edited_message: Some(Box::new(edited)),
            ..ProtocolMessage::default()
        };
        let content = Message { protocol_message: Some(Box::new(protocol)), ..Message::default() };
        let enc = bench.encrypt(&mut user, &mut line, &content.encode_to_vec());
        let message = Node::new("message").with_attr("to", wa_binary::Jid::phone(PHONE).unwrap());
        let message = message.with_attr("id", id).with_attr("type", "text").with_attr("edit", "1");
        bench.send(&mut line, &message.with_child(enc));
        bench.read(&mut line);
        let phone = bench.get(&format!("phones/{PHONE}"));
        let content = phone["received"].as_array().unwrap().last().unwrap()["content"].clone();
        assert_eq!(content, json!({ "edit": "A", "text": "new" }), "{id}");
    }
}

#[test]
fn a_disappearing_text_is_read() {
    let mut bench = Bench::new();
    let (mut user, mut line) = bench.connected("alice");
    let inner = Message { conversation: Some("soon gone".to_owned()), ..Message::default() };
    let around = FutureProofMessage { message: Some(Box::new(inner)) };
    let content = Message { ephemeral_message: Some(Box::new(around)), ..Message::default() };
    let enc = bench.encrypt(&mut user, &mut line, &content.encode_to_vec());
    let message = Node::new("message").with_attr("to", wa_binary::Jid::phone(PHONE).unwrap());
    bench.send(&mut line, &message.with_attr("id", "A").with_attr("type", "text").with_child(enc));
    assert_eq!(bench.at_phone(), [("A".to_owned(), Some("soon gone".to_owned()))]);
}

#[test]
fn phones_send_real_pictures_and_voice_notes() {
    let mut bench = Bench::new();
    let (mut user, mut line) = bench.connected("alice");
    let to = user.login();
    let path = format!("phones/{PHONE}/send");
    bench.post(&path, json!({ "to": to, "picture": { "width": 64, "height": 48, "caption": "look" } }));
    bench.post(&path, json!({ "to": to, "voice": { "seconds": 3 } }));
    let nodes = bench.read(&mut line);
    let messages: Vec<&Node> = nodes.iter().filter(|node| node.is("message")).collect();
    let mediatypes: Vec<_> =
        messages.iter().map(|it| it.child("enc").unwrap().attr_str("mediatype")).collect();
    assert_eq!(mediatypes, [Some("image"), Some("ptt")]);
    let image = user.decrypt(messages[0]).unwrap().image_message.unwrap();
    assert_eq!((image.width, image.height, image.caption.as_deref()), (Some(64), Some(48), Some("look")));
    assert_eq!(image.mimetype.as_deref(), Some("image/jpeg"));
    assert_eq!(image.media_key_timestamp, Some(i64::try_from(bench.now()).unwrap()));
    let url = image.url.unwrap();
    assert!(url.ends_with(image.direct_path.as_deref().unwrap()) && url.starts_with("http"), "{url}");
    let voice = user.decrypt(messages[1]).unwrap().audio_message.unwrap();
    assert_eq!((voice.seconds, voice.ptt), (Some(3), Some(true)));
    let refused = bench.control("POST", &path, json!({ "to": to, "picture": { "width": 0 } }));
    assert_eq!(refused.unwrap_err().kind, "cannot-write");
}

#[test]
fn reactions_are_not_missed_aloud() {
    let mut bench = Bench::new();
    let (user, mut line) = bench.connected("alice");
    for (what, hides) in [
        (json!({ "to": user.login(), "reaction": { "id": "A", "own": false, "emoji": "👍" } }), Some("hide")),
        (json!({ "to": user.login(), "text": "x" }), None),
    ] {
        bench.post(&format!("phones/{PHONE}/send"), what);
        let nodes = bench.read(&mut line);
        assert_eq!(message(&nodes).child("enc").unwrap().attr_str("decrypt-fail"), hides);
    }
}

#[test]
fn a_slow_user_answers_later_and_the_phone_at_once() {
    let mut bench = Bench::new();
    let (mut user, mut line) = bench.connected("alice");
    bench.post(&format!("phones/{PHONE}/manners"), json!({ "answers_after": 5, "lively": true }));
    let text = bench.text(&mut user, &mut line, "A", "hello");
    bench.send(&mut line, &text);
    let tags = |nodes: &[Node]| nodes.iter().map(|node| node.tag().to_owned()).collect::<Vec<_>>();
    assert_eq!(tags(&bench.read(&mut line)), ["ack", "receipt"]);
    bench.advance(4);
    assert_eq!(bench.read(&mut line), []);
    bench.advance(1);
    assert_eq!(tags(&bench.read(&mut line)), ["receipt", "chatstate", "message"]);
}

#[test]
fn a_phone_that_is_away_reads_when_it_is_back_unless_a_month_has_gone() {
    for (away, texts) in [(86_400, 1), (31 * 86_400, 0)] {
        let mut bench = Bench::new();
        let (mut user, mut line) = bench.connected("alice");
        let until = bench.now() + away;
        bench.post(&format!("phones/{PHONE}/manners"), json!({ "away_until": until }));
        let text = bench.text(&mut user, &mut line, "A", "hello");
        bench.send(&mut line, &text);
        let answers = bench.read(&mut line);
        assert_eq!((answers.len(), answers[0].tag()), (1, "ack"), "{answers:?}");
        assert_eq!(bench.at_phone(), []);
        bench.advance(i64::try_from(away).unwrap());
        assert_eq!(bench.at_phone().len(), texts);
    }
}

#[test]
fn who_blocks_hears_and_says_nothing() {
    let mut bench = Bench::new();
    let (mut user, mut line) = bench.connected("alice");
    let path = format!("phones/{PHONE}/block");
    bench.post(&path, json!({ "login": user.login() }));
    let text = bench.text(&mut user, &mut line, "A", "hello");
    bench.send(&mut line, &text);
    assert_eq!(bench.read(&mut line).len(), 1, "only the server's ack");
    bench.post(&path, json!({ "login": user.login(), "blocked": false }));
    let text = bench.text(&mut user, &mut line, "B", "hello");
    bench.send(&mut line, &text);
    assert_eq!(bench.at_phone(), [("B".to_owned(), Some("hello".to_owned()))]);
}

#[test]
fn pings_reach_both_ways() {
    let mut bench = Bench::new();
    let (user, mut line) = bench.connected("alice");
    let xml = "<iq id='1' type='set' xmlns='w:interop' to='s.whatsapp.net'><reachability>\
               <user jid='14155551001@s.whatsapp.net'/></reachability></iq>";
    assert_eq!(bench.ask(&mut line, xml)[0].attr_str("type"), Some("result"));
    let phone = bench.get(&format!("phones/{PHONE}"));
    let notice = phone["notices"][0].as_str().unwrap();
    assert!(
        notice.contains(r#"type="w:interop""#) && notice.contains(r#"<ping display_name="alice">"#),
        "{notice}"
    );
    bench.post(&format!("phones/{PHONE}/ping"), json!({ "to": user.login() }));
    let nodes = bench.read(&mut line);
    assert_eq!((nodes[0].tag(), nodes[0].attr_str("type")), ("notification", Some("w:interop")));
    assert!(nodes[0].child("ping").is_some());
}

#[test]
fn a_phone_writes_whatever_the_protobufs_know() {
    let mut bench = Bench::new();
    let (mut user, mut line) = bench.connected("alice");
    bench.upload(&mut user, &mut line, 3);
    let context = json!({ "quoted_message": { "conversation": "Where?" }, "mentioned_jid": [user.login()] });
    let extended = json!({ "text": "Here", "context_info": context });
    for (message, stanza) in [
        (json!({ "extended_text_message": extended }), ["text", "-", "-"]),
        (
            json!({ "sticker_message": { "height": 64, "file_sha256": "00ff" }, "99": 7 }),
            ["media", "-", "sticker"],
        ),
        (json!({ "reaction_message": { "text": "👍", "key": { "id": "A" } } }), ["reaction", "-", "-"]),
        (
            json!({ "protocol_message": { "type": 0, "key": { "id": "A", "from_me": true } } }),
            ["text", "7", "-"],
        ),
        (json!({ "edited_message": { "message": { "conversation": "b" } } }), ["text", "1", "-"]),
    ] {
        let ask = json!({ "to": user.login(), "message": message });
        bench.post(&format!("phones/{PHONE}/send"), ask);
        let nodes = bench.read(&mut line);
        let (sent, enc) = (&nodes[0], nodes[0].child("enc").unwrap());
        let said = [(sent, "type"), (sent, "edit"), (enc, "mediatype")];
        assert_eq!(said.map(|(node, name)| node.attr_str(name).unwrap_or("-")), stanza, "{message}");
        let read = user.decrypt(sent).unwrap();
        if let Some(extended) = &read.extended_text_message {
            let context = extended.context_info.as_ref().unwrap();
            let quoted = context.quoted_message.as_ref().unwrap().conversation.as_deref();
            assert_eq!((extended.text.as_deref(), quoted), (Some("Here"), Some("Where?")));
            assert_eq!(context.mentioned_jid, [user.login()]);
        }
        if let Some(sticker) = &read.sticker_message {
            assert_eq!((sticker.height, sticker.file_sha256.as_deref()), (Some(64), Some(&[0, 255][..])));
        }
        assert_eq!(read.reaction_message.is_some(), stanza[0] == "reaction");
        assert_eq!(read.edited_message.is_some(), stanza[1] == "1");
    }
}
