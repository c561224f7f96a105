//! A process as Linux's `/proc` shows it; it is named by its id, or `self`.

use std::fmt::Display;
use std::io::{self, ErrorKind};

/// Ticks of a second in `/proc`.
const TICKS: f64 = 100.0;

/// Seconds of processor time that a process has used, its own and the kernel's for it.
///
/// # Errors
/// There is no `/proc`, or no such process.
pub fn processor_time(process: impl Display) -> io::Result<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat"))?;
    // The name, in brackets, may hold anything.
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
    let ticks: Vec<f64> = fields.skip(11).take(2).filter_map(|field| field.parse().ok()).collect();
    if ticks.len() < 2 { Err(ErrorKind::InvalidData.into()) } else { Ok(ticks.iter().sum::<f64>() / TICKS) }
}

/// Resident bytes of a process.
///
/// # Errors
/// There is no `/proc`, or no such process.
pub fn resident(process: impl Display) -> io::Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kibibytes = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kibibytes.map(|kibibytes| kibibytes * 1024).ok_or_else(|| ErrorKind::InvalidData.into())
}
