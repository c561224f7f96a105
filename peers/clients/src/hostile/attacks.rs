//! What the server sends: one function for each attack, which gives the so many-th stanza of it.

use wa_binary::{Jid, Node};

/// The so many-th stanza.
pub type Attack = fn(u64) -> Node;

pub const ATTACKS: &[(&str, Attack)] = &[
    ("typing of one user", |_| typing(1)),
    ("typing of many users", typing),
    ("pings", |number| iq(number, "urn:xmpp:ping")),
    ("requests that nobody knows", |number| iq(number, "w:x")),
    ("small notifications", |number| notification(number, "w:x", vec![Node::new("x")])),
    ("notifications of 1 MiB of zeros", |number| notification(number, "w:x", vec![zeros(1 << 20)])),
    ("notifications of 15 MiB of zeros", |number| notification(number, "w:x", vec![zeros(15 << 20)])),
    ("notifications of 30,000 nodes", |number| notification(number, "w:x", vec![Node::new("x"); 30_000])),
    ("count notifications", |number| {
        notification(number, "encrypt", vec![Node::new("count").with_attr("value", "0")])
    }),
    ("device notifications of many users", |number| {
        notification(number, "devices", Vec::new()).with_attr("from", user(number))
    }),
    ("identity notifications of many users", |number| {
        notification(number, "encrypt", vec![Node::new("identity")]).with_attr("from", user(number))
    }),
    ("junk messages of many users", |number| message(number, 100)),
    ("junk messages of 1 MiB", |number| message(number, 1 << 20)),
    ("acks of nothing", |number| {
        Node::new("ack")
            .with_attr("class", "message")
            .with_attr("id", id(number))
            .with_attr("from", user(number))
    }),
    ("receipts for nothing", |number| {
        Node::new("receipt").with_attr("id", id(number)).with_attr("from", user(number)).with_attr("t", "1")
    }),
    ("retry receipts for nothing", |number| {
        let retry =
            Node::new("retry").with_attr("v", "1").with_attr("count", "1").with_attr("id", id(number));
        let retry = retry.with_attr("t", "1");
        let receipt = Node::new("receipt").with_attr("type", "retry").with_attr("id", id(number));
        receipt.with_attr("from", user(number)).with_attr("t", "1").with_children([
            retry.with_attr("error", "0"),
            Node::new("registration").with_bytes(vec![0, 0, 0, 1]),
        ])
    }),
    ("calls", |number| {
        let call = Node::new("call").with_attr("id", id(number)).with_attr("from", user(number));
        call.with_child(Node::new("offer"))
    }),
    ("unknown stanzas", |number| Node::new("x").with_attr("id", id(number))),
    ("stanzas with a part missing", |number| Node::new("message").with_attr("id", id(number))),
];

fn user(number: u64) -> Jid {
    Jid::phone(&format!("1415{:07}", number % 10_000_000)).expect("a number")
}

fn id(number: u64) -> String {
    format!("3EB0{number:016X}")
}

fn typing(number: u64) -> Node {
    Node::new("chatstate").with_attr("from", user(number)).with_child(Node::new("composing"))
}

fn iq(number: u64, xmlns: &str) -> Node {
    let iq = Node::new("iq").with_attr("type", "get").with_attr("id", id(number));
    iq.with_attr("xmlns", xmlns).with_attr("from", "s.whatsapp.net".parse::<Jid>().expect("an address"))
}

fn notification(number: u64, kind: &str, children: Vec<Node>) -> Node {
    let node = Node::new("notification").with_attr("type", kind).with_attr("id", id(number));
    let from_server = kind == "w:x" || children.iter().any(|child| child.tag() == "count");
    let node = node.with_attr("t", "1").with_children(children);
    if from_server {
        node.with_attr("from", "s.whatsapp.net".parse::<Jid>().expect("an address"))
    } else {
        node
    }
}

fn zeros(count: usize) -> Node {
    Node::new("x").with_bytes(vec![0; count])
}

fn message(number: u64, length: usize) -> Node {
    let enc = Node::new("enc").with_attr("v", "2").with_attr("type", "msg").with_bytes(vec![0x33; length]);
    let message = Node::new("message").with_attr("id", id(number)).with_attr("type", "text");
    message.with_attr("t", "1").with_attr("from", user(number)).with_child(enc)
}
