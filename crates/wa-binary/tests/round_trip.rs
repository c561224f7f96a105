//! Properties: what is written is read again, in every form.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use bytes::Bytes;
use proptest::collection::vec;
use proptest::prelude::*;

use wa_binary::{
    AttrValue, DecodeOptions, EncodeOptions, InteropSuffix, Jid, Limits, Node, NodeContent, Packing, Str,
    SuffixRule, Token, decode, decode_with, encode, pack, unpack,
};

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        (1u8..236).prop_map(|byte| Token::single(byte).unwrap().as_str().to_owned()),
        (0u8..4, any::<u8>())
            .prop_map(|(page, index)| Token::double(page, index).unwrap().as_str().to_owned()),
        "[0-9.-]{0,130}",
        "[0-9A-F]{0,130}",
        "[a-z@: ]{0,50}",
        "(interop|wa:[a-z]{1,5}|xmlns:wa|s\\.whatsapp\\.net|[0-9]{1,9}(:[0-9])?@(s\\.whatsapp\\.net|lid|interop))",
        "[\\PC\\x00-\\x20\\\\\u{feff}\u{fffe}]{0,20}",
    ]
}

fn jid() -> impl Strategy<Value = Jid> {
    let server = prop_oneof![
        Just("s.whatsapp.net".to_owned()),
        Just("lid".to_owned()),
        Just("hosted".to_owned()),
        Just("hosted.lid".to_owned()),
        Just("msgr".to_owned()),
        Just("g.us".to_owned()),
        text(),
    ];
    prop_oneof![
        (1u16..=999, 1u64..=999_999_999_999_999).prop_map(|(n, user)| Jid::interop(n, user).unwrap()),
        ("[0-9]{1,15}", any::<u8>())
            .prop_map(|(user, device)| { Jid::phone(&user).unwrap().with_device(device.into()).unwrap() }),
        (text(), any::<u16>(), server.clone()).prop_filter_map("no jid", |(user, device, server)| {
            let jid = Jid::new(&user, &server).ok()?;
            Some(jid.clone().with_device(device).unwrap_or(jid))
        }),
        server.prop_filter_map("no jid", |server| Jid::server_only(&server).ok()),
    ]
}

fn name() -> impl Strategy<Value = Str> {
    text().prop_filter_map("empty", |text| (!text.is_empty()).then(|| text.into()))
}

fn attrs() -> impl Strategy<Value = Vec<(Str, AttrValue)>> {
    let value = prop_oneof![text().prop_map(AttrValue::from), jid().prop_map(AttrValue::from)];
    vec((name(), value), 0..5)
}

fn leaf_content() -> impl Strategy<Value = NodeContent> {
    prop_oneof![
        Just(NodeContent::Empty),
        vec(any::<u8>(), 0..300).prop_map(|bytes| NodeContent::Bytes(bytes.into())),
        text().prop_map(|text| NodeContent::Bytes(text.into())),
        text().prop_map(|text| NodeContent::Text(text.into())),
        jid().prop_map(NodeContent::from),
    ]
}

fn with(tag: Str, attrs: Vec<(Str, AttrValue)>, content: NodeContent) -> Node {
    let node = Node::new(tag).with_content(content);
    attrs.into_iter().fold(node, |node, (name, value)| node.with_attr(name, value))
}

fn node() -> impl Strategy<Value = Node> {
    let leaf = (name(), attrs(), leaf_content()).prop_map(|(tag, attrs, content)| with(tag, attrs, content));
    leaf.prop_recursive(4, 24, 4, |inner| {
        (name(), attrs(), vec(inner, 0..4)).prop_map(|(tag, attrs, nodes)| with(tag, attrs, nodes.into()))
    })
}

fn options() -> impl Strategy<Value = EncodeOptions> {
    let packing = prop_oneof![Just(Packing::Everything), Just(Packing::JidsOnly), Just(Packing::Nothing)];
    let suffix = prop_oneof![Just(InteropSuffix::Omit), Just(InteropSuffix::Write)];
    (packing, suffix)
        .prop_map(|(packing, suffix)| EncodeOptions::new().with_packing(packing).with_interop_suffix(suffix))
}

