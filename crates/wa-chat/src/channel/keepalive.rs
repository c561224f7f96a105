//! Keepalive: a ping when the line is quiet, and an end when nobody answers (observed).

use std::time::Duration;

use rand_core::Rng;
use wa_profile::Ping;
use wa_stanza::{Iq, IqKind};

use crate::{DisconnectReason, Now};

/// How long handshake and login may take.
const HANDSHAKE: Duration = Duration::from_secs(20);

/// How long an answer to a ping may take.
const ANSWER: Duration = Duration::from_secs(10);

/// The channel's one timer.
#[derive(Debug)]
pub(crate) struct Keepalive {
    state: State,
    pings: u64,
}

#[derive(Debug)]
enum State {
    Handshake { until: Duration },
    Quiet { ping_at: Duration },
    Asked { until: Duration },
}

impl Keepalive {
    pub(crate) fn handshake(now: Now) -> Self {
        Self { state: State::Handshake { until: now.tick + HANDSHAKE }, pings: 0 }
    }

    pub(crate) fn due(&self) -> Duration {
        match self.state {
            State::Handshake { until } | State::Asked { until } => until,
            State::Quiet { ping_at } => ping_at,
        }
    }

    /// The server has spoken: the next ping is a random interval away.
    pub(crate) fn heard(&mut self, now: Now, rules: &Ping, rng: &mut impl Rng) {
        let (least, most) = (*rules.interval.start(), *rules.interval.end());
        let span = u64::try_from(most.saturating_sub(least).as_millis()).unwrap_or(u64::MAX);
        let jitter = Duration::from_millis(rng.next_u64() % span.saturating_add(1));
        self.state = State::Quiet { ping_at: now.tick.saturating_add(least).saturating_add(jitter) };
    }

    /// A ping to send, or the end of a channel on which nobody answers.
    pub(crate) fn handle_timeout(&mut self, now: Now, rules: &Ping) -> Result<Option<Iq>, DisconnectReason> {
        if now.tick < self.due() {
            return Ok(None);
        }
        match self.state {
            State::Handshake { .. } | State::Asked { .. } => Err(DisconnectReason::TimedOut),
            State::Quiet { .. } => {
                self.state = State::Asked { until: now.tick + ANSWER };
                self.pings += 1;
                Ok(Some(Iq::get(format!("ping-{}", self.pings), &*rules.client_xmlns)))
            }
        }
    }

    /// Whether an iq answers one of our pings.
    pub(crate) fn is_answer(&self, iq: &Iq) -> bool {
        let id = iq.id.as_deref().unwrap_or_default();
        matches!(iq.kind, IqKind::Result | IqKind::Error(_)) && id.starts_with("ping-")
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand::rngs::StdRng;
    use wa_profile::Profile;

    use super::*;

    #[test]
    fn a_pause_may_be_of_any_length() {
        let now = Now { unix: 1_800_000_000, tick: Duration::from_secs(60) };
        let mut rules = Profile::reference_offer_1_0_3().chat.ping;
        rules.interval = Duration::from_secs(u64::MAX)..=Duration::MAX;
        let mut keepalive = Keepalive::handshake(now);
        keepalive.heard(now, &rules, &mut StdRng::seed_from_u64(1));
        assert_eq!(keepalive.due(), Duration::MAX);
    }
}
