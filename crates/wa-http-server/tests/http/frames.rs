//! HTTP/2 frames, written and read by hand (RFC 9113 §4.1, RFC 7541 §6).

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::running::{PATIENCE, Running};

pub(crate) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
pub(crate) const DATA: u8 = 0;
pub(crate) const HEADERS: u8 = 1;
pub(crate) const PRIORITY: u8 = 2;
pub(crate) const RST_STREAM: u8 = 3;
pub(crate) const SETTINGS: u8 = 4;
pub(crate) const PING: u8 = 6;
pub(crate) const GOAWAY: u8 = 7;
pub(crate) const WINDOW_UPDATE: u8 = 8;
pub(crate) const CONTINUATION: u8 = 9;
pub(crate) const ACK: u8 = 1;
pub(crate) const END_STREAM: u8 = 1;
pub(crate) const END_HEADERS: u8 = 4;

pub(crate) const NO_ERROR: u8 = 0;
pub(crate) const PROTOCOL_ERROR: u8 = 1;
pub(crate) const ENHANCE_YOUR_CALM: u8 = 11;

/// A frame as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) kind: u8,
    pub(crate) flags: u8,
    pub(crate) stream: u32,
    pub(crate) payload: Vec<u8>,
}

/// One HTTP/2 frame as bytes.
pub(crate) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let [_, length @ ..] = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// Header fields, each a literal without an index and without Huffman's code.
pub(crate) fn fields(fields: &[(&str, &str)]) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in fields {
        block.push(0);
        for text in [name, value] {
            assert!(text.len() < 127 + 128);
            match u8::try_from(text.len()).unwrap() {
                short @ 0..127 => block.push(short),
                long => block.extend([127, long - 127]),
            }
            block.extend(text.as_bytes());
        }
    }
    block
}

/// A request without a body for this path.
pub(crate) fn get(path: &str) -> Vec<u8> {
    fields(&[(":method", "GET"), (":scheme", "http"), (":path", path), (":authority", "a.example")])
}

/// A request with a body for this path.
pub(crate) fn post(path: &str) -> Vec<u8> {
    fields(&[(":method", "POST"), (":scheme", "http"), (":path", path), (":authority", "a.example")])
}

/// The frames in what was read; what is not whole at the end is left out.
pub(crate) fn frames(mut bytes: &[u8]) -> Vec<Frame> {
    let mut found = Vec::new();
    while let [high, middle, low, kind, flags, a, b, c, d, rest @ ..] = bytes {
        let length = usize::try_from(u32::from_be_bytes([0, *high, *middle, *low])).unwrap();
        let Some((payload, after)) = rest.split_at_checked(length) else { break };
        let stream = u32::from_be_bytes([*a, *b, *c, *d]);
        found.push(Frame { kind: *kind, flags: *flags, stream, payload: payload.to_vec() });
        bytes = after;
    }
    found
}

/// The codes of the GOAWAY frames, each below 256.
pub(crate) fn goaways(read: &[u8]) -> Vec<u8> {
    let farewells = frames(read).into_iter().filter(|frame| frame.kind == GOAWAY);
    farewells.filter_map(|frame| frame.payload.get(7).copied()).collect()
}

/// The codes of the RST_STREAM frames, each below 256.
pub(crate) fn resets(read: &[u8]) -> Vec<u8> {
    let resets = frames(read).into_iter().filter(|frame| frame.kind == RST_STREAM);
    resets.filter_map(|frame| frame.payload.get(3).copied()).collect()
}

/// The `:status` of answers, as far as HPACK's static table has it.
pub(crate) fn statuses(read: &[u8]) -> Vec<u16> {
    let heads = frames(read).into_iter().filter(|frame| frame.kind == HEADERS);
    heads
        .map(|frame| match frame.payload.first() {
            Some(index @ 0x88..=0x8e) => [200, 204, 206, 304, 400, 404, 500][usize::from(index - 0x88)],
            // A literal value of the name at 8.
            Some(0x48) => literal(&frame.payload),
            other => panic!("{other:?}"),
        })
        .collect()
}

/// Three digits, plain or in Huffman's code (RFC 7541, appendix B): five bits below 3, six from there on.
fn literal(payload: &[u8]) -> u16 {
    let text = &payload[2..];
    if payload[1] == 3 {
        return std::str::from_utf8(&text[..3]).unwrap().parse().unwrap();
    }
    let mut bits = u32::from_be_bytes([text[0], text[1], text[2], 0]);
    (0..3).fold(0, |number, _| {
        let (digit, length) = if bits >> 30 == 0 { (bits >> 27, 5) } else { ((bits >> 26) - 0x16, 6) };
        bits <<= length;
        number * 10 + u16::try_from(digit).unwrap()
    })
}

/// Opens HTTP/2, sends these frames and reads until the server closes, or for so long as `wait`.
pub(crate) async fn exchange(server: &Running, sent: &[u8], wait: Duration) -> Vec<u8> {
    let mut stream = server.connect().await;
    stream.write_all(PREFACE).await.unwrap();
    stream.write_all(&frame(SETTINGS, 0, 0, b"")).await.unwrap();
    let mut read = Vec::new();
    // A server that has had enough closes while it is still being written to.
    let both = async {
        let (mut reading, mut writing) = stream.split();
        let (_, _) = tokio::join!(writing.write_all(sent), reading.read_to_end(&mut read));
    };
    let _ = tokio::time::timeout(wait, both).await;
    read
}

/// The same until the server closes, which it must.
pub(crate) async fn to_goaway(server: &Running, sent: &[u8]) -> Vec<u8> {
    let started = tokio::time::Instant::now();
    let read = exchange(server, sent, PATIENCE).await;
    assert!(started.elapsed() < PATIENCE, "still open");
    read
}

/// Opens HTTP/2, sends these frames, and reads until so many requests are answered or reset.
pub(crate) async fn answered(server: &Running, sent: &[u8], count: usize) -> Vec<u8> {
    let mut stream: TcpStream = server.connect().await;
    let opening = [PREFACE, &frame(SETTINGS, 0, 0, b""), sent].concat();
    stream.write_all(&opening).await.unwrap();
    let mut read = Vec::new();
    let reading = async {
        loop {
            let ended = |frame: &Frame| {
                frame.kind == RST_STREAM || frame.kind <= HEADERS && frame.flags & END_STREAM != 0
            };
            if frames(&read).iter().filter(|frame| ended(frame)).count() >= count {
                return;
            }
            if stream.read_buf(&mut read).await.unwrap() == 0 {
                return;
            }
        }
    };
    tokio::time::timeout(PATIENCE, reading).await.unwrap_or_else(|_| panic!("no answer"));
    read
}
