//! The Noise channel beside wacore-noise's: a channel of ours from end to end, and the reference's two ends.

pub mod channel;
pub mod reference;
