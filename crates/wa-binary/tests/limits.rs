//! Reader and writer have one set of limits: what one takes the other gives, at each boundary from both sides.

#![expect(clippy::unwrap_used, reason = "a test's helpers fail the test")]

use wa_binary::{DecodeErrorKind, EncodeError, EncodeOptions, Limits, Node, decode, encode};

/// A node with so many attributes, in bytes: a list of 16 bits, the name, and one token twice for each.
fn bytes_with_attrs(count: usize) -> Vec<u8> {
    let size = u16::try_from(2 * count + 1).unwrap().to_be_bytes();
    let mut bytes = vec![249, size[0], size[1], 25];
    bytes.extend(std::iter::repeat_n([8, 8], count).flatten());
    bytes
}

fn with_attrs(count: usize) -> Node {
    (0..count).fold(Node::new("iq"), |node, _| node.with_attr("id", "id"))
}

fn with_children(count: usize) -> Node {
    Node::new("iq").with_children((0..count).map(|_| Node::new("iq")))
}

fn encoded(node: &Node) -> Result<Vec<u8>, EncodeError> {
    encode(node, &EncodeOptions::new())
}

/// What was written is read, and is the same.
fn survives(node: &Node) {
    let bytes = encoded(node).unwrap();
    assert!(decode(&bytes.into(), &Limits::new()).as_ref() == Ok(node));
}

#[test]
fn attributes_of_one_node() {
    let most = Limits::MAX_ATTRS;
    assert_eq!(most, 32_766, "twice as many, a name and a content are 65,534 entries of a list");
    survives(&with_attrs(most));
    let read = decode(&bytes_with_attrs(most).into(), &Limits::new()).unwrap();
    survives(&read);
    assert_eq!(encoded(&with_attrs(most + 1)), Err(EncodeError::TooManyAttrs));
    let refused = decode(&bytes_with_attrs(most + 1).into(), &Limits::new()).unwrap_err();
    assert_eq!((refused.kind, refused.offset), (DecodeErrorKind::TooManyAttrs, 0));
}

#[test]
fn attributes_of_all_nodes() {
    let each = 1024;
    let nodes = |count: usize| Node::new("iq").with_children((0..count).map(|_| with_attrs(each)));
    let most = Limits::new().attrs / each;
    survives(&nodes(most));
    let one_more = nodes(most).attrs().len() + 1;
    let over =
        Node::new("iq").with_children((0..most).map(|_| with_attrs(each)).chain([with_attrs(one_more)]));
    assert_eq!(encoded(&over), Err(EncodeError::TooManyAttrs));
}

#[test]
fn nodes() {
    let most = Limits::new().nodes;
    survives(&with_children(most - 1));
    assert_eq!(encoded(&with_children(most)), Err(EncodeError::TooManyNodes));
    // Of the reader alone: one node more than it takes, written by nobody here.
    let mut bytes = encoded(&with_children(most - 1)).unwrap();
    let at = bytes.windows(3).position(|it| it[0] == 249).unwrap();
    let size = u16::try_from(most).unwrap().to_be_bytes();
    bytes[at + 1..at + 3].copy_from_slice(&size);
    bytes.extend_from_slice(&[248, 1, 25]);
    assert_eq!(decode(&bytes.into(), &Limits::new()).unwrap_err().kind, DecodeErrorKind::TooManyNodes);
}

#[test]
fn nesting() {
    let nested = |depth: usize| (1..depth).fold(Node::new("iq"), |node, _| Node::new("iq").with_child(node));
    survives(&nested(Limits::MAX_DEPTH));
    assert_eq!(encoded(&nested(Limits::MAX_DEPTH + 1)), Err(EncodeError::TooDeep));
}
