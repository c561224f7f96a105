//! HTTP/1.1 as it is on the wire, read strictly before hyper reads it (RFC 9112 §2 to §7, §11.2).
//!
//! hyper is lenient where the RFC lets a server be: it takes a bare LF, two equal lengths, a length beside a transfer
//! coding, no `Host`. A proxy in front may read each of these otherwise, and what it takes for a body would be a
//! request here. So every head and every chunk is read here first. Of a head with two readings hyper gets a NUL in place
//! of the offending byte, which it answers with 400 after whatever came before; a body with two readings ends there.

mod chunks;
mod head;

use tokio::time::Instant;

use self::{
    chunks::Chunks,
    head::{Framing, framing},
};
use super::limits::HEAD_BYTES_MAX;

/// The reading of one connection's requests.
#[derive(Debug)]
pub(super) struct Http1 {
    place: Place,
    head: Vec<u8>,
    head_since: Option<Instant>,
    /// An empty line came before the request.
    empty_line: bool,
}

/// Where in a message the next byte is.
#[derive(Debug)]
enum Place {
    Head,
    Length(u64),
    Chunks(Chunks),
    /// A head that hyper refuses for its length: read no more of it.
    TooLong,
}

/// This byte gives the message a second reading, or none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ambiguous {
    /// Which byte of those that came, from 0.
    pub(super) at: usize,
}

impl Http1 {
    pub(super) const fn new() -> Self {
        Self { place: Place::Head, head: Vec::new(), head_since: None, empty_line: false }
    }

    /// Reads what came.
    pub(super) fn receive(&mut self, bytes: &[u8], now: Instant) -> Result<(), Ambiguous> {
        let mut at = 0;
        while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
            let read = match &mut self.place {
                Place::Head => self.receive_head(rest, now),
                Place::Length(left) => {
                    let taken = usize::try_from(*left).unwrap_or(usize::MAX).min(rest.len());
                    *left -= taken as u64;
                    if *left == 0 {
                        self.place = Place::Head;
                    }
                    Ok(taken)
                }
                Place::Chunks(chunks) => chunks.receive(rest).map(|(taken, ended)| {
                    if ended {
                        self.place = Place::Head;
                    }
                    taken
                }),
                Place::TooLong => Ok(rest.len()),
            };
            at += read.map_err(|ambiguous| Ambiguous { at: at + ambiguous.at })?;
        }
        Ok(())
    }

    /// Since when a head has been begun and is not whole.
    pub(super) const fn head_since(&self) -> Option<Instant> {
        self.head_since
    }

    /// Whether the next byte belongs to a body.
    pub(super) const fn is_in_body(&self) -> bool {
        matches!(self.place, Place::Length(_) | Place::Chunks(_))
    }

    /// Whether the head is longer than hyper takes, so that nothing after it is of interest.
    pub(super) const fn is_too_long(&self) -> bool {
        matches!(self.place, Place::TooLong)
    }

    fn receive_head(&mut self, bytes: &[u8], now: Instant) -> Result<usize, Ambiguous> {
        for (at, byte) in bytes.iter().enumerate() {
            let previous = self.head.last().copied();
            if !may_follow(previous, *byte) {
                return Err(Ambiguous { at });
            }
            self.head.push(*byte);
            self.head_since.get_or_insert(now);
            // An empty line before a request is passed over, once (RFC 9112 §2.2).
            if self.head == b"\r\n" {
                if std::mem::replace(&mut self.empty_line, true) {
                    return Err(Ambiguous { at });
                }
                self.head.clear();
            } else if self.head.ends_with(b"\r\n\r\n") {
                let framing = framing(&self.head).map_err(|head::NotOneReading| Ambiguous { at })?;
                self.head.clear();
                (self.head_since, self.empty_line) = (None, false);
                self.place = match framing {
                    Framing::Length(0) => Place::Head,
                    Framing::Length(length) => Place::Length(length),
                    Framing::Chunked => Place::Chunks(Chunks::default()),
                };
                return Ok(at + 1);
            } else if self.head.len() > HEAD_BYTES_MAX {
                self.head = Vec::new();
                self.place = Place::TooLong;
                return Ok(bytes.len());
            }
        }
        Ok(bytes.len())
    }
}