/// The kinds of content in order, which equality does not look at.
fn kinds(node: &Node) -> Vec<u8> {
    let own = match node.content() {
        NodeContent::Empty => 0,
        NodeContent::Nodes(_) => 1,
        NodeContent::Bytes(_) => 2,
        NodeContent::Text(_) => 3,
        NodeContent::Jid(_) => 4,
    };
    node.children().iter().fold(vec![own], |mut all, child| {
        all.extend(kinds(child));
        all
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn encoded_is_decoded(node in node(), options in options()) {
        let bytes = encode(&node, &options).unwrap();
        prop_assert_eq!(decode(&bytes.clone().into(), &Limits::new()), Ok(node.clone()));
        if options.interop_suffix == InteropSuffix::Write {
            let present = DecodeOptions::default().with_interop_suffix(SuffixRule::Present);
            prop_assert_eq!(decode_with(&bytes.into(), &present), Ok(node));
        }
    }

    #[test]
    fn decoded_is_encoded_alike(node in node()) {
        let options = EncodeOptions::new();
        let bytes = encode(&node, &options).unwrap();
        let read = decode(&bytes.clone().into(), &Limits::new()).unwrap();
        prop_assert_eq!(encode(&read, &options), Ok(bytes));
    }

    #[test]
    fn packed_is_unpacked(node in node(), above in 0usize..500) {
        let body = pack(&node, &EncodeOptions::new().with_compress_above(above)).unwrap();
        let bytes = unpack(body.into(), &Limits::new()).unwrap();
        prop_assert_eq!(decode(&bytes, &Limits::new()), Ok(node));
    }

    #[test]
    fn xml_is_read_again(node in node()) {
        let xml = node.to_string();
        let read: Node = xml.parse().unwrap();
        prop_assert_eq!(&read, &node);
        prop_assert_eq!(kinds(&read), kinds(&node));
        prop_assert_eq!(read.to_string(), xml);
        let indented: Node = format!("{node:#}").parse().unwrap();
        prop_assert_eq!(&indented, &node);
        prop_assert_eq!(kinds(&indented), kinds(&node));
    }

    #[test]
    fn any_bytes_are_refused_or_a_node(bytes in vec(any::<u8>(), 0..200)) {
        if let Ok(node) = decode(&bytes.into(), &Limits::new()) {
            let again = encode(&node, &EncodeOptions::new()).unwrap();
            prop_assert_eq!(decode(&again.into(), &Limits::new()), Ok(node));
        }
    }

    #[test]
    fn damaged_nodes_are_refused_or_a_node(node in node(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut bytes = encode(&node, &EncodeOptions::new()).unwrap();
        *at.get_mut(&mut bytes[..]) = byte;
        if let Ok(node) = decode(&bytes.into(), &Limits::new()) {
            let again = encode(&node, &EncodeOptions::new()).unwrap();
            prop_assert_eq!(decode(&again.into(), &Limits::new()), Ok(node.clone()));
            prop_assert_eq!(node.to_string().parse(), Ok(node));
        }
    }

    #[test]
    fn any_body_is_refused_or_opened(bytes in vec(any::<u8>(), 0..200), flag in 0u8..4) {
        let body: Bytes = [&[flag][..], &bytes].concat().into();
        if let Ok(open) = unpack(body, &Limits::new()) {
            let _ = decode(&open, &Limits::new());
        }
    }

    #[test]
    fn any_text_is_refused_or_a_node(xml in "(<[a-z:]{1,3}( [a-z:]{1,8}[0-9]?=['\"][ -~]{0,8}['\"]){0,2}/?>|[ -~]{0,5}|</[a-z]>){0,6}") {
        if let Ok(node) = xml.parse::<Node>() {
            prop_assert_eq!(node.to_string().parse(), Ok(node));
        }
    }
}

#[cfg(feature = "serde")]
proptest! {
    #[test]
    fn json_is_read_again(node in node()) {
        let json = serde_json::to_string(&node).unwrap();
        let read: Node = serde_json::from_str(&json).unwrap();
        prop_assert_eq!(&read, &node);
        prop_assert_eq!(kinds(&read), kinds(&node));
    }
}
