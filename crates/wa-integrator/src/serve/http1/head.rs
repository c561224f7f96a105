//! One reading of a request's head: its lines, its one host, its one length (RFC 9112 §3, §5, §6).

/// How a request's body is delimited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Framing {
    Length(u64),
    Chunked,
}

/// The head can be read in two ways, or in none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NotOneReading;

/// How the body after this head is delimited. The head's lines end with CR LF and it ends with an empty one.
pub(super) fn framing(head: &[u8]) -> Result<Framing, NotOneReading> {
    let head = head.strip_suffix(b"\r\n\r\n").ok_or(NotOneReading)?;
    let mut lines = split_lines(head);
    let is_http_11 = lines.next().and_then(is_http_11).ok_or(NotOneReading)?;
    let (mut hosts, mut length, mut coding) = (0_u32, None, None);
    for line in lines {
        let (name, value) = field(line).ok_or(NotOneReading)?;
        let once = if name.eq_ignore_ascii_case(b"host") {
            hosts += 1;
            hosts == 1 && !value.is_empty()
        } else if name.eq_ignore_ascii_case(b"content-length") {
            length.replace(number(value).ok_or(NotOneReading)?).is_none()
        } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
            value.eq_ignore_ascii_case(b"chunked") && coding.replace(()).is_none()
        } else {
            true
        };
        if !once {
            return Err(NotOneReading);
        }
    }
    match (hosts, length, coding) {
        (1, length, None) => Ok(Framing::Length(length.unwrap_or(0))),
        (1, None, Some(())) if is_http_11 => Ok(Framing::Chunked),
        _ => Err(NotOneReading),
    }
}

/// Method, one space, target, one space, version; whether that is 1.1.
fn is_http_11(line: &[u8]) -> Option<bool> {
    let mut words = line.split(|byte| *byte == b' ');
    let (method, target, version) = (words.next()?, words.next()?, words.next()?);
    if words.next().is_some()
        || !is_token(method)
        || target.is_empty()
        || !target.iter().all(u8::is_ascii_graphic)
    {
        return None;
    }
    match version {
        b"HTTP/1.1" => Some(true),
        b"HTTP/1.0" => Some(false),
        _ => None,
    }
}

/// A name, a colon at once, and a value without the spaces around it. A line that goes on with another is none.
fn field(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let colon = line.iter().position(|byte| *byte == b':')?;
    let (name, value) = line.split_at_checked(colon)?;
    is_token(name).then(|| (name, value.get(1..).unwrap_or_default().trim_ascii()))
}

/// Digits and nothing else.
fn number(value: &[u8]) -> Option<u64> {
    let digits = value.len() <= 19 && value.iter().all(u8::is_ascii_digit);
    std::str::from_utf8(value).ok().filter(|_| digits)?.parse().ok()
}

/// `token` of RFC 9110 §5.6.2.
fn is_token(bytes: &[u8]) -> bool {
    let symbol = |byte: &u8| b"!#$%&'*+-.^_`|~".contains(byte);
    !bytes.is_empty() && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || symbol(byte))
}

/// The lines between CR LF; no other line end can be here.
fn split_lines(head: &[u8]) -> impl Iterator<Item = &[u8]> {
    head.split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(lines: &str) -> Result<Framing, NotOneReading> {
        framing(format!("{}\r\n\r\n", lines.replace('|', "\r\n")).as_bytes())
    }

    #[test]
    fn one_reading() {
        for (lines, framing) in [
            ("GET / HTTP/1.1|host: a", Framing::Length(0)),
            ("GET / HTTP/1.0|Host:a", Framing::Length(0)),
            ("GET http://a/ HTTP/1.1|HOST:  a\t|x:|y: é", Framing::Length(0)),
            ("POST /a?b HTTP/1.1|host: a|Content-Length: 0017 ", Framing::Length(17)),
            ("POST / HTTP/1.1|host: a|content-length: 9223372036854775807", Framing::Length(u64::MAX >> 1)),
            ("POST / HTTP/1.1|host: a|Transfer-Encoding:\tChunked", Framing::Chunked),
        ] {
            assert_eq!(read(lines), Ok(framing), "{lines}");
        }
    }

    #[test]
    fn two_readings_or_none() {
        for lines in [
            "",
            "|",
            "GET / HTTP/1.1",
            "GET / HTTP/1.1|host:",
            "GET / HTTP/1.1|host: a|host: a",
            "GET / HTTP/1.1|host: a|Host: b",
            "GET  / HTTP/1.1|host: a",
            "GET / HTTP/1.1 |host: a",
            " GET / HTTP/1.1|host: a",
            "GET /a b HTTP/1.1|host: a",
            "GET\t/ HTTP/1.1|host: a",
            "GET /é HTTP/1.1|host: a",
            "GET / HTTP/1.2|host: a",
            "GET / HTTP/2.0|host: a",
            "GET / http/1.1|host: a",
            "GET /|host: a",
            "(GET / HTTP/1.1|host: a",
            "GET / HTTP/1.1|host: a|no colon",
            "GET / HTTP/1.1|host: a|: empty",
            "GET / HTTP/1.1|host : a",
            "GET / HTTP/1.1| host: a",
            "GET / HTTP/1.1|host: a|x: y| folded",
            "GET / HTTP/1.1|host: a|x: y|\tfolded: z",
            "POST / HTTP/1.1|host: a|content-length: 1|content-length: 2",
            "POST / HTTP/1.1|host: a|content-length: 1|content-length: 1",
            "POST / HTTP/1.1|host: a|content-length: 1, 1",
            "POST / HTTP/1.1|host: a|content-length: +1",
            "POST / HTTP/1.1|host: a|content-length: -1",
            "POST / HTTP/1.1|host: a|content-length: 0x1",
            "POST / HTTP/1.1|host: a|content-length: 1 1",
            "POST / HTTP/1.1|host: a|content-length:",
            "POST / HTTP/1.1|host: a|content-length: 18446744073709551616",
            "POST / HTTP/1.1|host: a|content-length: 1|transfer-encoding: chunked",
            "POST / HTTP/1.1|host: a|transfer-encoding: chunked|content-length: 1",
            "POST / HTTP/1.1|host: a|transfer-encoding: xchunked",
            "POST / HTTP/1.1|host: a|transfer-encoding: identity",
            "POST / HTTP/1.1|host: a|transfer-encoding: chunked, identity",
            "POST / HTTP/1.1|host: a|transfer-encoding: gzip, chunked",
            "POST / HTTP/1.1|host: a|transfer-encoding: chunked|transfer-encoding: chunked",
            "POST / HTTP/1.1|host: a|transfer-encoding: \"chunked\"",
            "POST / HTTP/1.1|host: a|transfer-encoding:",
            "POST / HTTP/1.0|host: a|transfer-encoding: chunked",
        ] {
            assert_eq!(read(lines), Err(NotOneReading), "{lines}");
        }
    }
}
