//! The stanzas of the benchmark, from the smallest that is common to the largest.

use wa_binary::{Jid, Node, Packing};

/// A stanza and what it is called in the rows.
pub struct Input {
    /// The name of the row.
    pub name: &'static str,
    /// The stanza that is encoded and decoded.
    pub node: Node,
    /// What of it is packed in the bytes that are decoded.
    pub packing: Packing,
}

/// All of them.
pub fn inputs() -> Vec<Input> {
    let packed = |name, node| Input { name, node, packing: Packing::Everything };
    vec![
        packed("ack 37 B", ack()),
        // Its identifier is printed without packing.
        Input { name: "published stanza 71 B", node: published(), packing: Packing::JidsOnly },
        packed("pkmsg 1 KiB", pkmsg()),
        packed("keys of 100 users", keys()),
        packed("812 prekeys", prekeys()),
    ]
}

/// The stanza that the overview prints (overview §2.1.2).
fn published() -> Node {
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

#[cfg(test)]
mod tests {
    use wa_binary::{EncodeOptions, encode};

    use super::*;

    #[test]
    fn a_name_that_says_a_length_says_the_right_one() {
        for Input { name, node, packing } in inputs() {
            let bytes = encode(&node, &EncodeOptions::new().with_packing(packing)).unwrap().len();
            if let Some(said) = name.strip_suffix(" B").and_then(|name| name.rsplit(' ').next()) {
                assert_eq!(said.parse(), Ok(bytes), "{name}");
            }
        }
    }
}
