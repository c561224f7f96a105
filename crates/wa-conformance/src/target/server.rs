//! A third party's server as the suite drives it: anybody's.
//!
//! What WhatsApp asks of it goes over HTTP as the documents say. What only the service itself can do, issue a token for
//! one of its users, host a file of theirs, say whom it woke, goes through this trait.

use std::fmt;

use async_trait::async_trait;

use crate::report::failure::Failure;

mod foreign;
mod issuer;
mod own;

pub use self::foreign::ForeignServer;
pub(crate) use self::foreign::Way;
pub(crate) use self::issuer::Issuer;
pub(crate) use self::own::{OwnServer, Start};

/// Something that a service may be able to do for the suite beside issuing tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Facility {
    /// Hosting a file.
    Upload,
    /// Saying how often a user was woken.
    Woken,
    /// Being asked for a token by nobody.
    Anonymous,
}

/// A third party's server.
#[async_trait]
pub(crate) trait Server: fmt::Debug + Send + Sync {
    /// Its base URL, without a slash at the end: the `iss` of its tokens.
    fn base_url(&self) -> &str;

    /// Whether it can do this for the suite.
    fn has(&self, facility: Facility) -> bool;

    /// A fresh token for a user, as the user's own client would get it.
    async fn token(&self, user: &str) -> Result<String, Failure>;

    /// Hosts a file of a user's; gives the reference under which it is served.
    async fn upload(&self, user: &str, file: &[u8]) -> Result<String, Failure>;

    /// How often it has woken this user so far.
    async fn woken(&self, user: &str) -> Result<u64, Failure>;

    /// Asks for a token without saying who asks; whether it was refused.
    async fn refuses_anonymous(&self, user: &str) -> Result<bool, Failure>;
}

impl fmt::Display for Facility {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Upload => "upload",
            Self::Woken => "woken",
            Self::Anonymous => "anonymous",
        })
    }
}
