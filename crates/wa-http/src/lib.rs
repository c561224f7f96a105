#![doc = include_str!("../README.md")]

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
