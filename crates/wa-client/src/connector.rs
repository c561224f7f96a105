//! The way to chatd: the one file of the client side that opens sockets.

use std::io;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use wa_profile::Profile;

/// Makes the byte stream to chatd.
pub trait Connector: Send + Sync + 'static {
    /// The byte stream to the chat server.
    type Stream: AsyncRead + AsyncWrite + Send + 'static;

    /// Opens one stream.
    fn connect(&self) -> impl Future<Output = io::Result<Self::Stream>> + Send;
}

/// TCP to one host and port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TcpConnector(String);

impl TcpConnector {
    /// To the profile's chat endpoint.
    pub fn new(profile: &Profile) -> Self {
        Self(format!("{}:{}", profile.chat.host, profile.chat.port))
    }

    /// To another `host:port`, for instance a sandbox's.
    pub fn to(address: impl Into<String>) -> Self {
        Self(address.into())
    }
}

impl Connector for TcpConnector {
    type Stream = TcpStream;

    async fn connect(&self) -> io::Result<TcpStream> {
        let stream = TcpStream::connect(&self.0).await?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }
}
