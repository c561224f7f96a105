//! Each stanza: the accepted form beside the noted and the refused one (overview §2.1.1; observed).

use wa_binary::Node;

use crate::kit::{Bench, Line, PHONE};
use crate::user::User;

/// How a stanza was taken: the records about it, and the answer.
fn taken(bench: &mut Bench, line: &mut Line, xml: &str) -> (Vec<String>, Vec<String>) {
    let answers = bench.ask_xml(line, xml);
    let records = bench.records().into_iter().map(|(rule, what)| format!("{rule}: {what}")).collect();
    bench.taken_rules();
    (records, answers)
}

/// Fine: no record. Noted: these records, and the same answer. Refused: this record, and an answer that begins so.
struct Form {
    fine: &'static [&'static str],
    noted: &'static [(&'static str, &'static str)],
    refused: &'static [(&'static str, &'static str)],
    refusal: &'static str,
}

fn judge(form: &Form) {
    let mut bench = Bench::new();
    let (mut user, mut line) = bench.connected("alice");
    for xml in form.fine {
        let (records, answers) = taken(&mut bench, &mut line, xml);
        assert_eq!(records, [""; 0], "{xml}");
        assert!(answers.iter().all(|answer| !answer.contains("error")), "{xml}: {answers:?}");
    }
    for (xml, note) in form.noted {
        let (records, answers) = taken(&mut bench, &mut line, xml);
        assert_eq!(records, [*note], "{xml}");
        assert!(answers.iter().all(|answer| !answer.contains("\"error\"")), "{xml}: {answers:?}");
        assert!(!answers.contains(&"<closed/>".to_owned()), "{xml}: {answers:?}");
    }
    for (xml, record) in form.refused {
        let (records, answers) = taken(&mut bench, &mut line, xml);
        assert_eq!(records, [*record], "{xml}");
        let answer = answers.first().cloned().unwrap_or_default();
        assert!(answer.contains(form.refusal), "{xml}: {answers:?}");
        if answers.contains(&"<closed/>".to_owned()) {
            line = bench.connect(&mut user);
        }
    }
}

const CLOSED: &str = "<stream:error><xml-not-well-formed/></stream:error>";
const BAD_REQUEST: &str = r#"<error code="400" text="bad-request"/>"#;

