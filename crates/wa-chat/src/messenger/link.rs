//! A connection comes and goes, and the mailbox is emptied over it (seed §3.2.1).

use rand_core::CryptoRng;
use wa_stanza::{Ib, IbItem};

use crate::messenger::Messenger;
use crate::messenger::input::Input;
use crate::messenger::state::requests::Request;
use crate::{Event, NoAnswer, Now};

/// What lasts as long as a connection.
#[derive(Debug)]
pub(super) struct Link {
    /// Stanzas of the mailbox since the last pull; none once it is empty.
    pulled: Option<u32>,
}

impl Messenger {
    /// The login of a channel stands.
    pub fn handle_link_up(&mut self, now: Now, rng: &mut impl CryptoRng) {
        self.link_number += 1;
        self.link = Some(Link { pulled: Some(0) });
        self.outbox.restart();
        self.queue.push_back(Input::LinkUp);
        self.process(now, rng);
    }

    /// The channel has ended. What is stored will be sent by the next one.
    pub fn handle_link_down(&mut self) {
        self.link_number += 1;
        self.link = None;
        self.outbox.stop();
        self.fetching.clear();
        self.transmits.clear();
        self.unacked.clear();
        let lost = |ticket| Event::Answered { ticket, answer: Err(NoAnswer::Lost) };
        self.notices.extend(self.requests.clear().map(lost));
        for input in std::mem::take(&mut self.queue) {
            match input {
                // An answer that was not looked at yet is none.
                Input::Answer(Request::Ask(ticket, _), _) | Input::Unanswered(Request::Ask(ticket, _)) => {
                    self.notices.push_back(lost(ticket));
                }
                input if input.dies_with_link() => {}
                input => self.queue.push_back(input),
            }
        }
        self.forget_if_idle();
    }

    pub(super) fn handle_ib(&mut self, ib: &Ib) {
        let is_end = |item: &IbItem| matches!(item, IbItem::Offline { .. });
        if let (Some(link), true) = (&mut self.link, ib.items.iter().any(is_end)) {
            link.pulled = None;
        }
    }

    /// After a whole batch the next one is pulled.
    pub(super) fn count_offline(&mut self, is_offline: bool) {
        let Some(pulled) = self.link.as_mut().and_then(|link| link.pulled.as_mut()) else { return };
        *pulled += u32::from(is_offline);
        if *pulled >= self.profile.chat.offline_batch {
            *pulled = 0;
            self.queue.push_back(Input::Pull);
        }
    }
}
