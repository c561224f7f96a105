//! The `Range` of a request for a hosted file (RFC 9110 §14.2), and whether the file is still the same (§13.1).

use http::{HeaderMap, header};

/// What of a hosted file a request asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ByteRange {
    /// All of it; also for several ranges, or what is no range.
    Whole,
    /// The bytes from the first up to but without the second; at least one.
    Part(u64, u64),
    /// A range that lies outside.
    Nothing,
}

impl ByteRange {
    /// What these headers ask of a file of `size` bytes with this entity tag.
    #[must_use]
    pub fn of(headers: &HeaderMap, size: u64, etag: &str) -> Self {
        let mut ranges = headers.get_all(header::RANGE).iter();
        let (range, further) = (ranges.next(), ranges.next());
        let Some(range) = range.and_then(|range| range.to_str().ok()).filter(|_| further.is_none()) else {
            return Self::Whole;
        };
        let other = headers.get(header::IF_RANGE).is_some_and(|known| known.as_bytes() != etag.as_bytes());
        if other { Self::Whole } else { Self::parse(range, size) }
    }

    /// What this text asks of a file of `size` bytes.
    fn parse(range: &str, size: u64) -> Self {
        let Some((unit, range)) = range.split_once('=') else { return Self::Whole };
        let Some((first, last)) = range.trim_matches(' ').split_once('-') else { return Self::Whole };
        if !unit.eq_ignore_ascii_case("bytes") {
            return Self::Whole;
        }
        match (number(first), number(last)) {
            // "the last so many bytes"
            (None, Some(0)) if first.is_empty() => Self::Nothing,
            (None, Some(count)) if first.is_empty() => Self::within(size.saturating_sub(count), size, size),
            (Some(first), None) if last.is_empty() => Self::within(first, size, size),
            (Some(first), Some(last)) if first <= last => Self::within(first, last.saturating_add(1), size),
            _ => Self::Whole,
        }
    }

    const fn within(start: u64, end: u64, size: u64) -> Self {
        let end = if end < size { end } else { size };
        if start < end { Self::Part(start, end) } else { Self::Nothing }
    }
}

/// Digits alone, and no more than a place in a file may have.
fn number(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    // A number beyond any file lies outside it like any other.
    digits.then(|| text.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    const TAG: &str = "\"tag\"";

    fn asked(ranges: &[&str], if_range: Option<&'static str>) -> ByteRange {
        let mut headers = HeaderMap::new();
        for range in ranges {
            headers.append(header::RANGE, range.parse().unwrap());
        }
        if let Some(known) = if_range {
            headers.insert(header::IF_RANGE, HeaderValue::from_static(known));
        }
        ByteRange::of(&headers, 100, TAG)
    }

    #[test]
    fn one_range_is_a_part() {
        for (range, part) in [
            ("bytes=0-9", ByteRange::Part(0, 10)),
            ("bytes=0-0", ByteRange::Part(0, 1)),
            ("bytes=99-99", ByteRange::Part(99, 100)),
            ("bytes=50-", ByteRange::Part(50, 100)),
            ("bytes=-10", ByteRange::Part(90, 100)),
            ("BYTES=0-9", ByteRange::Part(0, 10)),
            ("bytes= 0-9", ByteRange::Part(0, 10)),
            ("bytes=90-200", ByteRange::Part(90, 100)),
            ("bytes=-200", ByteRange::Part(0, 100)),
            ("bytes=0-18446744073709551615", ByteRange::Part(0, 100)),
            ("bytes=0-99999999999999999999999", ByteRange::Part(0, 100)),
        ] {
            assert_eq!(asked(&[range], None), part, "{range}");
        }
    }

    #[test]
    fn what_lies_outside_is_nothing() {
        for range in [
            "bytes=100-",
            "bytes=100-200",
            "bytes=-0",
            "bytes=18446744073709551615-",
            "bytes=99999999999999999999-",
        ] {
            assert_eq!(asked(&[range], None), ByteRange::Nothing, "{range}");
        }
    }

    #[test]
    fn several_ranges_and_none_are_the_whole() {
        let bomb = format!("bytes={}", "0-,".repeat(2000));
        for range in [
            "",
            "bytes",
            "bytes=",
            "bytes=-",
            "bytes=a-b",
            "bytes=1-0",
            "bytes=0-9,20-29",
            "bytes=+0-9",
            "bytes=0x0-9",
            "bytes=0--9",
            "items=0-9",
            "bytes 0-9",
            "bytes=0-9;",
            &bomb,
        ] {
            assert_eq!(asked(&[range], None), ByteRange::Whole, "{range}");
        }
        assert_eq!(asked(&["bytes=0-9", "bytes=0-9"], None), ByteRange::Whole);
        assert_eq!(asked(&[], None), ByteRange::Whole);
    }

    #[test]
    fn a_range_of_another_version_is_the_whole() {
        assert_eq!(asked(&["bytes=0-9"], Some(TAG)), ByteRange::Part(0, 10));
        for known in ["\"other\"", "W/\"tag\"", "tag", "Sat, 01 Jan 2000 00:00:00 GMT"] {
            assert_eq!(asked(&["bytes=0-9"], Some(known)), ByteRange::Whole, "{known}");
        }
    }
}
