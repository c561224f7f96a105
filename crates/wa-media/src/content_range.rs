//! `Content-Range: bytes first-last/size` of an answer (RFC 9110 §14.4).

/// Which bytes of a file an answer brings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct ContentRange {
    /// The first byte's place.
    pub first: u64,
    /// The last byte's place, never before the first.
    pub last: u64,
    /// How long the whole file is, if that is said.
    pub size: Option<u64>,
}

impl ContentRange {
    /// Reads the header's value; `None` if it is malformed or contradicts itself.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (unit, rest) = text.split_once(' ')?;
        let (range, size) = rest.split_once('/')?;
        let (first, last) = range.split_once('-')?;
        if !unit.eq_ignore_ascii_case("bytes") {
            return None;
        }
        let size = if size == "*" { None } else { Some(number(size)?) };
        let (first, last) = (number(first)?, number(last)?);
        let is_inside = size.is_none_or(|size| last < size);
        (first <= last && is_inside).then_some(Self { first, last, size })
    }
}

/// Digits alone; `parse` would take a sign as well.
fn number(text: &str) -> Option<u64> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_and_what_is_none_is_not() {
        let range = |first, last, size| Some(ContentRange { first, last, size });
        for (text, read) in [
            ("bytes 0-9/10", range(0, 9, Some(10))),
            ("BYTES 5-5/6", range(5, 5, Some(6))),
            ("bytes 5-9/*", range(5, 9, None)),
            ("bytes 0-18446744073709551615/*", range(0, u64::MAX, None)),
            ("bytes 0-10/10", None),
            ("bytes 6-5/10", None),
            ("bytes */10", None),
            ("bytes=0-9/10", None),
            ("items 0-9/10", None),
            ("bytes +0-9/10", None),
            ("bytes 0-9", None),
            ("bytes 0-18446744073709551616/*", None),
            ("bytes -/", None),
            ("", None),
        ] {
            assert_eq!(ContentRange::parse(text), read, "{text:?}");
        }
    }
}
