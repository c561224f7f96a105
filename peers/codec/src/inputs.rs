//! The stanzas of the benchmark, from the smallest that is common to the largest.

use wa_binary::{Jid, Node};

/// A stanza and what it is called in the rows.
pub struct Input {
    /// The name of the row.
    pub name: &'static str,
    /// The stanza that is encoded and decoded.
    pub node: Node,
}

/// All of them.
pub fn inputs() -> Vec<Input> {
    vec![
        Input { name: "ack 37 B", node: ack() },
        Input { name: "published stanza 71 B", node: seed() },
        Input { name: "pkmsg 1 KiB", node: pkmsg() },
        Input { name: "keys of 100 users", node: keys() },
        Input { name: "812 prekeys", node: prekeys() },
    ]
}

/// The stanza that the overview prints (overview §2.1.2).
pub fn seed() -> Node {
    Node::new("message")
        .with_attr("to", phone("14155551001"))
        .with_attr("from", phone("14155551000"))
        .with_attr("id", "123456")
        .with_attr("type", "text")
        .with_attr("notify", "joe")
        .with_child(Node::new("body").with_bytes("Body text of message."))
}

fn ack() -> Node {
    Node::new("ack")
        .with_attr("class", "message")
        .with_attr("id", "3EB0C767D26A8B4A5E6F")
        .with_attr("from", phone("14155551001"))
        .with_attr("t", "1700000000")
}

fn pkmsg() -> Node {
    let enc = Node::new("enc").with_attr("v", "2").with_attr("type", "pkmsg").with_bytes(filled(1024, 1));
    Node::new("message")
        .with_attr("from", device("14155551001", 2))
        .with_attr("id", "3EB0C767D26A8B4A5E6F")
        .with_attr("type", "text")
        .with_attr("t", "1700000000")
        .with_attr("notify", "joe")
        .with_child(enc)
}

fn keys() -> Node {
    let user = |number: u8| {
        Node::new("user")
            .with_attr("jid", phone(&format!("1415555{:04}", 1000 + u32::from(number))))
            .with_children([
                Node::new("registration").with_bytes(filled(4, number)),
                Node::new("type").with_bytes(filled(1, 5)),
                Node::new("identity").with_bytes(filled(32, number)),
                Node::new("key").with_children(key(u16::from(number))),
                Node::new("skey")
                    .with_children(key(500))
                    .with_child(Node::new("signature").with_bytes(filled(64, 7))),
            ])
    };
    Node::new("iq")
        .with_attr("from", Jid::whatsapp())
        .with_attr("type", "result")
        .with_attr("id", "1234.5678-12")
        .with_child(Node::new("list").with_children((0..100).map(user)))
}

fn prekeys() -> Node {
    let keys = (1..=812).map(|id| Node::new("key").with_children(key(id)));
    Node::new("iq")
        .with_attr("xmlns", "encrypt")
        .with_attr("type", "set")
        .with_attr("to", Jid::whatsapp())
        .with_attr("id", "1234.5678-13")
        .with_children([
            Node::new("registration").with_bytes(filled(4, 9)),
            Node::new("type").with_bytes(filled(1, 5)),
            Node::new("identity").with_bytes(filled(32, 3)),
            Node::new("list").with_children(keys),
            Node::new("skey")
                .with_children(key(900))
                .with_child(Node::new("signature").with_bytes(filled(64, 7))),
        ])
}

fn key(id: u16) -> [Node; 2] {
    let [high, low] = id.to_be_bytes();
    [Node::new("id").with_bytes(vec![0, high, low]), Node::new("value").with_bytes(filled(32, low))]
}

/// Bytes like those of a key: not text, not all the same.
fn filled(len: usize, start: u8) -> Vec<u8> {
    (0u8..=255).cycle().take(len).map(|byte| byte.wrapping_mul(167).wrapping_add(start) | 0x80).collect()
}

fn phone(digits: &str) -> Jid {
    Jid::phone(digits).expect("digits")
}

fn device(digits: &str, device: u16) -> Jid {
    phone(digits).with_device(device).expect("a device")
}
