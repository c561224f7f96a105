//! Enlistment: how a third party's user opts in to WhatsApp (overview §1.2; RO 1.0.3).
//!
//! The user's client posts its public keys and the identity token that its own service issued; WhatsApp
//! answers with the login under which the client connects to the chat service. [`EnlistRequest`] and
//! [`EnlistAnswer`] are values, made and read without I/O; [`enlist`] puts an HTTP client between them.
//!
//! ```no_run
//! use wa_enlist::{EnlistAnswer, EnlistError, EnlistRequest, EnlistedPrekey, enlist};
//! use wa_http::{HyperClient, HttpLimits};
//! use wa_keys::{PublicKey, Signature};
//! use wa_profile::Profile;
//!
//! # async fn example(
//! #     auth_key: PublicKey, identity_key: PublicKey, prekey: PublicKey, signature: Signature, token: &str,
//! # ) -> Result<(), EnlistError> {
//! let prekey = EnlistedPrekey::new(1, prekey, signature)?;
//! let request = EnlistRequest::new(auth_key, 12345, identity_key, prekey, token)?;
//! let client = HyperClient::new(HttpLimits::default());
//! match enlist(&client, &request, &Profile::default()).await? {
//!     EnlistAnswer::Login(login) => println!("enlisted as {login}"),
//!     EnlistAnswer::Refused(reason) => println!("refused: {reason}"),
//! }
//! # Ok(())
//! # }
//! ```

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
