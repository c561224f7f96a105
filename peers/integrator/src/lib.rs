//! The third party's server as benchmarks and other languages' clients meet it.

mod attack;
mod client;
mod load;
mod pushes;
mod server;
mod succession;

pub use attack::{ATTACKS, Attack};
pub use client::{Client, WHATSAPP};
pub use load::Load;
pub use pushes::{AUDIENCE, Published, Pushes, Slow};
pub use server::{KEYS_PATH, USER, credential, issuing};
pub use succession::{Asked, Succession};
