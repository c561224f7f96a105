//! Identity tokens: who gets one, how it is made, and who has got one (overview §1.2.2, §1.3).

mod authenticate;
mod error;
mod issuer;
mod issuing;
mod known_users;

pub(crate) use authenticate::bearer;
pub use authenticate::{Authenticator, Oidc, Principal, SharedSecret, TrustedProxy};
pub use error::{AuthenticationError, TokenError};
pub use issuer::{Token, TokenIssuer};
pub(crate) use issuing::Issuing;
pub(crate) use known_users::KnownUsers;
pub use known_users::UserStore;
