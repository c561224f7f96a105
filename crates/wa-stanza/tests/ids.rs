//! Ids and addresses become names of rows: how long they may be.

#![expect(clippy::unwrap_used, reason = "a test's helpers fail the test")]

use wa_binary::Node;
use wa_stanza::{Ack, MAX_ID, Stanza, StanzaError};

const STANZAS: &[(&str, &str)] = &[
    ("message", "<message id='ID' from='FROM@lid' type='text'/>"),
    ("receipt", "<receipt id='ID' from='FROM@lid'/>"),
    ("notification", "<notification id='ID' from='FROM@lid' type='x'/>"),
    ("ack", "<ack id='ID' from='FROM@lid' class='message'/>"),
];

fn node(xml: &str, id: &str, from: &str) -> Node {
    xml.replace("ID", id).replace("FROM", from).parse().unwrap()
}

#[test]
fn an_id_is_at_most_128_bytes_and_is_refused_by_name() {
    let (longest, longer) = ("x".repeat(MAX_ID), "x".repeat(MAX_ID + 1));
    for &(element, xml) in STANZAS {
        assert!(Stanza::try_from(node(xml, &longest, "1")).is_ok(), "{element}");
        let malformed = Stanza::try_from(node(xml, &longer, "1")).unwrap_err();
        assert_eq!(malformed.error, StanzaError::InvalidAttr { element, attr: "id" });
        // It can still be refused, so that it does not come again.
        assert_eq!(Ack::refusing(&malformed.node, 488).is_some(), element != "ack");
    }
    let items =
        |id: &str| format!("<receipt id='1'><list><item id='{id}'/></list></receipt>").parse::<Node>();
    assert!(Stanza::try_from(items(&longest).unwrap()).is_ok());
    let malformed = Stanza::try_from(items(&longer).unwrap()).unwrap_err();
    assert_eq!(malformed.error, StanzaError::InvalidAttr { element: "item", attr: "id" });
}

#[test]
fn an_address_is_at_most_128_bytes() {
    let longest = "1".repeat(MAX_ID - "lid".len());
    for &(element, xml) in STANZAS {
        assert!(Stanza::try_from(node(xml, "1", &longest)).is_ok(), "{element}");
        let malformed = Stanza::try_from(node(xml, "1", &format!("{longest}1"))).unwrap_err();
        assert_eq!(malformed.error, StanzaError::InvalidAttr { element, attr: "from" });
    }
}
