//! The first bytes of a connection: HTTP/2's preface or not (RFC 9113 §3.4), within a time.
//!
//! hyper's own detection waits without end for a peer that sends nothing, or half a preface. The bytes read here
//! are given back in front of the rest.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf};

/// A stream whose first bytes were read and are read again.
#[derive(Debug)]
pub(crate) struct Prefaced<S> {
    stream: S,
    first: [u8; PREFACE.len()],
    read_again: usize,
    read: usize,
    is_http2: bool,
}

impl<S: AsyncRead + Unpin> Prefaced<S> {
    /// Reads until the bytes are HTTP/2's preface, or cannot become it, all within `limit`.
    pub(crate) async fn read(mut stream: S, limit: Duration) -> io::Result<Self> {
        let mut first = [0; PREFACE.len()];
        let detecting = async {
            let mut read = 0;
            while let Some(rest) = first.get_mut(read..).filter(|rest| !rest.is_empty()) {
                match stream.read(rest).await? {
                    0 => return Err(io::Error::from(io::ErrorKind::UnexpectedEof)),
                    more => read += more,
                }
                if first.get(..read) != PREFACE.get(..read) {
                    return Ok((read, false));
                }
            }
            Ok((read, true))
        };
        let detected = tokio::time::timeout(limit, detecting).await;
        let (read, is_http2) = detected.map_err(|_| io::ErrorKind::TimedOut)??;
        Ok(Self { stream, first, read_again: 0, read, is_http2 })
    }

    /// Whether it begins with HTTP/2's preface.
    pub(crate) const fn is_http2(&self) -> bool {
        self.is_http2
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Prefaced<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        match this.first.get(this.read_again..this.read) {
            Some(again) if !again.is_empty() => {
                let fitting = again.len().min(buffer.remaining());
                buffer.put_slice(again.get(..fitting).unwrap_or_default());
                this.read_again += fitting;
                Poll::Ready(Ok(()))
            }
            _ => Pin::new(&mut this.stream).poll_read(context, buffer),
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Prefaced<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, buffer)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, pieces)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt as _;

    use super::*;

    const LIMIT: Duration = Duration::from_millis(20);

    #[tokio::test]
    async fn every_byte_is_read_again() {
        for sent in [&b"GET / HTTP/1.1\r\n\r\n"[..], b"P", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nframes", b"PRI!"]
        {
            for piece in [1, 5, 64] {
                let (mut peer, stream) = tokio::io::duplex(piece);
                let sent = sent.to_vec();
                let whole = [&sent[..], b"POST"].concat();
                tokio::spawn(async move { peer.write_all(&whole).await });
                let mut prefaced = Prefaced::read(stream, LIMIT).await.unwrap();
                let mut read = vec![0; sent.len() + 4];
                prefaced.read_exact(&mut read).await.unwrap();
                assert_eq!(read, [&sent[..], b"POST"].concat(), "in pieces of {piece}");
                assert_eq!(prefaced.is_http2(), sent.starts_with(PREFACE));
            }
        }
    }

    #[tokio::test]
    async fn silence_and_half_a_preface_time_out() {
        for sent in [&b""[..], b"P", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r"] {
            let (mut peer, stream) = tokio::io::duplex(64);
            peer.write_all(sent).await.unwrap();
            let error = Prefaced::read(stream, LIMIT).await.unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        }
    }

    #[tokio::test]
    async fn an_end_before_the_first_request_is_an_end() {
        let (peer, stream) = tokio::io::duplex(64);
        drop(peer);
        let error = Prefaced::read(stream, LIMIT).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    }
}
