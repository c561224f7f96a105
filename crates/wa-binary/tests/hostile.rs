//! Frames made to exhaust a reader's stack, memory or time.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::thread;

use bytes::Bytes;

use wa_binary::{DecodeError, DecodeErrorKind, Limits, Node, decode};

/// Decodes on a thread with the stack of a small embedded runtime.
fn decode_on_small_stack(bytes: Vec<u8>) -> Result<Node, DecodeError> {
    let small = thread::Builder::new().stack_size(256 << 10);
    small.spawn(move || decode(&bytes.into(), &Limits::new())).unwrap().join().unwrap()
}

fn refused(bytes: Vec<u8>) -> (DecodeErrorKind, usize) {
    let error = decode_on_small_stack(bytes).unwrap_err();
    (error.kind, error.offset)
}

#[test]
fn jids_do_not_nest() {
    for tag in [244, 245, 246, 247, 250] {
        let in_tag = [&[248, 1][..], &vec![tag; 2_000_000]].concat();
        assert_eq!(refused(in_tag), (DecodeErrorKind::UnexpectedJid, 2), "{tag}");
    }
    // Through tag 247 two bytes (here domain and device) come before the user.
    for (tag, kind, offset) in [
        (250, DecodeErrorKind::UnexpectedJid, 5),
        (247, DecodeErrorKind::UnexpectedJid, 7),
        (246, DecodeErrorKind::UnexpectedJid, 5),
        (245, DecodeErrorKind::UnexpectedJid, 5),
        (244, DecodeErrorKind::AndroidInterop, 4),
    ] {
        let in_value = [&[248, 3, 25, 8][..], &vec![tag; 2_000_000]].concat();
        assert_eq!(refused(in_value), (kind, offset), "{tag}");
    }
}

#[test]
fn nodes_nest_to_the_limit() {
    let nested = |depth: usize| [[248, 2, 25, 248, 1].repeat(depth - 1), vec![248, 1, 25]].concat();
    assert!(decode_on_small_stack(nested(64)).is_ok());
    assert_eq!(refused(nested(65)), (DecodeErrorKind::TooDeep, 64 * 5));
    assert_eq!(refused(nested(400_000)), (DecodeErrorKind::TooDeep, 64 * 5));
}

#[test]
fn lists_of_lists_of_nothing() {
    let lists = [&[248, 2, 25][..], &vec![248; 2_000_000]].concat();
    assert_eq!(refused(lists).0, DecodeErrorKind::UnexpectedList);
    // Each child opens a list of as many as fit; all of them are refused before a reserve.
    let wide = [248, 2, 25, 249, 255, 255].repeat(50_000);
    assert_eq!(refused(wide).0, DecodeErrorKind::TooManyNodes);
    let short = [248, 2, 25, 249, 255, 255].repeat(127);
    assert_eq!(refused(short), (DecodeErrorKind::ListTooLong(65_535), 3));
}

#[test]
fn nested_lists_promise_no_more_than_the_frame_holds() {
    // Three bytes for each of 900 nodes: the first list takes all there is, so none of as many fits inside.
    let list = [248, 2, 25, 249, 3, 132];
    let nodes = [248, 1, 25].repeat(898);
    let one = [&list[..], &[248, 1, 25], &[248, 1, 25], &nodes].concat();
    assert!(decode_on_small_stack(one).is_ok());
    let two = [&list[..], &list, &nodes, &[248, 1, 25].repeat(500)].concat();
    assert_eq!(refused(two), (DecodeErrorKind::ListTooLong(900), 9));
    // Nor does a node of more elements than are left when the others are counted.
    let attrs = [&list[..], &[248, 9, 25], &nodes, &[25; 5]].concat();
    assert_eq!(refused(attrs), (DecodeErrorKind::ListTooLong(9), 6));
}

#[test]
fn many_small_nodes_and_attributes_stop_at_the_limit() {
    let group = [&[248, 2, 25, 249, 0x40, 0][..], &[248, 1, 25].repeat(0x4000)].concat();
    let frame = [&[248, 2, 25, 248, 200][..], &group.repeat(200)].concat();
    assert_eq!(refused(frame).0, DecodeErrorKind::TooManyNodes);
    let attrs = [&[249, 0x40, 1, 25][..], &vec![8; 0x4000]].concat();
    let frame = [&[248, 2, 25, 248, 200][..], &attrs.repeat(200)].concat();
    assert_eq!(refused(frame).0, DecodeErrorKind::TooManyAttrs);
}

#[test]
fn every_pair_of_bytes_in_every_place() {
    let good = Bytes::from_static(&[248, 4, 25, 17, 245, 255, 1, 0x12, 0, 0, 0, 7, 252, 7]);
    for at in 0..good.len() {
        for first in 0..=255 {
            for second in [0, 1, 14, 236, 244, 245, 246, 247, 248, 249, 250, 251, 252, 253, 254, 255] {
                let mut bytes = good.to_vec();
                bytes[at] = first;
                bytes.insert(at + 1, second);
                if let Ok(node) = decode(&bytes.into(), &Limits::new()) {
                    assert_eq!(node.to_string().parse(), Ok(node));
                }
            }
        }
    }
}
