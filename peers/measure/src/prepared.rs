//! Time of work that uses its input up, as medians of interleaved runs.

use std::hint::black_box;
use std::time::{Duration, Instant};

use crate::clock::{BATCH, ROUNDS, median};

/// One side of a comparison whose every call needs an input of its own.
pub struct Prepared<M, W> {
    /// Makes the next input; not measured.
    pub make: M,
    /// What is measured. The input is dropped after the clock has stopped.
    pub work: W,
}

/// Median nanoseconds of one call of `ours` and one of `reference`, each on inputs that are made before the clock
/// starts and in the order in which they are used.
pub fn interleaved_prepared<A, B>(
    mut ours: Prepared<impl FnMut() -> A, impl FnMut(&mut A) -> u64>,
    mut reference: Prepared<impl FnMut() -> B, impl FnMut(&mut B) -> u64>,
) -> (f64, f64) {
    let calls = [ours.calls_in_batch(), reference.calls_in_batch()];
    let mut times = [Vec::with_capacity(ROUNDS), Vec::with_capacity(ROUNDS)];
    for round in 0..ROUNDS {
        for turn in 0..2 {
            let side = (round + turn) % 2;
            let time = match side {
                0 => ours.batch(calls[0]),
                _ => reference.batch(calls[1]),
            };
            times[side].push(time.as_nanos() as f64 / f64::from(calls[side]));
        }
    }
    let [ours, reference] = times.map(median);
    (ours, reference)
}

/// So that the inputs of a batch stay in the processor's nearer memory.
const MOST_CALLS: u32 = 512;

impl<T, M: FnMut() -> T, W: FnMut(&mut T) -> u64> Prepared<M, W> {
    fn calls_in_batch(&mut self) -> u32 {
        let mut calls = 1;
        while calls < MOST_CALLS && self.batch(calls) < BATCH {
            calls *= 2;
        }
        calls
    }

    fn batch(&mut self, calls: u32) -> Duration {
        let mut inputs: Vec<T> = (0..calls).map(|_| (self.make)()).collect();
        let start = Instant::now();
        for input in &mut inputs {
            black_box((self.work)(black_box(input)));
        }
        start.elapsed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_call_has_its_own_input_in_order() {
        let side = || {
            let (mut made, mut used) = (0, 0);
            Prepared {
                make: move || {
                    made += 1;
                    made
                },
                work: move |input: &mut u64| {
                    used += 1;
                    assert_eq!(*input, used);
                    used
                },
            }
        };
        let (ours, reference) = interleaved_prepared(side(), side());
        assert!(ours > 0.0 && reference > 0.0, "{ours} {reference}");
    }
}
