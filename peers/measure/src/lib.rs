//! Measuring two implementations side by side: interleaved medians, counted allocations, printed rows.
//!
//! A benchmark registers [`Counting`] as its global allocator, fills a [`Report`] and prints it.

mod allocations;
mod clock;
mod held;
mod prepared;
mod process;
mod report;

pub use allocations::{Counting, allocations};
pub use clock::{interleaved, median};
pub use held::{Holding, held};
pub use prepared::{Prepared, interleaved_prepared};
pub use process::{processor_time, resident};
pub use report::{Report, Row, Unit};
