//! Small values that everything else is made of: names, times, files, trust, and what a store refuses.

pub(crate) mod answers;
mod base_url;
mod clock;
pub mod private_file;
mod rate;
mod store_error;
mod trust;
mod user_identifier;

use std::time::{Duration, SystemTime};

pub(crate) use base_url::is_loopback;
pub use base_url::{BaseUrl, BaseUrlError};
pub use clock::{Clock, ClockError};
pub use private_file::PrivateFileError;
pub(crate) use rate::{ForAll, PerName};
pub(crate) use store_error::Failed;
pub use store_error::StoreError;
#[cfg(feature = "postgres")]
pub(crate) use trust::read_authorities;
pub use trust::{ClientTrust, PlainHost};
pub use user_identifier::{UserIdentifier, UserIdentifierError};

/// A time in Unix seconds, for people to read.
#[must_use]
pub fn date(seconds: u64) -> String {
    // The end of time that can be written.
    const LAST: u64 = 253_402_300_799;
    httpdate::fmt_http_date(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds.min(LAST)))
}
