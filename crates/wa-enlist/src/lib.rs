#![doc = include_str!("../README.md")]

mod answer;
mod client;
mod error;
mod form;
mod request;
mod signed_prekey;

pub use answer::{EnlistAnswer, Reason};
pub use client::enlist;
pub use error::{AnswerError, EnlistError};
/// In public signatures, in the version that they mean.
pub use http;
pub use request::EnlistRequest;
pub use signed_prekey::EnlistedPrekey;
