//! The processor's time, as Linux counts it.

use std::io::{self, ErrorKind};

/// Ticks of a second in `/proc`.
const TICKS: f64 = 100.0;

/// Seconds of processor time that this process has used, its own and the kernel's for it.
///
/// # Errors
/// There is no `/proc`.
pub fn processor_time() -> io::Result<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    // The name, in brackets, may hold anything.
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
    let ticks: Vec<f64> = fields.skip(11).take(2).filter_map(|field| field.parse().ok()).collect();
    if ticks.len() < 2 { Err(ErrorKind::InvalidData.into()) } else { Ok(ticks.iter().sum::<f64>() / TICKS) }
}
