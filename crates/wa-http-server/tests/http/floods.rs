//! Floods of HTTP/2 (RFC 9113 §10.5): each ends its connection, costs little memory, and leaves others alone.

use http::{Method, StatusCode};
use wa_http::{HttpClient as _, PlainHttp};
use wa_http_server::ConnectionLimits;

use crate::frames::{
    ACK, CONTINUATION, DATA, END_HEADERS, END_STREAM, ENHANCE_YOUR_CALM, HEADERS, PING, PRIORITY,
    PROTOCOL_ERROR, RST_STREAM, SETTINGS, WINDOW_UPDATE, answered, fields, frame, get, goaways, post,
    statuses, to_goaway,
};
use crate::running::{Running, client, request};

#[tokio::test]
async fn every_flood_is_cut_off_and_leaves_no_memory_behind() {
    let (server, _) = Running::echo(ConnectionLimits::default(), |server| server).await;
    // Whatever is allocated once is allocated now.
    let _ = to_goaway(&server, &frame(PING, 0, 0, &[0; 8]).repeat(30_000)).await;
    let before = resident();
    for (name, flood, code) in floods() {
        let read = to_goaway(&server, &flood).await;
        match goaways(&read).last() {
            // A frame's head that was cut in two by the network leaves no room for a farewell.
            None if code == OURS => {}
            farewell => assert_eq!(farewell, Some(&code), "{name}"),
        }
        let mut served = request(&server, Method::POST, "/");
        *served.body_mut() = bytes::Bytes::from_static(b"x");
        let served = client(PlainHttp::Http2PriorKnowledge).send(served).await.unwrap();
        assert_eq!(served.status(), StatusCode::OK, "after {name}");
    }
    let grown = resident().saturating_sub(before);
    assert!(grown < 24 << 20, "{grown} bytes more");
}

/// What h2 says when we end the connection.
const OURS: u8 = PROTOCOL_ERROR;

/// Each is much more than is needed, but bounded; the code is what the connection ends with.
fn floods() -> Vec<(&'static str, Vec<u8>, u8)> {
    let each = |count: u32, one: &dyn Fn(u32) -> Vec<u8>| -> Vec<u8> {
        (0..count).flat_map(|number| one(2 * number + 1)).collect()
    };
    let open = END_HEADERS;
    let asked = END_HEADERS | END_STREAM;
    let rapid = each(5000, &|stream| {
        [frame(HEADERS, asked, stream, &get("/slow")), frame(RST_STREAM, 0, stream, &[0, 0, 0, 8])].concat()
    });
    // The server is made to reset: a window of nothing, and data after the end.
    let reset_by_window = each(5000, &|stream| {
        [frame(HEADERS, open, stream, &post("/")), frame(WINDOW_UPDATE, 0, stream, &[0; 4])].concat()
    });
    let reset_by_overflow = each(5000, &|stream| {
        [frame(HEADERS, open, stream, &post("/")), frame(WINDOW_UPDATE, 0, stream, &[127, 255, 255, 255])]
            .concat()
    });
    let reset_by_data = each(5000, &|stream| {
        [frame(HEADERS, asked, stream, &get("/slow")), frame(DATA, 0, stream, b"x")].concat()
    });
    let mut endless_head = frame(HEADERS, END_STREAM, 1, &get("/"));
    endless_head.extend(frame(CONTINUATION, 0, 1, &fields(&[("x", "y")])).repeat(20_000));
    let mut empty_continuations = frame(HEADERS, END_STREAM, 1, &get("/"));
    empty_continuations.extend(frame(CONTINUATION, 0, 1, b"").repeat(20_000));
    let mut empty_data = frame(HEADERS, open, 1, &post("/"));
    empty_data.extend(frame(DATA, 0, 1, b"").repeat(20_000));
    let padded = frame(DATA, 8, 1, &[255; 256]);
    let settings = [[0, 1, 0, 0, 16, 0], [0, 4, 0, 0, 255, 255]].concat();
    let mut windows = frame(HEADERS, open, 1, &post("/"));
    windows.extend(frame(WINDOW_UPDATE, 0, 1, &[0, 0, 0, 1]).repeat(20_000));
    let mut padding = frame(HEADERS, open, 1, &post("/"));
    padding.extend(padded.repeat(20_000));
    vec![
        ("rapid reset", rapid, ENHANCE_YOUR_CALM),
        ("made to reset by windows", reset_by_window, PROTOCOL_ERROR),
        ("made to reset by data", reset_by_data, PROTOCOL_ERROR),
        ("made to reset by overflow", reset_by_overflow, ENHANCE_YOUR_CALM),
        ("continuation", endless_head, ENHANCE_YOUR_CALM),
        ("empty continuation", empty_continuations, ENHANCE_YOUR_CALM),
        ("empty data", empty_data, ENHANCE_YOUR_CALM),
        ("ping", frame(PING, 0, 0, &[7; 8]).repeat(20_000), OURS),
        ("ping answers", frame(PING, ACK, 0, &[7; 8]).repeat(20_000), OURS),
        ("settings", frame(SETTINGS, 0, 0, &settings).repeat(20_000), OURS),
        ("priority", frame(PRIORITY, 0, 3, &[0, 0, 0, 0, 1]).repeat(20_000), OURS),
        ("unknown", frame(0xee, 0, 0, b"").repeat(20_000), OURS),
        ("windows", windows, OURS),
    ]
}