#[test]
fn presence() {
    judge(&Form {
        fine: &[],
        noted: &[
            (r#"<presence type="available" name="Alice"/>"#, "presence: presence came"),
            (r#"<presence type="unavailable"/>"#, "presence: presence came"),
        ],
        refused: &[
            (r#"<presence type="somewhere"/>"#, "presence: presence has a bad type"),
            (r#"<presents type="available"/>"#, "stanza-unknown: presents is unknown"),
        ],
        refusal: CLOSED,
    });
}

#[test]
fn ib() {
    judge(&Form {
        fine: &[r#"<ib><offline_batch count="200"/></ib>"#],
        noted: &[(r#"<ib><unified_session id="1"/></ib>"#, "ib: ib holds unified_session")],
        refused: &[
            (r#"<ib><offline_batch/></ib>"#, "ib: offline_batch lacks count"),
            (r#"<ib><offline count="1"/></ib>"#, "ib: ib holds no offline_batch"),
            (r#"<ib from="1-2@interop"><offline_batch count="1"/></ib>"#, "ib: ib has an unknown from"),
        ],
        refusal: CLOSED,
    });
}

#[test]
fn chatstate() {
    judge(&Form {
        fine: &[
            r#"<chatstate to="14155551001@s.whatsapp.net"><composing media="audio"/></chatstate>"#,
            r#"<chatstate to="14155551001@s.whatsapp.net"><paused/></chatstate>"#,
        ],
        noted: &[(
            r#"<chatstate to="14155551001@s.whatsapp.net" from="1-2@interop"><paused/></chatstate>"#,
            "chatstate: chatstate has from",
        )],
        refused: &[
            (
                r#"<chatstate to="14155551001:3@s.whatsapp.net"><paused/></chatstate>"#,
                "chatstate: chatstate has a bad to",
            ),
            (
                r#"<chatstate to="14155551001@s.whatsapp.net"><gone/></chatstate>"#,
                "chatstate: chatstate holds no composing",
            ),
        ],
        refusal: CLOSED,
    });
}

#[test]
fn receipts() {
    judge(&Form {
        fine: &[
            r#"<receipt to="14155551001@s.whatsapp.net" id="A"/>"#,
            r#"<receipt to="14155551001@s.whatsapp.net" id="A" type="read" t="1"><list><item id="B"/></list></receipt>"#,
        ],
        noted: &[(
            r#"<receipt to="14155551001@s.whatsapp.net" id="A" type="inactive"/>"#,
            "receipt: receipt has type=\"inactive\"",
        )],
        refused: &[
            (
                r#"<receipt to="14155551001@s.whatsapp.net" id="A" type="seen"/>"#,
                "receipt: receipt has a bad type",
            ),
            (r#"<receipt to="14155551001@s.whatsapp.net"/>"#, "receipt: receipt lacks id"),
            (
                r#"<receipt to="14155551001@s.whatsapp.net" id="A" type="retry"/>"#,
                "receipt-retry: receipt has other content than it must",
            ),
        ],
        refusal: "",
    });
}

#[test]
fn acks() {
    judge(&Form {
        fine: &[
            r#"<ack class="message" id="A" to="14155551001@s.whatsapp.net"/>"#,
            r#"<ack class="receipt" id="A" to="14155551001@s.whatsapp.net" type="read"/>"#,
        ],
        noted: &[(
            r#"<ack class="message" id="A" to="14155551001@s.whatsapp.net" from="1-2@interop" type="text"/>"#,
            "ack: ack has from",
        )],
        refused: &[
            (r#"<ack class="call" id="A" to="14155551001@s.whatsapp.net"/>"#, "ack: ack has a bad class"),
            (r#"<ack class="message" id="A"/>"#, "ack: ack lacks to"),
        ],
        refusal: CLOSED,
    });
}

#[test]
fn devices() {
    judge(&Form {
        fine: &[concat!(
            r#"<iq id="1" type="get" xmlns="usync" to="s.whatsapp.net">"#,
            r#"<usync sid="1" mode="query" last="true" index="0" context="message"><query><devices version="2"/></query>"#,
            r#"<list><user jid="14155551001@s.whatsapp.net"/><user jid="14155551001@s.whatsapp.net" wa:type="list"/>"#,
            r#"</list></usync></iq>"#
        )],
        noted: &[
            (
                concat!(
                    r#"<iq id="1" type="get" xmlns="usync" to="s.whatsapp.net">"#,
                    r#"<usync sid="1" mode="query" last="true" index="0" context="background"><query>"#,
                    r#"<devices version="2"/></query><list><user jid="14155551001@s.whatsapp.net"/></list></usync></iq>"#
                ),
                "devices: usync has context=\"background\"",
            ),
            (
                concat!(
                    r#"<iq id="1" type="get" xmlns="usync" to="s.whatsapp.net">"#,
                    r#"<usync sid="1" mode="query" last="true" index="0" context="message"><query>"#,
                    r#"<devices version="2"/><lid/></query><list><user jid="14155551001@s.whatsapp.net"/></list></usync></iq>"#
                ),
                "devices: query holds lid",
            ),
        ],
        refused: &[(
            concat!(
                r#"<iq id="1" type="get" xmlns="usync" to="s.whatsapp.net">"#,
                r#"<usync sid="1" mode="query" last="true" index="0" context="message"><query/>"#,
                r#"<list><user jid="14155551001@s.whatsapp.net"/></list></usync></iq>"#
            ),
            "devices: query has other content than it must",
        )],
        refusal: BAD_REQUEST,
    });
}

#[test]
fn requests_of_whatsapps_own_users() {
    judge(&Form {
        fine: &[
            r#"<iq id="1" type="get" xmlns="w:p" to="s.whatsapp.net"/>"#,
            r#"<iq id="1" type="get" xmlns="w:p" to="s.whatsapp.net"><ping/></iq>"#,
            r#"<iq id="1" type="get" xmlns="encrypt" to="s.whatsapp.net"><count/></iq>"#,
            r#"<iq id="1" type="result" to="s.whatsapp.net"/>"#,
        ],
        noted: &[
            (
                r#"<iq id="1" type="set" xmlns="passive" to="s.whatsapp.net"><active/></iq>"#,
                "passive: iq in passive: passive",
            ),
            (
                r#"<iq id="1" type="get" xmlns="encrypt" to="s.whatsapp.net"><digest/></iq>"#,
                "prekey-digest: iq in encrypt: prekey-digest",
            ),
            (
                r#"<iq id="1" type="get" xmlns="abt" to="s.whatsapp.net"><props protocol="1"/></iq>"#,
                "iq-foreign: iq in abt: iq-foreign",
            ),
            (r#"<iq id="1" type="result" xmlns="w:p" to="s.whatsapp.net"/>"#, "pong: iq has xmlns"),
        ],
        refused: &[
            (
                r#"<iq id="1" type="set" xmlns="passive" to="s.whatsapp.net"><awake/></iq>"#,
                "passive: iq holds no active",
            ),
            (
                r#"<iq id="1" type="set" xmlns="blocklist" to="s.whatsapp.net"><item action="block" jid="1-12345@s.whatsapp.net"/></iq>"#,
                "block: item has a bad jid",
            ),
        ],
        refusal: BAD_REQUEST,
    });
}

#[test]
fn what_only_whatsapp_can_answer_is_not_implemented() {
    let mut bench = Bench::new();
    let (_, mut line) = bench.connected("alice");
    for (xml, rule) in [
        (r#"<iq id="1" type="set" xmlns="w:m" to="s.whatsapp.net"><media_conn/></iq>"#, "iq-foreign"),
        (r#"<iq id="1" type="get" xmlns="urn:nobody" to="s.whatsapp.net"/>"#, "iq-unknown"),
        (r#"<iq id="1" type="get" to="s.whatsapp.net"/>"#, "iq-unknown"),
    ] {
        let answers = bench.ask_xml(&mut line, xml);
        assert!(answers[0].contains(r#"code="501""#), "{answers:?}");
        assert_eq!(bench.taken_rules(), [rule]);
    }
}

fn messages(bench: &mut Bench, user: &mut User, line: &mut Line) -> Node {
    let enc = bench.text(user, line, "A", "hello").child("enc").cloned().unwrap();
    Node::new("message")
        .with_attr("to", wa_binary::Jid::phone(PHONE).unwrap())
        .with_attr("id", "A")
        .with_attr("type", "text")
        .with_child(enc)
}

#[test]
fn a_message_with_what_public_clients_add_arrives() {
    let mut bench = Bench::new();
    let (mut user, mut line) = bench.connected("alice");
    let message = messages(&mut bench, &mut user, &mut line);
    let message = message.with_attr("device_fanout", "false").with_attr("t", "1");
    let message = message.with_children([Node::new("reporting"), Node::new("tctoken")]);
    bench.send(&mut line, &message);
    let notes =
        ["message has device_fanout", "message has t", "message holds reporting", "message holds tctoken"];
    let expected: Vec<_> = notes.iter().map(|what| ("message", (*what).to_owned())).collect();
    assert_eq!(bench.records(), expected);
    assert_eq!(bench.at_phone(), [("A".to_owned(), Some("hello".to_owned()))]);
    assert_eq!(bench.read(&mut line)[0].attr_str("error"), None);
}

#[test]
fn the_overviews_printed_message_is_taken_with_a_note() {
    let mut bench = Bench::new();
    let (_, mut line) = bench.connected("alice");
    let xml = "<message to='14155551001@s.whatsapp.net' from='14155551000@s.whatsapp.net' id='123456' type='text' \
               notify='joe'><body>Body text of message.</body></message>";
    let answers = bench.ask_xml(&mut line, xml);
    assert!(answers[0].starts_with("<ack class=\"message\" id=\"123456\""), "{answers:?}");
    assert!(!answers[0].contains("error"), "{answers:?}");
    let rules: Vec<_> = bench.records().into_iter().map(|(_, what)| what).collect();
    assert_eq!(rules, ["message has from", "message has notify", "message holds body"]);
    assert_eq!(bench.at_phone(), [("123456".to_owned(), Some("Body text of message.".to_owned()))]);
}

#[test]
fn a_message_against_the_rules_is_refused_with_479_and_lost() {
    let mut bench = Bench::new();
    let (mut user, mut line) = bench.connected("alice");
    let message = messages(&mut bench, &mut user, &mut line).with_attr("sticker", "1");
    bench.send(&mut line, &message);
    let answers = bench.read(&mut line);
    assert_eq!(answers[0].attr_str("error"), Some("479"));
    assert_eq!(answers.len(), 1, "{answers:?}");
    assert_eq!(bench.at_phone(), []);
    let record = bench.world.records().next().unwrap();
    assert_eq!((record.rule, record.what.as_str()), ("message", "message has an unknown sticker"));
    assert!(record.marked.as_ref().unwrap().contains("⟦sticker=\"1\"⟧"), "{:?}", record.marked);
    assert_eq!(record.mend, "leave sticker out: <message> may have to, id, type, edit");
    assert_eq!(record.source, "overview §2.1.1, §3.1; the form is observed");
    assert_eq!(record.who.login, Some(user.login()));
    // The good form beside it arrives.
    let message = bench.text(&mut user, &mut line, "B", "good");
    bench.send(&mut line, &message);
    assert_eq!(bench.at_phone(), [("B".to_owned(), Some("good".to_owned()))]);
}

#[test]
fn a_poll_is_a_note_and_a_song_is_not() {
    let mut bench = Bench::new();
    let (mut user, mut line) = bench.connected("alice");
    for (kind, error) in [("poll", None), ("song", Some("479"))] {
        let enc = bench.text(&mut user, &mut line, "A", "x").child("enc").cloned().unwrap();
        let message = Node::new("message").with_attr("to", wa_binary::Jid::phone(PHONE).unwrap());
        bench.send(&mut line, &message.with_attr("id", kind).with_attr("type", kind).with_child(enc));
        let ack = bench.read(&mut line);
        assert_eq!(ack[0].attr_str("error"), error, "{kind}");
    }
}

#[test]
fn the_ciphertext_of_a_message_may_be_as_long_as_a_frame() {
    let mut bench = Bench::new();
    let (mut user, mut line) = bench.connected("alice");
    let message = bench.text(&mut user, &mut line, "long", &"x".repeat(3 << 20));
    bench.send(&mut line, &message);
    assert_eq!(bench.records(), []);
    assert_eq!(bench.at_phone()[0].1.as_ref().map(String::len), Some(3 << 20));
}

#[test]
fn strict_ends_the_stream_and_names_the_rule() {
    for xml in [
        r#"<iq id="1" type="get" xmlns="urn:nobody" to="s.whatsapp.net"/>"#,
        r#"<receipt to="14155551001@s.whatsapp.net" id="A" type="seen"/>"#,
        r#"<chatstate to="14155551001@s.whatsapp.net"><gone/></chatstate>"#,
    ] {
        let (mut lenient, mut strict) = (Bench::new(), Bench::strict());
        let (_, mut line) = lenient.connected("alice");
        let answers = lenient.ask_xml(&mut line, xml);
        assert!(answers.iter().all(|answer| !answer.contains("<deviation")), "{answers:?}");
        let (_, mut line) = strict.connected("alice");
        let answers = strict.ask_xml(&mut line, xml);
        let [.., error, closed] = answers.as_slice() else { panic!("{answers:?}") };
        assert!(error.contains("<deviation rule=\"") && error.contains("source=\""), "{error}");
        assert_eq!(closed, "<closed/>");
    }
    // A note ends nothing.
    let mut strict = Bench::strict();
    let (_, mut line) = strict.connected("alice");
    assert_eq!(strict.ask_xml(&mut line, r#"<presence type="available"/>"#), [""; 0]);
}

#[test]
fn the_end_of_the_stream_is_no_deviation() {
    let mut bench = Bench::strict();
    let (_, mut line) = bench.connected("alice");
    bench.send(&mut line, &Node::stream_end());
    assert_eq!(bench.read(&mut line), [Node::new("closed")]);
    assert_eq!(bench.taken_rules(), ["stream-end"]);
}

#[test]
fn what_comes_in_one_read_behind_the_end_of_the_stream_is_not_handled() {
    let mut bench = Bench::new();
    let (_, mut line) = bench.connected("alice");
    let unknown = Node::new("nobody-knows-this");
    bench.send_together(&mut line, &[Node::stream_end(), unknown.clone(), unknown]);
    assert_eq!(bench.read(&mut line), [Node::new("closed")]);
    assert_eq!(bench.taken_rules(), ["stream-end"]);
}

#[test]
fn prekeys_are_judged_beyond_their_form() {
    let mut bench = Bench::new();
    let (mut user, mut line) = bench.connected("alice");
    bench.upload(&mut user, &mut line, 3);
    assert_eq!(bench.records(), []);
    let list = || vec![crate::user::prekey("key", 9, &[9; 32])];
    let mut others = Vec::new();
    let other = bench.user("bob");
    let mut changed = bench.user("carol");
    std::mem::swap(&mut changed.local, &mut user.local);
    changed.signed = user.signed.clone();
    changed.signed.signature = other.signed.signature;
    others.push((changed.upload(list()), "prekey-signature"));
    std::mem::swap(&mut changed.local, &mut user.local);
    user.local.registration_id ^= 1;
    others.push((user.upload(list()), "prekey-registration"));
    others.push((other.upload(list()), "prekey-identity"));
    for (upload, rule) in others {
        bench.send(&mut line, &upload);
        let answer = bench.read(&mut line);
        assert_eq!(answer[0].attr_str("type"), Some("error"), "{rule}");
        assert_eq!(bench.taken_rules(), [rule]);
    }
}

#[test]
fn the_digest_says_which_keys_there_are() {
    let mut bench = Bench::new();
    let (mut user, mut line) = bench.connected("alice");
    bench.upload(&mut user, &mut line, 2);
    let xml = r#"<iq id="1" type="get" xmlns="encrypt" to="s.whatsapp.net"><digest/></iq>"#;
    let answer = bench.ask(&mut line, xml);
    let digest = answer[0].child("digest").unwrap();
    assert_eq!(
        digest.child("identity").and_then(Node::bytes),
        Some(&user.local.key.public_key().as_bytes()[..])
    );
    assert_eq!(digest.child("list").unwrap().children().len(), 2);
}

#[test]
fn an_older_deletion_is_taken_with_a_note() {
    for (xml, rules) in [
        (
            r#"<iq id="1" type="set" xmlns="urn:xmpp:whatsapp:account" to="s.whatsapp.net"><remove/></iq>"#,
            vec![],
        ),
        (
            r#"<iq id="1" type="get" to="s.whatsapp.net"><remove xmlns="urn:xmpp:whatsapp:account"/></iq>"#,
            vec!["deletion-old"],
        ),
    ] {
        let mut bench = Bench::new();
        let (_, mut line) = bench.connected("alice");
        let answers = bench.ask_xml(&mut line, xml);
        assert!(answers[0].contains("type=\"result\""), "{answers:?}");
        assert_eq!(answers.last().map(String::as_str), Some("<closed/>"));
        assert_eq!(bench.taken_rules(), rules);
        assert_eq!(bench.get("accounts")["accounts"], serde_json::json!([]));
    }
}

#[test]
fn a_companion_has_a_place_in_the_list_of_keys() {
    let mut bench = Bench::new();
    let (_, mut line) = bench.connected("alice");
    bench.post(&format!("phones/{PHONE}/devices"), serde_json::json!({ "id": 3 }));
    bench.read(&mut line);
    let xml = concat!(
        r#"<iq id="1" type="get" xmlns="usync" to="s.whatsapp.net">"#,
        r#"<usync sid="1" mode="query" last="true" index="0" context="message"><query><devices version="2"/></query>"#,
        r#"<list><user jid="14155551001@s.whatsapp.net"/></list></usync></iq>"#
    );
    let answers = bench.ask_xml(&mut line, xml);
    let devices = r#"<device-list><device id="0"/><device id="3" key-index="3"/></device-list>"#;
    assert!(answers[0].contains(devices), "{answers:?}");
}
