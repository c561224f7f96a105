//! The server at work: put together, listening, and ending (overview §1.3).

mod assembly;
mod clients;
mod engines;
mod listening;
mod serving;
mod signals;
mod supervised;

pub use assembly::Assembly;
pub(crate) use clients::{backend, key_client};
pub(crate) use engines::{check, media_host, store, stored_media};
pub(crate) use serving::serve;
