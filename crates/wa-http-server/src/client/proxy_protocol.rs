//! The PROXY protocol, versions 1 and 2 (HAProxy's specification, sections 2.1 and 2.2): for whom a proxy connects.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use ipnet::IpNet;
use proxy_header::{ParseConfig, Protocol, ProxyHeader};
use tokio::io::{AsyncRead, AsyncReadExt as _};

use crate::client::is_among;

/// The proxies that say for whom they connect. They must, and nobody else may connect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProxyProtocol {
    proxies: Arc<[IpNet]>,
}

impl ProxyProtocol {
    /// Believes these proxies.
    #[must_use]
    pub fn new(proxies: &[IpNet]) -> Self {
        Self { proxies: proxies.into() }
    }

    /// Reads exactly the header, and says whose connection it is: what the proxy says, or the proxy's own.
    pub(crate) async fn read<R: AsyncRead + Unpin>(
        &self,
        stream: &mut R,
        peer: SocketAddr,
    ) -> io::Result<SocketAddr> {
        if !is_among(&self.proxies, peer.ip()) {
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        let malformed = || io::Error::from(io::ErrorKind::InvalidData);
        let header = read_header(stream).await?;
        let (parsed, length) =
            ProxyHeader::parse(&header, ParseConfig::default()).map_err(|_| malformed())?;
        if length != header.len() {
            return Err(malformed());
        }
        match parsed.proxied_address() {
            Some(said) if said.protocol == Protocol::Stream => Ok(said.source),
            Some(_) => Err(malformed()),
            // The proxy's own health check, or a family that has no addresses.
            None => Ok(peer),
        }
    }
}

/// Version 2 says its length; version 1 ends with its line. The shortest of either is longer than the signature.
async fn read_header<R: AsyncRead + Unpin>(stream: &mut R) -> io::Result<Vec<u8>> {
    let mut header = vec![0; SIGNATURE.len()];
    stream.read_exact(&mut header).await?;
    if header == SIGNATURE {
        let mut rest = [0; 4];
        stream.read_exact(&mut rest).await?;
        let [_, _, high, low] = rest;
        let length = usize::from(u16::from_be_bytes([high, low]));
        if length > ADDRESSES_BYTES_MAX {
            return Err(io::ErrorKind::InvalidData.into());
        }
        header.extend(rest);
        let before = header.len();
        header.resize(before + length, 0);
        stream.read_exact(header.get_mut(before..).unwrap_or_default()).await?;
        return Ok(header);
    }
    if !header.starts_with(b"PROXY ") {
        return Err(io::ErrorKind::InvalidData.into());
    }
    while !header.ends_with(b"\r\n") {
        if header.len() >= LINE_BYTES_MAX {
            return Err(io::ErrorKind::InvalidData.into());
        }
        header.push(stream.read_u8().await?);
    }
    Ok(header)
}

const SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";
/// The longest line of version 1, with its end.
const LINE_BYTES_MAX: usize = 107;
/// Addresses and whatever a proxy adds to them.
const ADDRESSES_BYTES_MAX: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    const PROXY: &str = "10.0.0.1:999";

    async fn read(peer: &str, sent: &[u8]) -> Result<String, io::ErrorKind> {
        let proxies = ["10.0.0.0/24".parse().unwrap()];
        let mut stream = sent;
        let client = ProxyProtocol::new(&proxies).read(&mut stream, peer.parse().unwrap()).await;
        assert!(client.is_err() || stream == b"GET", "what follows is left");
        client.map(|client| client.to_string()).map_err(|error| error.kind())
    }

    fn v2(command: u8, family: u8, addresses: &[u8]) -> Vec<u8> {
        let length = u16::try_from(addresses.len()).unwrap().to_be_bytes();
        [&SIGNATURE[..], &[command, family], &length, addresses, b"GET"].concat()
    }

    #[tokio::test]
    async fn both_versions_name_the_client() {
        let v4 = b"\x01\x02\x03\x04\x0a\0\0\x02\x10\x00\x00\x50";
        let with_extra = [&v4[..], b"\x04\0\x02ab"].concat();
        for (sent, client) in [
            (b"PROXY TCP4 1.2.3.4 10.0.0.2 4096 80\r\nGET".to_vec(), "1.2.3.4:4096"),
            (b"PROXY TCP6 2001:db8::1 ::1 5 80\r\nGET".to_vec(), "[2001:db8::1]:5"),
            (b"PROXY UNKNOWN\r\nGET".to_vec(), PROXY),
            (v2(0x21, 0x11, v4), "1.2.3.4:4096"),
            (v2(0x21, 0x11, &with_extra), "1.2.3.4:4096"),
            (v2(0x20, 0x00, b""), PROXY),
        ] {
            assert_eq!(read(PROXY, &sent).await.as_deref(), Ok(client), "{}", String::from_utf8_lossy(&sent));
        }
    }

    #[tokio::test]
    async fn nobody_else_is_believed_and_nothing_malformed() {
        let good = b"PROXY TCP4 1.2.3.4 10.0.0.2 4096 80\r\nGET";
        for peer in ["10.0.1.1:1", "127.0.0.1:1", "[::1]:1"] {
            assert_eq!(read(peer, good).await, Err(io::ErrorKind::PermissionDenied), "{peer}");
        }
        let long = [&b"PROXY TCP4 1.2.3.4 "[..], &[b'1'; 200], b"\r\nGET"].concat();
        for sent in [
            b"GET / HTTP/1.1\r\nhost: a\r\n\r\n".to_vec(),
            b"PROXY TCP4 1.2.3.4\r\n     ".to_vec(),
            b"PROXY TCP4 1.2.3.4.5 10.0.0.2 1 80\r\nGET".to_vec(),
            b"PROXY TCP5 1.2.3.4 10.0.0.2 1 80\r\nGET".to_vec(),
            long,
            v2(0x11, 0x11, &[0; 12]),
            v2(0x21, 0x11, &[0; 3]),
            v2(0x21, 0x12, b"\x01\x02\x03\x04\x0a\0\0\x02\x10\x00\x00\x50"),
            v2(0x21, 0x11, &[0; 5000]),
        ] {
            let read = read(PROXY, &sent).await;
            assert_eq!(read, Err(io::ErrorKind::InvalidData), "{}", String::from_utf8_lossy(&sent));
        }
        assert_eq!(read(PROXY, b"PROXY TCP4 1.2").await, Err(io::ErrorKind::UnexpectedEof));
    }
}