/// Lines end with CR LF and with nothing less, and hold no control characters but tabs.
const fn may_follow(previous: Option<u8>, byte: u8) -> bool {
    match (previous, byte) {
        (Some(b'\r'), byte) => byte == b'\n',
        (_, b'\n') => false,
        (_, b'\r' | b'\t') => true,
        (_, byte) => byte >= 0x20 && byte != 0x7f,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn receive(sent: &[u8], piece: usize) -> Result<Http1, usize> {
        let mut http1 = Http1::new();
        for (number, bytes) in sent.chunks(piece).enumerate() {
            let received = http1.receive(bytes, Instant::now());
            received.map_err(|Ambiguous { at }| number * piece + at)?;
        }
        Ok(http1)
    }

    #[test]
    fn messages_end_where_they_say() {
        let get = b"GET / HTTP/1.1\r\nhost: a\r\n\r\n";
        let post = b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 4\r\n\r\n\0\n\r\0";
        let chunked =
            b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n2;x=y\r\n\0\n\r\n0\r\nt: u\r\n\r\n";
        let all = [&get[..], post, chunked, b"\r\n", get, post].concat();
        for piece in [1, 2, 3, 7, 1000] {
            let http1 = receive(&all, piece).unwrap();
            assert!(!http1.is_in_body() && http1.head_since().is_none(), "pieces of {piece}");
            let begun = receive(&[&all[..], b"G"].concat(), piece).unwrap();
            assert!(begun.head_since().is_some());
            assert!(receive(&all[..all.len() - 1], piece).unwrap().is_in_body());
        }
    }

    #[test]
    fn the_offending_byte_is_named_however_it_comes() {
        for (sent, at) in [
            (&b"GET / HTTP/1.1\nhost: a\r\n\r\n"[..], 14),
            (b"GET / HTTP/1.1\r\nhost: a\r\nx: \0\r\n\r\n", 28),
            (b"GET / HTTP/1.1\r\nhost: a\rx: y\r\n\r\n", 24),
            (b"GET / HTTP/1.1\r\nhost: a\r\n\n", 25),
            (b"\r\n\r\n", 3),
            // At the end of the head.
            (b"GET / HTTP/1.1\r\n\r\n", 17),
            (b"GET / HTTP/1.1\r\nhost: a\r\n b: c\r\n\r\n", 33),
            (b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n+2\r\n", 56),
            (b"GET / HTTP/1.1\r\nhost: a\r\n\r\nGET /\0", 32),
        ] {
            for piece in [1, 2, 5, 1000] {
                assert_eq!(receive(sent, piece).unwrap_err(), at, "{:?}", String::from_utf8_lossy(sent));
            }
        }
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_read_the_same_however_they_come(
            parts in proptest::collection::vec(0..PARTS.len(), 0..40),
            piece in 1..30_usize,
        ) {
            let sent: Vec<u8> = parts.into_iter().flat_map(|part| PARTS[part].bytes()).collect();
            let (whole, pieces) = (receive(&sent, sent.len().max(1)), receive(&sent, piece));
            let ends = |read: &Result<Http1, usize>| {
                read.as_ref().map(|http1| (http1.is_in_body(), http1.head.clone())).map_err(|at| *at)
            };
            proptest::prop_assert_eq!(ends(&whole), ends(&pieces));
        }
    }

    /// What requests are made of, and what they are not made of.
    const PARTS: &[&str] = &[
        "GET / HTTP/1.1\r\n",
        "POST / HTTP/1.1\r\n",
        "host: a\r\n",
        "content-length: 3\r\n",
        "transfer-encoding: chunked\r\n",
        "\r\n",
        "\r",
        "\n",
        "\0",
        " ",
        ":",
        "0",
        "3",
        "f;x",
        "abc",
        "0\r\n\r\n",
    ];

    #[test]
    fn a_long_head_is_left_to_hyper_and_not_kept() {
        let long = [&b"GET / HTTP/1.1\r\nx: "[..], &[b'x'; HEAD_BYTES_MAX]].concat();
        let http1 = receive(&long, 100).unwrap();
        assert!(http1.is_too_long() && http1.head.capacity() == 0);
    }
}
