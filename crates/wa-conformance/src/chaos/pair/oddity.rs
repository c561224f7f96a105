//! What is odd about a run, by its seed: a client whose clock jumps, an application that sleeps, a phone whose devices come
//! and go, a server that lists devices which do not exist, days without a connection, and a backup that is put back.

use std::time::Duration;

use rand::RngExt;
use serde_json::json;
use wa_interop::chat::Now;

use crate::chaos::pair::backup::Backup;
use crate::chaos::pair::enlisting::token_and_jwks;
use crate::chaos::pair::{Mishap, Pair};
use crate::report::failure::Failure;

/// Steps for which an application that sleeps is awake, and as many for which it is not.
const NAP: usize = 200;

/// How often the client is away; altogether for less than the fortnight for which it keeps what the phone may ask for again.
const MAX_ABSENCES: u32 = 3;

/// What is odd.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Oddity {
    None,
    /// The client's clock is put forward and back, sometimes by years.
    Clock,
    /// The application takes no event for long times.
    Sleeper,
    /// The phone gets and loses devices, some of which are the server's invention and have no keys.
    Devices,
    /// The client is away for days, a few times: lists grow old, prekeys are rotated, rows expire.
    Absence,
    /// A copy of the store is made, and put back later, once.
    Restore,
}

impl Oddity {
    pub(super) fn of(seed: u64) -> Self {
        let all = [Self::None, Self::Clock, Self::Sleeper, Self::Devices, Self::Absence, Self::Restore];
        usize::try_from(seed / 16 % 6).ok().and_then(|n| all.get(n).copied()).unwrap_or(Self::None)
    }
}

impl Pair {
    /// The time by the client's clock.
    pub(super) fn client_now(&self) -> Now {
        Now { unix: self.now.unix.saturating_add_signed(self.skew), ..self.now }
    }

    pub(super) fn is_asleep(&self) -> bool {
        self.oddity == Oddity::Sleeper && !self.ledger.at_rest && self.steps / NAP % 2 == 1
    }

    /// Something odd happens.
    pub(super) fn oddity(&mut self) -> Result<(), Failure> {
        match self.oddity {
            Oddity::Clock => {
                const DAY: i64 = 24 * 60 * 60;
                let jumps = [0, 0, 60, -60, 3600, -3600, DAY / 2, -DAY / 2, 20 * DAY, -10 * DAY, 400 * DAY];
                self.skew = jumps.get(self.dice.random_range(0..jumps.len())).copied().unwrap_or(0);
                self.wait(Duration::ZERO);
            }
            Oddity::Devices => {
                let (id, kind) = (self.dice.random_range(1..4u16), self.dice.random_range(0..4u8));
                let change = match kind {
                    0 | 1 => json!({ "id": id }),
                    2 => json!({ "id": id, "keys": false }),
                    _ => json!({ "id": id, "gone": true }),
                };
                self.phone_does("devices", &change)?;
                self.take_outputs();
            }
            Oddity::Absence if self.absences < MAX_ABSENCES => {
                self.absences += 1;
                self.cut();
                let days = self.dice.random_range(1..5);
                self.wait(Duration::from_secs(days * 24 * 60 * 60));
                self.token = token_and_jwks(self.now.unix, &mut self.rng)?.0;
            }
            Oddity::Restore if self.mishap == Mishap::None && self.ledger.written.len() > 1 => {
                match std::mem::take(&mut self.backup) {
                    Backup::None => self.back_up()?,
                    Backup::Made(copy) => self.put_back(&copy)?,
                    Backup::PutBack => self.backup = Backup::PutBack,
                }
            }
            Oddity::None | Oddity::Sleeper | Oddity::Absence | Oddity::Restore => {}
        }
        Ok(())
    }
}
