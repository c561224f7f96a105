//! What operators ask: readiness, metrics, what was built.

mod admin;
mod dependency;
mod metrics;
mod readiness;

pub use admin::Admin;
pub use dependency::{Dependencies, StoreWatch};
pub use metrics::{Measure, ServerMetrics, describe_metrics};
pub use readiness::Readiness;
