//! Requests (overview §3 to §5; observed).

use wa_binary::{Jid, Node};
use wa_keys::PrivateKey;
use wa_signal::SignedPrekey;

use crate::kit::PHONE;
use crate::rules::{Row, Stage, golden, row, xml};
use crate::user::prekey;

pub(crate) fn rows() -> Vec<Row> {
    [channel(), keys(), people()].into_iter().flatten().collect()
}

fn iq(kind: &str, xmlns: &str, inside: &str) -> String {
    format!("<iq id='1' type='{kind}' xmlns='{xmlns}' to='s.whatsapp.net'>{inside}</iq>")
}

fn channel() -> Vec<Row> {
    vec![
        row(
            "ping",
            golden("<iq id='26' to='s.whatsapp.net' type='get' xmlns='w:p'/>"),
            xml(iq("set", "w:p", "")),
        ),
        row(
            "pong",
            xml("<iq id='1' to='s.whatsapp.net' type='result'/>"),
            xml("<iq id='1' to='s.whatsapp.net' type='result'><pong/></iq>"),
        ),
        row(
            "passive",
            golden("<iq id='5' to='s.whatsapp.net' type='set' xmlns='passive'><active/></iq>"),
            xml(iq("set", "passive", "<awake/>")),
        ),
        row(
            "iq-foreign",
            xml(iq("get", "abt", "<props/>")),
            xml("<iq id='1' type='ask' xmlns='abt' to='s.whatsapp.net'/>"),
        ),
        row("iq-unknown", xml(iq("get", "blocklist", "")), xml(iq("get", "urn:nobody", ""))),
    ]
}

fn keys() -> Vec<Row> {
    let user = |reason: &str| format!("<key><user jid='{PHONE}@s.whatsapp.net' reason='{reason}'/></key>");
    vec![
        row(
            "prekey-fetch",
            xml(iq("get", "encrypt", &user("identity"))),
            xml(iq("get", "encrypt", &user("curiosity"))),
        ),
        row(
            "prekey-count",
            xml(iq("get", "encrypt", "<count/>")),
            xml(iq("get", "encrypt", "<count value='1'/>")),
        ),
        row(
            "prekey-digest",
            xml(iq("get", "encrypt", "<digest/>")),
            xml(iq("get", "encrypt", "<digest>x</digest>")),
        ),
        row("prekey-upload", uploaded(&[9; 32]), uploaded(&[9; 31])),
        row("prekey-identity", uploaded(&[9; 32]), changed(|upload| flip(upload, "identity"))),
        row("prekey-registration", uploaded(&[9; 32]), changed(|upload| flip(upload, "registration"))),
        row("prekey-signature", rotated(true), rotated(false)),
        row("prekey-too-many", many(10_000), many(10_001)),
        row("prekey-rotate", rotated(true), xml(iq("set", "encrypt", "<rotate/>"))),
        row("devices", xml(devices("message")), xml(devices("curiosity"))),
    ]
}

fn devices(context: &str) -> String {
    let user = format!("<user jid='{PHONE}@s.whatsapp.net'/>");
    let query = format!("<query><devices version='2'/></query><list>{user}</list>");
    let attributes = format!("sid='1' mode='query' last='true' index='0' context='{context}'");
    iq("get", "usync", &format!("<usync {attributes}>{query}</usync>"))
}

fn list(first: u32, count: u32) -> Vec<Node> {
    (first..first + count).map(|id| prekey("key", id, &[9; 32])).collect()
}

/// An upload of this one-time prekey.
fn uploaded(key: &'static [u8]) -> impl Fn(&mut Stage) -> String {
    move |stage| {
        let upload = stage.user.upload(vec![prekey("key", 1, key)]);
        stage.send(&upload)
    }
}

/// An upload with this done to it.
fn changed(change: fn(&Node) -> Node) -> impl Fn(&mut Stage) -> String {
    move |stage| {
        let upload = stage.user.upload(list(1, 1));
        stage.send(&change(&upload))
    }
}

/// The first byte inside a child is another one.
fn flip(upload: &Node, tag: &str) -> Node {
    let children = upload.children().iter().map(|child| match child.bytes() {
        Some(bytes) if child.is(tag) => {
            Node::new(child.tag()).with_bytes([&[bytes[0] ^ 1][..], &bytes[1..]].concat())
        }
        _ => child.clone(),
    });
    let attributes = upload.attrs().iter();
    let bare = attributes.fold(Node::new("iq"), |iq, (name, value)| iq.with_attr(&**name, value.clone()));
    bare.with_children(children)
}

/// So many one-time prekeys, a thousand at a time; the last answer.
fn many(count: u32) -> impl Fn(&mut Stage) -> String {
    move |stage| {
        let mut answer = String::new();
        for first in (1..=count).step_by(1000) {
            let upload = stage.user.upload(list(first, 1000.min(count + 1 - first)));
            answer = stage.send(&upload);
        }
        answer
    }
}

/// Another signed prekey, signed by the user's identity or by somebody else's.
fn rotated(is_own: bool) -> impl Fn(&mut Stage) -> String {
    move |stage| {
        let rng = &mut stage.bench.rng;
        let (next, other) = (PrivateKey::generate(rng), PrivateKey::generate(rng));
        let identity = if is_own { &stage.user.local.key } else { &other };
        let signed = SignedPrekey::sign(8, &next, identity, rng);
        let signature = Node::new("signature").with_bytes(signed.signature.as_bytes().to_vec());
        let skey = prekey("skey", signed.id, signed.key.as_bytes()).with_child(signature);
        let iq = Node::new("iq").with_attr("id", "1").with_attr("type", "set").with_attr("xmlns", "encrypt");
        let iq = iq.with_attr("to", Jid::whatsapp());
        stage.send(&iq.with_child(Node::new("rotate").with_child(skey)))
    }
}

fn people() -> Vec<Row> {
    let user = format!("jid='{PHONE}@s.whatsapp.net'");
    let account = "urn:xmpp:whatsapp:account";
    let item = |action: &str| iq("set", "blocklist", &format!("<item action='{action}' {user}/>"));
    let raw =
        format!("<message id='1' t='1' from='{PHONE}@s.whatsapp.net'><raw v='3' wa:bytes='00'/></message>");
    let spam = format!("<spam_list spam_flow='MessageMenu' {user}>{raw}</spam_list>");
    let reached = |tag: &str| iq("set", "w:interop", &format!("<{tag}><user {user}/></{tag}>"));
    let removed = |inside: &str| format!("<iq id='1' type='get' to='s.whatsapp.net'>{inside}</iq>");
    vec![
        row("blocklist", xml(iq("get", "blocklist", "")), xml(iq("get", "blocklist", "<list/>"))),
        row("block", xml(item("block")), xml(item("forget"))),
        row("report", xml(iq("set", "spam", &spam)), xml(iq("set", "spam", "<spam_list/>"))),
        row("reachability", xml(reached("reachability")), xml(reached("hello"))),
        row("deletion", xml(iq("set", account, "<remove/>")), xml(iq("set", account, "<delete/>"))),
        row(
            "deletion-old",
            xml(removed(&format!("<remove xmlns='{account}'/>"))),
            xml(removed(&format!("<remove xmlns='{account}' at='once'/>"))),
        ),
    ]
}