/// A few bytes that name one large field thousands of times (HPACK's table: RFC 7541 §7.3).
#[tokio::test]
async fn a_head_that_unpacks_to_megabytes_is_refused_while_it_unpacks() {
    let (server, echo) = Running::echo(ConnectionLimits::default(), |server| server).await;
    let before = most_resident();
    for number in 0..50 {
        // One field of 4 KiB is put into the table, and then named sixteen thousand times.
        let mut block = get("/");
        block.extend([0x40, 1, b'x', 0x7f, 0x81, 0x1e]);
        block.extend([b'y'; 3968]);
        let mut sent = frame(HEADERS, END_STREAM, 1, &block);
        sent.extend(frame(CONTINUATION, END_HEADERS, 1, &[0xbe; 16_000]));
        let read = answered(&server, &sent, 1).await;
        assert!(statuses(&read) == [431] || !goaways(&read).is_empty(), "{number}: {:?}", statuses(&read));
    }
    assert_eq!(echo.seen.load(std::sync::atomic::Ordering::SeqCst), 0);
    let grown = most_resident().saturating_sub(before);
    assert!(grown < 8 << 20, "{grown} bytes more");
}

/// A hundred large answers that nobody takes, on many connections: what is kept is bounded.
#[tokio::test]
async fn answers_that_are_not_taken_are_not_kept_in_memory_twice() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    let (server, echo) = Running::echo(ConnectionLimits::default(), |server| server).await;
    let window = frame(SETTINGS, 0, 0, &[0, 4, 0, 0, 0, 1]);
    let asks: Vec<u8> = (0..100_u32)
        .flat_map(|number| frame(HEADERS, END_HEADERS | END_STREAM, 2 * number + 1, &get("/")))
        .collect();
    let before = resident();
    let mut held = Vec::new();
    for _ in 0..20 {
        let mut stream = server.connect().await;
        stream.write_all(&[crate::frames::PREFACE, &window, &asks].concat()).await.unwrap();
        let mut read = Vec::new();
        while statuses(&read).len() < 100 {
            assert_ne!(stream.read_buf(&mut read).await.unwrap(), 0);
        }
        held.push(stream);
    }
    assert_eq!(echo.seen.load(std::sync::atomic::Ordering::SeqCst), 2000);
    let grown = resident().saturating_sub(before);
    assert!(grown < 48 << 20, "{grown} bytes more for 2000 answers");
}

/// What this process holds in memory, in bytes.
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = status.split(' ').nth(1).and_then(|pages| pages.parse::<usize>().ok()).unwrap_or(0);
    pages * 4096
}

/// The most it has held at any time.
fn most_resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let most = status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB"));
    most.and_then(|kibibytes| kibibytes.trim().parse::<usize>().ok()).unwrap_or(0) * 1024
}
