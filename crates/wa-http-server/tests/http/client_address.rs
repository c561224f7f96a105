//! Who asks: the socket's other end, or what a configured proxy says, and nobody else.

use std::net::SocketAddr;

use ipnet::IpNet;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpSocket;
use wa_http_server::{ConnectionLimits, ForwardedFor, ProxyProtocol};

use crate::running::{Running, to_end};

const ASK: &str = "GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\nx-forwarded-for: 6.6.6.6, 1.2.3.4\r\nforwarded: for=6.6.6.6\r\nx-real-ip: 6.6.6.6\r\n\r\n";
const PROXY: &str = "PROXY TCP4 192.0.2.7 127.0.0.1 4096 80\r\n";

/// Connects from this address and returns what was answered, and from which port.
async fn ask(server: &Running, from: &str, sent: &str) -> (String, u16) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(SocketAddr::new(from.parse().unwrap(), 0)).unwrap();
    let mut stream = socket.connect(server.address).await.unwrap();
    let _ = stream.write_all(sent.as_bytes()).await;
    let port = stream.local_addr().unwrap().port();
    (String::from_utf8(to_end(&mut stream).await).unwrap(), port)
}

fn networks(texts: &[&str]) -> Vec<IpNet> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

#[tokio::test]
async fn headers_change_nothing_by_default() {
    let (server, _) = Running::echo(ConnectionLimits::default(), |server| server).await;
    let (read, port) = ask(&server, "127.0.0.1", ASK).await;
    assert!(read.contains("\"client\":\"127.0.0.1\""), "{read}");
    assert!(read.contains(&format!("\"peer\":\"127.0.0.1:{port}\"")), "{read}");
    // Nor does a proxy's line: it is no request.
    let (read, _) = ask(&server, "127.0.0.1", &format!("{PROXY}{ASK}")).await;
    assert!(read.starts_with("HTTP/1.1 400 "), "{read}");
}

#[tokio::test]
async fn only_a_trusted_proxy_says_for_whom_it_asks_and_only_its_own_word_counts() {
    let trusted = ForwardedFor::new(&networks(&["127.0.0.2/32"]));
    let (server, _) =
        Running::echo(ConnectionLimits::default(), |server| server.with_forwarded_for(trusted)).await;
    let (read, port) = ask(&server, "127.0.0.2", ASK).await;
    assert!(read.contains("\"client\":\"1.2.3.4\""), "{read}");
    assert!(read.contains(&format!("\"peer\":\"127.0.0.2:{port}\"")), "{read}");
    let (read, _) = ask(&server, "127.0.0.3", ASK).await;
    assert!(read.contains("\"client\":\"127.0.0.3\""), "{read}");
}

#[tokio::test]
async fn behind_the_proxy_protocol_the_proxy_says_who_connects_and_nobody_else_may() {
    let proxies = ProxyProtocol::new(&networks(&["127.0.0.2/32"]));
    let mut limits = ConnectionLimits::default();
    limits.connections_per_address = 1;
    let (server, _) = Running::echo(limits, |server| server.with_proxy_protocol(proxies)).await;
    let (read, _) = ask(&server, "127.0.0.2", &format!("{PROXY}{ASK}")).await;
    assert!(
        read.contains("\"client\":\"192.0.2.7\"") && read.contains("\"peer\":\"192.0.2.7:4096\""),
        "{read}"
    );
    let (from_elsewhere, _) = ask(&server, "127.0.0.1", &format!("{PROXY}{ASK}")).await;
    assert_eq!(from_elsewhere, "");
    let (without, _) = ask(&server, "127.0.0.2", ASK).await;
    assert_eq!(without, "");

    // The limit is for each client, and not for the proxy.
    let mut held = Vec::new();
    for client in ["192.0.2.8", "192.0.2.9"] {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.2:0".parse().unwrap()).unwrap();
        let mut stream = socket.connect(server.address).await.unwrap();
        let line = format!("PROXY TCP4 {client} 127.0.0.1 4096 80\r\nGET / HTTP/1.1\r\nhost: a\r\n\r\n");
        stream.write_all(line.as_bytes()).await.unwrap();
        assert!(crate::running::answer(&mut stream, "}").await.contains(client));
        held.push(stream);
    }
    let (third, _) = ask(&server, "127.0.0.2", &format!("{}{ASK}", PROXY.replace("2.7", "2.8"))).await;
    assert_eq!(third, "");
}

#[tokio::test]
async fn identifiers_of_requests_are_echoed_if_they_are_harmless() {
    let (server, _) = Running::echo(ConnectionLimits::default(), |server| server).await;
    for (given, kept) in [("abc-1.2_3", true), ("a b", false), ("<x>", false), (&"x".repeat(65), false)] {
        let sent = format!("GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\nx-request-id: {given}\r\n\r\n");
        let read = server.raw(sent).await;
        let id = read.lines().find_map(|line| line.strip_prefix("x-request-id: ")).unwrap();
        assert_eq!(id == given, kept, "{given}: {id}");
        assert!(read.contains(&format!("\"id\":\"{id}\"")), "the service sees the same: {read}");
        assert!(kept || id.len() == 16 && id.bytes().all(|byte| byte.is_ascii_hexdigit()), "{id}");
    }
}
