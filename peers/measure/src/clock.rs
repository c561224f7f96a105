//! Time, as medians of interleaved runs.

use std::hint::black_box;
use std::time::{Duration, Instant};

/// Median nanoseconds of one call of `ours` and one of `reference`.
///
/// Batches of both alternate, and so does which goes first: whatever slows the machine down slows both. Each
/// returns a sum of what it has read, so that nothing can be left out.
pub fn interleaved(mut ours: impl FnMut() -> u64, mut reference: impl FnMut() -> u64) -> (f64, f64) {
    let calls = [calls_in_batch(&mut ours), calls_in_batch(&mut reference)];
    let mut times = [Vec::with_capacity(ROUNDS), Vec::with_capacity(ROUNDS)];
    for round in 0..ROUNDS {
        for turn in 0..2 {
            let side = (round + turn) % 2;
            let time = match side {
                0 => batch(&mut ours, calls[0]),
                _ => batch(&mut reference, calls[1]),
            };
            times[side].push(time.as_nanos() as f64 / f64::from(calls[side]));
        }
    }
    let [ours, reference] = times.map(median);
    (ours, reference)
}

pub(crate) const ROUNDS: usize = 1001;
pub(crate) const BATCH: Duration = Duration::from_micros(250);

fn calls_in_batch(work: &mut impl FnMut() -> u64) -> u32 {
    let mut calls = 1;
    while batch(work, calls) < BATCH {
        calls *= 2;
    }
    calls
}

fn batch(work: &mut impl FnMut() -> u64, calls: u32) -> Duration {
    let start = Instant::now();
    for _ in 0..calls {
        black_box(work());
    }
    start.elapsed()
}

/// The middle of some figures, or the greater of the two in the middle.
///
/// # Panics
/// If there is no figure.
pub fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle() {
        assert_eq!(median(vec![9.0, 1.0, 5.0]), 5.0);
    }

    #[test]
    fn more_work_takes_longer() {
        let work = |n: u64| move || (0..black_box(n)).fold(0, |sum: u64, i| black_box(sum.wrapping_add(i)));
        let (less, more) = interleaved(work(100), work(10_000));
        assert!(more > less * 10.0, "{less} {more}");
    }
}
