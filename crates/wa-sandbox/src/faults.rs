//! Misfortunes on order: what happens to the next stanzas, logins, requests and pushes.

use serde::{Deserialize, Serialize};

use crate::certificates::CertificateFault;

/// What goes wrong from now on. Numbers count down to 0; what is `null` does not happen.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Faults {
    /// How the certificates of later handshakes are spoilt.
    pub(crate) certificate: Option<CertificateFault>,
    /// So many stanzas to clients are lost.
    pub(crate) drop: u32,
    /// So many stanzas to clients are sent twice.
    pub(crate) duplicate: u32,
    /// So many stanzas to clients change places with the one behind them.
    pub(crate) reorder: u32,
    /// So many frames to clients have a flipped bit.
    pub(crate) corrupt: u32,
    /// Seconds of the sandbox's clock by which stanzas to clients are late.
    pub(crate) delay: u64,
    /// Every login fails with this reason.
    pub(crate) login_failure: Option<u16>,
    /// So many connections are told GOA, go away, in place of a server's hello.
    pub(crate) go_away: u32,
    /// So many enlistments are answered with HTTP 503.
    pub(crate) enlistment_unavailable: u32,
    /// So many requests to the media host are answered with HTTP 503.
    pub(crate) media_unavailable: u32,
    /// Milliseconds by which the media host's answers are late.
    pub(crate) media_delay: u64,
    /// So many pushes are not sent.
    pub(crate) push_drop: u32,
    /// Milliseconds by which pushes are late.
    pub(crate) push_delay: u64,
    /// So many pushes have a token whose signature fails.
    pub(crate) push_forged: u32,
    /// So many pushes have a body that is not JSON.
    pub(crate) push_malformed: u32,
}

/// What happens to one stanza.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mishap {
    Drop,
    Duplicate,
    Reorder,
    Corrupt,
    Delay(u64),
}

impl Faults {
    /// What happens to the next stanza for a client.
    pub(crate) fn next_mishap(&mut self) -> Option<Mishap> {
        for (count, mishap) in [
            (&mut self.drop, Mishap::Drop),
            (&mut self.duplicate, Mishap::Duplicate),
            (&mut self.reorder, Mishap::Reorder),
            (&mut self.corrupt, Mishap::Corrupt),
        ] {
            if is_due(count) {
                return Some(mishap);
            }
        }
        (self.delay > 0).then_some(Mishap::Delay(self.delay))
    }
}

/// Whether one more is due; it is counted.
pub(crate) fn is_due(count: &mut u32) -> bool {
    let due = *count > 0;
    *count = count.saturating_sub(1);
    due
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mishaps_come_in_order_and_end() {
        let mut faults = Faults { drop: 1, duplicate: 2, corrupt: 1, ..Faults::default() };
        let mishaps: Vec<_> = std::iter::from_fn(|| faults.next_mishap()).collect();
        assert_eq!(mishaps, [Mishap::Drop, Mishap::Duplicate, Mishap::Duplicate, Mishap::Corrupt]);
        faults.delay = 3;
        assert_eq!([faults.next_mishap(), faults.next_mishap()], [Some(Mishap::Delay(3)); 2]);
        assert_eq!(Faults { drop: 0, delay: 0, ..faults }, Faults::default());
    }
}
