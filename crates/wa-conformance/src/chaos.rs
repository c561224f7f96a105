//! What goes beyond single checks: a client and a sandbox over a link that misbehaves, for long, through deaths and drains,
//! and stores that earlier versions wrote.

pub(crate) mod drain;
#[cfg(test)]
pub(crate) mod driven;
pub(crate) mod endurance;
pub(crate) mod fixture;
pub(crate) mod pair;
pub(crate) mod turns;
