//! What happens in a conversation, drawn from a seed: the same whatever code speaks.

use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};

/// Who writes to whom, and what becomes of it on the way.
pub struct Schedule {
    /// The two registration ids.
    pub registration_ids: [u32; 2],
    /// What happens, in order.
    pub steps: Vec<Step>,
}

/// Something that happens. `who` and `to` are 0 or 1; a `pick` is taken modulo what there is to pick from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// `who` fetches a bundle of the other and begins a session.
    Establish {
        /// The end that begins.
        who: usize,
        /// The other's signed prekey.
        signed_id: u32,
        /// A one-time prekey, unless there is none left.
        one_time_id: Option<u32>,
    },
    /// `who` writes.
    Send {
        /// The end that writes.
        who: usize,
        /// Bytes of the plaintext.
        length: usize,
    },
    /// A message under way arrives; pick 0 is the oldest.
    Deliver {
        /// The end that receives.
        to: usize,
        /// The number of the message among those that wait.
        pick: usize,
    },
    /// A message that has arrived arrives again.
    Repeat {
        /// The end that receives.
        to: usize,
        /// The number of the message among those that have arrived.
        pick: usize,
    },
    /// A copy of a message under way arrives with one bit changed; the message itself stays under way.
    Corrupt {
        /// The end that receives.
        to: usize,
        /// The number of the message among those that wait.
        pick: usize,
        /// Which bit, modulo the bits of the message.
        bit: usize,
    },
    /// A message under way is lost.
    Lose {
        /// Where it does not arrive.
        to: usize,
        /// The number of the message among those that wait.
        pick: usize,
    },
    /// All that is under way arrives, newest first if so drawn.
    Drain {
        /// The end that receives.
        to: usize,
        /// Whether the newest message comes first.
        reversed: bool,
    },
}

impl Schedule {
    /// The conversation of that seed.
    pub fn new(seed: u64) -> Self {
        let mut rng = StdRng::seed_from_u64(seed);
        let registration_ids = [registration_id(&mut rng), registration_id(&mut rng)];
        let temper = *TEMPERS.choose(&mut rng).unwrap_or(&TEMPERS[0]);
        let mut draw = Draw { rng, temper, next_prekey: 1, signed_id: 1 };
        let mut steps = draw.beginning();
        let length = draw.rng.random_range(15..60);
        steps.extend((0..length).map(|_| draw.step()));
        steps.extend(draw.end());
        Self { registration_ids, steps }
    }
}

/// How likely each step is, in the order of [`Draw::step`].
#[derive(Clone, Copy)]
struct Temper {
    weights: [u32; 6],
    /// In this many of ten deliveries, not the oldest message arrives.
    disorder: u32,
}

/// A quiet conversation, a lossy one, a hostile one, one of many turns, one of ever new sessions.
const TEMPERS: [Temper; 5] = [
    Temper { weights: [1, 40, 50, 3, 3, 3], disorder: 1 },
    Temper { weights: [3, 40, 30, 5, 5, 17], disorder: 5 },
    Temper { weights: [3, 35, 25, 12, 20, 5], disorder: 5 },
    Temper { weights: [1, 45, 45, 5, 2, 2], disorder: 3 },
    Temper { weights: [30, 30, 25, 5, 5, 5], disorder: 5 },
];

struct Draw {
    rng: StdRng,
    temper: Temper,
    next_prekey: u32,
    signed_id: u32,
}

impl Draw {
    /// One side begins, or both at once.
    fn beginning(&mut self) -> Vec<Step> {
        let first = self.side();
        let mut steps = vec![self.establish(first), self.send(first)];
        if self.rng.random_ratio(1, 3) {
            steps.extend([self.establish(1 - first), self.send(1 - first)]);
        }
        steps
    }

    fn step(&mut self) -> Step {
        let total: u32 = self.temper.weights.iter().sum();
        let mut left = self.rng.random_range(0..total);
        let chosen = self.temper.weights.iter().position(|weight| {
            let is_chosen = left < *weight;
            left = left.saturating_sub(*weight);
            is_chosen
        });
        let (who, any) = (self.side(), self.rng.random_range(0..1_000));
        match chosen {
            Some(0) => self.establish(who),
            Some(1) => self.send(who),
            Some(2) if self.rng.random_ratio(self.temper.disorder, 10) => {
                Step::Deliver { to: who, pick: any }
            }
            Some(2) => Step::Deliver { to: who, pick: 0 },
            Some(3) => Step::Repeat { to: who, pick: any },
            Some(4) => Step::Corrupt { to: who, pick: any, bit: self.rng.random_range(0..1 << 20) },
            _ => Step::Lose { to: who, pick: any },
        }
    }

    /// What is under way arrives, then both write in turn until they must have found together.
    fn end(&mut self) -> Vec<Step> {
        let mut steps: Vec<Step> = [0, 1].map(|to| Step::Drain { to, reversed: self.rng.random() }).into();
        for turn in 0..6 {
            let who = turn % 2;
            steps.extend([self.send(who), Step::Drain { to: 1 - who, reversed: false }]);
        }
        steps
    }

    fn establish(&mut self, who: usize) -> Step {
        if self.rng.random_ratio(1, 8) {
            self.signed_id += 1;
        }
        let one_time_id = self.rng.random_ratio(3, 4).then(|| {
            self.next_prekey += 1;
            self.next_prekey
        });
        Step::Establish { who, signed_id: self.signed_id, one_time_id }
    }

    fn send(&mut self, who: usize) -> Step {
        Step::Send { who, length: self.rng.random_range(0..100) }
    }

    fn side(&mut self) -> usize {
        self.rng.random_range(0..2)
    }
}

fn registration_id(rng: &mut StdRng) -> u32 {
    // Fourteen bits are usual; any 32 are valid.
    if rng.random_ratio(1, 8) { rng.random() } else { rng.random_range(1..=16_380) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_is_a_conversation() {
        assert_eq!(Schedule::new(7).steps, Schedule::new(7).steps);
        assert_ne!(Schedule::new(7).steps, Schedule::new(8).steps);
    }

    #[test]
    fn the_seeds_cover_every_step_and_many_sessions() {
        let steps: Vec<Vec<Step>> = (0..200).map(|seed| Schedule::new(seed).steps).collect();
        let all = || steps.iter().flatten();
        assert!(all().any(|step| matches!(step, Step::Establish { one_time_id: None, .. })));
        assert!(all().any(|step| matches!(step, Step::Repeat { .. })));
        assert!(all().any(|step| matches!(step, Step::Corrupt { .. })));
        assert!(all().any(|step| matches!(step, Step::Lose { .. })));
        let sessions =
            |steps: &Vec<Step>| steps.iter().filter(|step| matches!(step, Step::Establish { .. })).count();
        assert!(steps.iter().any(|steps| sessions(steps) > 10));
    }
}
