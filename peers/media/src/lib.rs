//! Hosting and a plain copy of a file, each a server on a loopback port and the same client before it.

pub mod hosting;
pub mod large;
