//! A stanza as the bytes of its binary form, with the bytes of the part at fault (overview §2.1.2).

use std::ops::Range;

use wa_interop::binary::{EncodeOptions, Node, encode};

/// What the local WhatsApp puts around the part at fault.
const OPENS: char = '⟦';
const CLOSES: char = '⟧';

/// The bytes of a stanza whose XML may have a part at fault between its marks, and where that part is.
///
/// Text that is no stanza has no bytes. A part that cannot be found among the bytes is not marked.
pub(super) fn bytes_of(marked: &str) -> Option<(Vec<u8>, Option<Range<usize>>)> {
    let plain: String = marked.chars().filter(|c| ![OPENS, CLOSES].contains(c)).collect();
    let bytes = encoded(&plain)?;
    let part = marked.split_once(OPENS).and_then(|(_, rest)| rest.split_once(CLOSES)).map(|(part, _)| part);
    let wanted = part.and_then(bytes_of_part);
    let at = wanted.and_then(|wanted| {
        let start = bytes.windows(wanted.len()).position(|window| window == wanted)?;
        Some(start..start + wanted.len())
    });
    Some((bytes, at))
}

/// The bytes of an element, or of an attribute with its value.
fn bytes_of_part(part: &str) -> Option<Vec<u8>> {
    if part.starts_with('<') {
        return encoded(part);
    }
    // The list's head and the word of the tag come before the attribute.
    let head = encoded("<iq/>")?.len();
    let bytes = encoded(&format!("<iq {part}/>"))?;
    bytes.get(head..).filter(|it| !it.is_empty()).map(<[u8]>::to_vec)
}

fn encoded(xml: &str) -> Option<Vec<u8>> {
    let node: Node = xml.trim().parse().ok()?;
    encode(&node, &EncodeOptions::new()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_part_at_fault_is_found_among_the_bytes() {
        let (bytes, at) = bytes_of("<iq id=\"a1\" ⟦type=\"get\"⟧/>").unwrap();
        let (plain, none) = bytes_of("<iq id=\"a1\" type=\"get\"/>").unwrap();
        assert_eq!((&bytes, none), (&plain, None));
        let at = at.unwrap();
        assert_eq!(at.end, bytes.len(), "{at:?}");
        assert_eq!(at.len(), 2, "two words of the dictionary");
        let (bytes, at) = bytes_of("<iq id=\"a1\"><ping/>⟦<x y=\"z\"/>⟧</iq>").unwrap();
        assert_eq!(at.unwrap().end, bytes.len());
        assert_eq!(bytes_of("no stanza"), None);
    }
}
