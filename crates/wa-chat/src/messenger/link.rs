//! A connection comes and goes, what it tells of the server is kept, and the mailbox is emptied over it (overview §3.2.1).

use bytes::Bytes;
use rand_core::CryptoRng;
use wa_noise::{KnownServer, MAX_ROUTING_INFO};
use wa_stanza::{Ib, IbItem};

use crate::messenger::Messenger;
use crate::messenger::input::Input;
use crate::messenger::state::requests::Request;
use crate::{Event, Known, NoAnswer, Now};

/// What lasts as long as a connection.
#[derive(Debug)]
pub(super) struct Link {
    /// Stanzas of the mailbox since the last pull; none once it is empty.
    pulled: Option<u32>,
    /// The mailbox is empty, and whatever was in it is durable.
    is_emptied: bool,
}

impl Messenger {
    /// What date the server says that it is, in Unix seconds; before [`handle_link_up`](Self::handle_link_up). Without it
    /// nothing is swept: our own clock alone does not say what is old.
    pub fn tell_server_time(&mut self, unix: u64) {
        self.server_time = Some(unix);
    }

    /// The login of a channel stands.
    pub fn handle_link_up(&mut self, now: Now, rng: &mut impl CryptoRng) {
        self.link_number += 1;
        self.link = Some(Link { pulled: Some(0), is_emptied: false });
        self.outbox.restart();
        let server_time = self.server_time.take();
        self.queue.push(Input::LinkUp { server_time }, 0);
        self.process(now, rng);
    }

    /// The channel has ended. What is stored will be sent by the next one.
    pub fn handle_link_down(&mut self) {
        self.link_number += 1;
        self.link = None;
        self.outbox.stop();
        self.fetching.clear();
        self.refill.end();
        self.refill.set_counting(false);
        self.refill.forget_troubles();
        self.transmits.clear();
        self.unacked.clear();
        self.mailbox_end = None;
        let lost = |ticket| Event::Answered { ticket, answer: Err(NoAnswer::Lost) };
        self.notices.extend(self.requests.clear().map(lost));
        for input in self.queue.iter() {
            // An answer that nobody has looked at yet is dropped with the connection.
            if let Input::Answer(Request::Ask(ticket, _), _) | Input::Unanswered(Request::Ask(ticket, _)) =
                input
            {
                self.notices.push_back(lost(*ticket));
            }
        }
        self.queue.retain(|input| !input.dies_with_link());
        self.batch.forget_transmits();
        self.forget_if_idle();
    }

    /// Of what one stanza says several times the last counts: it holds thousands of items, and each would be an input.
    pub(super) fn handle_ib(&mut self, now: Now, ib: Ib, rng: &mut impl CryptoRng) {
        let (mut end, mut route) = (None, None);
        for item in ib.items {
            match (item, &mut self.link) {
                (IbItem::Offline { count }, Some(link)) => {
                    link.pulled = None;
                    end = Some(count);
                }
                (IbItem::OfflinePreview { count, message, .. }, Some(_)) => {
                    self.events.tell(Event::MailboxWaits { stanzas: count, messages: message });
                }
                (IbItem::EdgeRouting { routing_info }, _) => route = Some(routing_info),
                _ => {}
            }
        }
        if let Some(count) = end {
            self.queue.push(Input::MailboxEnd(count), 0);
            self.process(now, rng);
        }
        if let Some(routing_info) = route {
            self.handle_route(now, routing_info, rng);
        }
    }

    /// What earlier connections told of the server, in this process or one before.
    pub fn known(&self) -> Option<&Known> {
        self.known.as_ref()
    }

    /// A full handshake has proved this server; it is kept to resume with.
    pub fn handle_server(&mut self, now: Now, server: KnownServer, rng: &mut impl CryptoRng) {
        let routing_info = self.known.as_ref().and_then(|known| known.routing_info.clone());
        self.keep_known(now, Known { server, routing_info }, rng);
    }

    /// What is known may be why a connection failed: the next one begins from nothing.
    pub fn forget_known(&mut self) {
        self.known = None;
    }

    /// The server has said which way to take to it.
    fn handle_route(&mut self, now: Now, routing_info: Bytes, rng: &mut impl CryptoRng) {
        let server = self.known.as_ref().map(|known| known.server);
        if let Some(server) = server.filter(|_| routing_info.len() <= MAX_ROUTING_INFO) {
            self.keep_known(now, Known { server, routing_info: Some(routing_info) }, rng);
        }
    }

    fn keep_known(&mut self, now: Now, known: Known, rng: &mut impl CryptoRng) {
        if self.known.as_ref() != Some(&known) {
            self.known = Some(known.clone());
            self.queue.push(Input::Known(known), MAX_ROUTING_INFO);
            self.process(now, rng);
        }
    }

    /// What was in the mailbox is durable.
    pub(super) fn end_mailbox(&mut self, stanzas: u32) {
        if let Some(link) = &mut self.link {
            link.is_emptied = true;
            self.mailbox_end = Some(stanzas);
        }
    }

    /// The end of the mailbox is told behind every row of the inbox.
    pub(super) fn poll_mailbox_end(&mut self) -> Option<Event> {
        let is_behind = self.inbox.wanted().is_some();
        let stanzas = self.mailbox_end.take_if(|_| !is_behind)?;
        Some(Event::MailboxEmpty { stanzas })
    }

    /// Whether the mailbox is empty, the application has confirmed all that was in it, and nothing is left to do.
    pub fn is_drained(&self) -> bool {
        let is_told = self.mailbox_end.is_none() && self.inbox.wanted().is_none() && self.events.are_done();
        let is_done = self.queue.is_empty() && self.batch.is_empty() && self.in_flight.is_none();
        let is_emptied = self.link.as_ref().is_some_and(|link| link.is_emptied);
        is_emptied && is_told && is_done && self.transmits.is_empty()
    }

    /// After a whole batch the next one is pulled.
    pub(super) fn count_offline(&mut self, is_offline: bool) {
        let Some(pulled) = self.link.as_mut().and_then(|link| link.pulled.as_mut()) else { return };
        *pulled += u32::from(is_offline);
        if *pulled >= self.profile.chat.offline_batch {
            *pulled = 0;
            self.queue.push(Input::Pull, 0);
        }
    }
}
