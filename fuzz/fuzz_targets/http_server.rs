//! Any bytes on a connection of the server: no request reaches the service that two could read in two ways, the same
//! requests do however the bytes come, and for whom a proxy connects is what its first line says (wa-http-server).
//!
//! The input is the size of pieces, what the bytes are, and the bytes.
#![no_main]

use std::sync::LazyLock;

use bytes::Bytes;
use http::{Version, header};
use libfuzzer_sys::fuzz_target;
use tokio::runtime::{Builder, Runtime};
use wa_http_server::fuzzing::{Served, proxied, serve};
use wa_http_server::has_one_host;

static RUNTIME: LazyLock<Runtime> =
    LazyLock::new(|| Builder::new_current_thread().enable_time().build().expect("a runtime"));

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

fuzz_target!(|input: (u8, u8, &[u8])| {
    let (step, kind, bytes) = input;
    match kind % 3 {
        0 => RUNTIME.block_on(http1(bytes, usize::from(step) + 1)),
        1 => RUNTIME.block_on(http2(bytes, usize::from(step) + 1)),
        _ => RUNTIME.block_on(proxy(bytes)),
    }
});

async fn http1(bytes: &[u8], step: usize) {
    if bytes.starts_with(PREFACE) {
        return;
    }
    let pieces = serve(Bytes::copy_from_slice(bytes), step).await;
    let whole = serve(Bytes::copy_from_slice(bytes), usize::MAX).await;
    assert_one_reading(&pieces);
    assert_one_reading(&whole);
    // Who is gone may be gone before a request of theirs was taken.
    let (pieces, whole) = (said(&pieces), said(&whole));
    let as_far = pieces.len().min(whole.len());
    assert_eq!(pieces[..as_far], whole[..as_far], "as it came in pieces, and at once");
}

async fn http2(bytes: &[u8], step: usize) {
    let served = serve([PREFACE, bytes].concat().into(), step).await;
    assert_one_reading(&served);
    assert!(served.requests.iter().all(|head| head.version == Version::HTTP_2));
}

fn said(served: &Served) -> Vec<String> {
    let head =
        |it: &http::request::Parts| format!("{} {} {:?} {:?}", it.method, it.uri, it.version, it.headers);
    served.requests.iter().map(head).collect()
}

fn assert_one_reading(served: &Served) {
    for head in &served.requests {
        let codings = head.headers.get_all(header::TRANSFER_ENCODING).iter().collect::<Vec<_>>();
        let plain = codings.iter().all(|coding| coding.as_bytes().eq_ignore_ascii_case(b"chunked"));
        assert!(codings.len() <= 1 && plain, "{head:?}");
        let old = head.version <= Version::HTTP_10 && !head.headers.contains_key(header::HOST);
        assert!(old || has_one_host(head), "{head:?}");
        let lengths = head.headers.get_all(header::CONTENT_LENGTH).iter().collect::<Vec<_>>();
        assert!(lengths.windows(2).all(|two| two[0] == two[1]), "{head:?}");
    }
    assert!(served.bodies.len() <= served.requests.len());
}

async fn proxy(bytes: &[u8]) {
    let proxy = "10.0.0.1:999".parse().expect("an address");
    let Ok((client, left)) = proxied(bytes, proxy).await else { return };
    let header = &bytes[..bytes.len() - left];
    assert!(header.len() <= 16 + 4096, "longer than any header");
    // What follows is not looked at, and nothing less is whole.
    let other = [header, b"GET / HTTP/1.1\r\n"].concat();
    assert_eq!(proxied(&other, proxy).await.ok(), Some((client, 16)));
    assert!(proxied(&header[..header.len() - 1], proxy).await.is_err());
    if let Some(line) = header.strip_prefix(b"PROXY TCP") {
        let line = String::from_utf8_lossy(line);
        let source = client.ip().to_string();
        let said = line.split(' ').nth(1).and_then(|ip| ip.parse::<std::net::IpAddr>().ok());
        assert_eq!(said.map(|ip| ip.to_string()), Some(source), "{line}");
    }
}
