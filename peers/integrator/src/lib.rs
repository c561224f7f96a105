//! The third party's server as benchmarks and other languages' clients meet it.

mod attack;
mod load;
mod pushes;
mod server;

pub use attack::{ATTACKS, Attack};
pub use load::Load;
pub use pushes::{AUDIENCE, Published, Pushes};
pub use server::{KEYS_PATH, USER, credential, issuing};
