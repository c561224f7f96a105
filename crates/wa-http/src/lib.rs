//! HTTP for the third party's side: one client trait over `http` values and one bounded implementation.
//!
//! Enlistment, key fetching and media are written against [`HttpClient`], which takes a whole
//! `http::Request<Bytes>` and returns a whole `http::Response<Bytes>`; a test or an application with its own
//! HTTP stack implements that one method. `HyperClient`, with the feature `hyper`, is the implementation that opens sockets.
//! Without it neither hyper nor a TLS stack is linked.
//!
//! Media is too large for that: [`StreamingClient`] takes and gives bodies piece by piece.
//!
//! ```no_run
//! # #[cfg(feature = "hyper")] mod it {
//! use bytes::Bytes;
//! use wa_http::{HttpClient, HttpError, HyperClient, HttpLimits};
//!
//! # async fn example() -> Result<(), HttpError> {
//! let client = HyperClient::new(HttpLimits::default());
//! let mut request = http::Request::new(Bytes::new());
//! *request.uri_mut() = http::Uri::from_static("https://whatsapp.com/.well-known/jwks");
//! let response = client.send(request).await?;
//! assert!(response.body().len() <= HttpLimits::default().body_bytes);
//! # Ok(())
//! # }
//! # }
//! ```

#[cfg(feature = "hyper")]
mod addresses;
#[cfg(feature = "hyper")]
mod body;
mod client;
#[cfg(feature = "hyper")]
mod connecting;
mod error;
#[cfg(feature = "hyper")]
mod failures;
#[cfg(feature = "hyper")]
mod hyper;
mod limits;
mod stream;

#[cfg(feature = "hyper")]
pub use addresses::Addresses;
pub use client::HttpClient;
pub use error::{Fault, HttpError, Unresolved};
/// In public signatures, in the version that they mean.
pub use http;
#[cfg(feature = "hyper")]
pub use hyper::{HyperClient, PlainHttp};
pub use limits::HttpLimits;
pub use stream::{BodyStream, StreamingClient};
