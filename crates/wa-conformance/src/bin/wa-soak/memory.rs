//! What two processes hold, and whether it grows.

use std::fmt;

use wa_conformance::Failure;

/// What may be held more in the last third than in the second: of a hundred, and bytes in any case.
const MORE_OF_HUNDRED: u64 = 3;
const MORE: u64 = 4 << 20;

/// Texts of which the local WhatsApp still knows something. Until a third of the time has seen so many, it fills.
const REMEMBERED: u64 = 20_000;

/// Readings of this process and of the other.
#[derive(Debug)]
pub(crate) struct Memory {
    other: u32,
    ours: Vec<u64>,
    theirs: Vec<u64>,
}

impl Memory {
    pub(crate) fn of(other: u32) -> Self {
        Self { other, ours: Vec::new(), theirs: Vec::new() }
    }

    pub(crate) fn read(&mut self) -> Result<(), Failure> {
        self.ours.push(resident("self")?);
        self.theirs.push(resident(&self.other.to_string())?);
        Ok(())
    }

    /// The last third against the second, by medians: what is made once is made in the first. The servers are judged where
    /// there were texts enough for what they remember to be full by then.
    pub(crate) fn judge(&self, texts: u64) -> Result<(), Failure> {
        let is_full = texts >= 3 * REMEMBERED;
        for (whose, readings, judged) in
            [("the clients", &self.ours, true), ("the servers", &self.theirs, is_full)]
        {
            let third = readings.len() / 3;
            let (earlier, last) = readings.split_at(2 * third);
            let [second, last] = [earlier.get(third..).unwrap_or_default(), last].map(median);
            println!(
                "{whose} held {} MiB in the second third and {} MiB in the last",
                mib(second),
                mib(last)
            );
            if !judged {
                println!("that is not judged: {texts} texts are too few to fill what the servers remember");
            } else if last > second + (second * MORE_OF_HUNDRED / 100).max(MORE) {
                return Err(Failure::new(format!("the memory of {whose} grows")));
            }
        }
        Ok(())
    }
}

impl fmt::Display for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let last = |readings: &[u64]| mib(readings.last().copied().unwrap_or_default());
        write!(f, "clients {} MiB, servers {} MiB", last(&self.ours), last(&self.theirs))
    }
}

fn mib(bytes: u64) -> u64 {
    bytes >> 20
}

fn median(readings: &[u64]) -> u64 {
    let mut sorted = readings.to_vec();
    sorted.sort_unstable();
    sorted.get(sorted.len() / 2).copied().unwrap_or_default()
}

fn resident(process: &str) -> Result<u64, Failure> {
    let pages = std::fs::read_to_string(format!("/proc/{process}/statm"))?;
    let pages: u64 = pages.split(' ').nth(1).ok_or_else(|| Failure::new("statm"))?.parse()?;
    Ok(pages * 4096)
}

/// Bytes that the machine could still give.
pub(crate) fn available() -> Result<u64, Failure> {
    let said = std::fs::read_to_string("/proc/meminfo")?;
    let line = said.lines().find_map(|line| line.strip_prefix("MemAvailable:"));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB")).ok_or_else(|| Failure::new("meminfo"))?;
    Ok(kib.trim().parse::<u64>()? << 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(readings: Vec<u64>) -> bool {
        let flat = vec![0; readings.len()];
        let of =
            |ours: &[u64], theirs: &[u64]| Memory { other: 0, ours: ours.to_vec(), theirs: theirs.to_vec() };
        let filled = of(&flat, &readings).judge(3 * REMEMBERED).is_ok();
        assert!(of(&flat, &readings).judge(3 * REMEMBERED - 1).is_ok(), "servers that still fill");
        assert_eq!(of(&readings, &flat).judge(0).is_ok(), filled);
        filled
    }

    #[test]
    fn what_grows_is_seen_and_what_was_made_once_is_not() {
        let flat = [vec![100 << 20; 10], vec![300 << 20; 20]].concat();
        assert!(judged(flat));
        assert!(!judged((1..=30).map(|number| number * (20 << 20)).collect()));
        assert!(judged((1..=30).map(|number| (300 << 20) + number * 4096).collect()));
    }
}
