//! Properties: no node makes a stanza panic, and what is read is written and read alike.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use wa_binary::{Jid, Node, NodeContent};
use wa_stanza::{Ack, Iq, PrekeyBundles, PrekeyCount, PrekeyFetch, PrekeyUpload, Stanza};

const STANZAS: &[&str] = &[
    "message",
    "receipt",
    "ack",
    "iq",
    "notification",
    "ib",
    "success",
    "failure",
    "stream:error",
    "chatstate",
];
const INNER: &[&str] = &[
    "enc",
    "participants",
    "to",
    "list",
    "item",
    "retry",
    "registration",
    "keys",
    "type",
    "identity",
    "key",
    "skey",
    "id",
    "value",
    "signature",
    "user",
    "error",
    "count",
    "offline",
    "dirty",
    "edge_routing",
    "routing_info",
    "conflict",
];
const NAMES: &[&str] = &[
    "id",
    "type",
    "from",
    "to",
    "participant",
    "t",
    "v",
    "count",
    "value",
    "code",
    "reason",
    "jid",
    "xmlns",
    "class",
    "error",
    "location",
    "offline",
    "edit",
    "text",
    "timestamp",
];
const VALUES: &[&str] = &[
    "1",
    "2",
    "401",
    "get",
    "set",
    "result",
    "error",
    "retry",
    "read",
    "encrypt",
    "text",
    "msg",
    "replaced",
    "x",
    "",
    "s.whatsapp.net",
    "1-5@interop",
    "-1",
];

fn attrs() -> impl Strategy<Value = Vec<(&'static str, &'static str)>> {
    vec((select(NAMES), select(VALUES)), 0..6)
}

fn with_attrs(tag: &str, attrs: Vec<(&'static str, &'static str)>) -> Node {
    attrs.into_iter().fold(Node::new(tag), |node, (name, value)| match value.parse::<Jid>() {
        Ok(jid) if value.len() > 6 => node.with_attr(name, jid),
        _ => node.with_attr(name, value),
    })
}

fn node() -> impl Strategy<Value = Node> {
    let bytes =
        select(&[0usize, 1, 3, 4, 32, 64][..]).prop_map(|len| NodeContent::Bytes(vec![5; len].into()));
    let content = prop_oneof![Just(NodeContent::Empty), bytes];
    let leaf = (select(INNER), attrs(), content)
        .prop_map(|(tag, attrs, content)| with_attrs(tag, attrs).with_content(content));
    leaf.prop_recursive(4, 32, 6, |inner| {
        (select(INNER), attrs(), vec(inner, 1..6))
            .prop_map(|(tag, attrs, nodes)| with_attrs(tag, attrs).with_children(nodes))
    })
}

/// A node with the tag of a stanza.
fn stanza_node() -> impl Strategy<Value = Node> {
    (select(STANZAS), attrs(), vec(node(), 0..4)).prop_map(|(tag, attrs, nodes)| {
        let required = [("id", "1"), ("type", "get"), ("class", "message"), ("from", "1-5@interop")];
        with_attrs(tag, attrs.into_iter().chain(required).collect()).with_children(nodes)
    })
}

proptest! {
    #[test]
    fn what_is_read_is_written_and_read_alike(node in prop_oneof![node(), stanza_node()]) {
        let _ = Ack::for_node(&node);
        if let Ok(stanza) = Stanza::try_from(node) {
            let again = Stanza::try_from(Node::from(stanza.clone()));
            prop_assert_eq!(again, Ok(stanza));
        }
    }

    #[test]
    fn no_iq_makes_prekeys_panic(node in stanza_node()) {
        if let Ok(iq) = Iq::try_from(&node) {
            let _ = PrekeyCount::try_from(&iq);
            let _ = PrekeyFetch::try_from(&iq);
            if let Ok(bundles) = PrekeyBundles::try_from(&iq) {
                let answer = iq.result().with_children([bundles.clone().into_node()]);
                prop_assert_eq!(PrekeyBundles::try_from(&answer), Ok(bundles));
            }
            if let Ok(upload) = PrekeyUpload::try_from(&iq) {
                prop_assert_eq!(PrekeyUpload::try_from(&upload.clone().into_iq("1")), Ok(upload));
            }
        }
    }
}
