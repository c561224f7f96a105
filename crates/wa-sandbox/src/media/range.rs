//! Which bytes of a file a request asks for (RFC 9110 §14).

use std::ops::Range;

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// All of it; also where the header is not understood.
    Everything,
    /// These bytes of the file.
    Part(Range<usize>),
    /// Bytes that are not there.
    Nothing,
}

/// Reads a `Range` header for a file of `size` bytes: `bytes=a-`, `bytes=a-b` or `bytes=-n`. Several ranges are not
/// understood.
pub(super) fn asked(header: Option<&str>, size: usize) -> Asked {
    let Some((first, last)) = header.and_then(|header| header.strip_prefix("bytes=")?.split_once('-')) else {
        return Asked::Everything;
    };
    let number = |text: &str| text.parse::<usize>().ok();
    match (number(first), number(last)) {
        (None, Some(0)) if first.is_empty() => Asked::Nothing,
        (None, Some(count)) if first.is_empty() => Asked::Part(size.saturating_sub(count)..size),
        // From the first byte to the last is everything.
        (Some(0), None) if last.is_empty() => Asked::Everything,
        (Some(first), None) if last.is_empty() && first < size => Asked::Part(first..size),
        (Some(first), Some(last)) if first <= last && first < size => {
            Asked::Part(first..last.saturating_add(1).min(size))
        }
        (Some(first), last) if first >= size && last.is_none_or(|last| first <= last) => Asked::Nothing,
        _ => Asked::Everything,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_as_http_has_them() {
        for (header, expected) in [
            (None, Asked::Everything),
            (Some("bytes=0-"), Asked::Everything),
            (Some("bytes=4-"), Asked::Part(4..10)),
            (Some("bytes=2-5"), Asked::Part(2..6)),
            (Some("bytes=2-2"), Asked::Part(2..3)),
            (Some("bytes=0-99"), Asked::Part(0..10)),
            (Some("bytes=-3"), Asked::Part(7..10)),
            (Some("bytes=-99"), Asked::Part(0..10)),
            (Some("bytes=10-"), Asked::Nothing),
            (Some("bytes=12-20"), Asked::Nothing),
            (Some("bytes=-0"), Asked::Nothing),
            (Some("bytes=5-2"), Asked::Everything),
            (Some("bytes=1-2,4-5"), Asked::Everything),
            (Some("bytes=a-"), Asked::Everything),
            (Some("lines=1-2"), Asked::Everything),
        ] {
            assert_eq!(asked(header, 10), expected, "{header:?}");
        }
    }
}
