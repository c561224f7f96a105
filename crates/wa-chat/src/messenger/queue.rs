//! The queue: inputs become steps, lane by lane, and their drafts join the open batch.

use std::collections::BTreeSet;

use rand_core::CryptoRng;
use wa_stanza::Ack;

use crate::channel::UNREADABLE;
use crate::key::{Key, Table};
use crate::messenger::Messenger;
use crate::messenger::commit::MAX_ROW_BYTES;
use crate::messenger::input::Input;
use crate::messenger::state::draft::Draft;
use crate::messenger::state::requests::Request;
use crate::messenger::state::view::Stop;
use crate::messenger::steps::Step;
use crate::{CommandError, Now};

/// Why a stanza is refused that can be read, but not written down.
const NOT_KEPT: &str = "what it says could not be read again from the store";

/// Steps that one batch takes.
const MAX_STEPS: usize = 64;

/// Rows and pages that one transaction reads for steps; the lanes behind wait for the next. Far fewer than a client keeps
/// loaded, so that what one step needs is never put out by what another one does.
const MAX_WANTED: usize = 128;

impl Messenger {
    /// Runs the steps that can run. One that misses rows holds up its own lane only.
    pub(super) fn process(&mut self, now: Now, rng: &mut impl CryptoRng) {
        self.requests.tell_time(now.tick);
        if self.erased {
            return self.queue.clear();
        }
        // A clock that is behind what was vouched for already is wrong: nothing is old when it begins.
        let now = Now { unix: now.unix.max(self.swept.unwrap_or_default()), ..now };
        let mut blocked = BTreeSet::new();
        let mut position = 0;
        while self.batch.steps() < MAX_STEPS || self.release_unwritten() {
            let Some((input, _)) = self.queue.get(position) else { break };
            let lane = input.lane(&self.view);
            let is_too_early = position > 0 && matches!(input, Input::MailboxEnd(_));
            if is_too_early || blocked.contains(&lane) {
                position += 1;
                continue;
            }
            match self.step(input, now, rng) {
                Ok(draft) => self.leave(position, draft, now),
                Err(Stop::Missing(missing)) => {
                    self.wanted.extend(missing);
                    blocked.insert(lane);
                    position += 1;
                    if self.wanted.len() >= MAX_WANTED {
                        break;
                    }
                }
                Err(Stop::Corrupt(error)) => {
                    self.failed = Some(error);
                    return;
                }
            }
        }
        self.blocked = blocked;
        self.release_unwritten();
        if self.link.is_none() || self.view.bytes() > MAX_ROW_BYTES {
            self.forget_if_idle();
        }
    }

    /// What an input comes to with the rows that are loaded.
    fn step(&self, input: &Input, now: Now, rng: &mut impl CryptoRng) -> Result<Draft, Stop> {
        let (profile, policy, view) = (&*self.profile, self.policy, &self.view);
        let (fetching, announcing, unacked) = (&self.fetching, &self.announcing, &self.unacked);
        let (refill, unconfirmed) = (self.refill, self.events.unconfirmed());
        let mut step =
            Step { profile, policy, fetching, announcing, unacked, unconfirmed, refill, now, view, rng };
        step.run(input)
    }

    /// An input leaves the queue, with what it leaves behind.
    fn leave(&mut self, position: usize, draft: Draft, now: Now) {
        let input = self.queue.remove(position);
        if draft.can_be_read() {
            self.join(draft, now);
        } else {
            self.refuse(input);
        }
    }

    /// What an input would leave behind could not be read again: nothing of it is written. A stanza is refused, so that it
    /// does not come again.
    pub(super) fn refuse(&mut self, input: Option<Input>) {
        let ack = match input {
            Some(Input::Command(ticket, _)) => {
                return self.refused.push_back((ticket, CommandError::Unreadable));
            }
            Some(Input::Message(message)) => Ack::from(&*message),
            Some(Input::Receipt(receipt)) => Ack::from(&*receipt),
            Some(Input::Notification(notification)) => Ack::from(&*notification),
            _ => return,
        };
        self.queue.push(Input::Refuse(Box::new(ack.with_error(UNREADABLE)), NOT_KEPT.to_owned()), 0);
    }

    /// Lets out what a batch without writes has caused: no transaction will come whose commit could do it, nor one that
    /// would run the queue on. Says whether there was such a batch.
    fn release_unwritten(&mut self) -> bool {
        let is_unwritten = self.in_flight.is_none() && !self.batch.is_empty() && self.batch.is_unwritten();
        if is_unwritten {
            let effects = self.batch.seal().effects;
            self.release(effects, self.link_number);
        }
        is_unwritten
    }

    /// Thousands of clients with nothing to do keep no rows. While there is a connection they do so only from its next
    /// timeout on, so that one text after the other finds its session loaded.
    pub(super) fn forget_if_idle(&mut self) {
        if self.queue.is_empty() && self.batch.is_empty() && self.in_flight.is_none() {
            self.view.clear();
            self.queue.clear();
        }
    }

    fn join(&mut self, mut draft: Draft, now: Now) {
        self.view.apply(&draft);
        if let Some(user) = draft.announces.take() {
            *self.announcing.entry(user.clone()).or_default() += 1;
            draft.effects.announced.push(user);
        }
        let inbox = draft.writes.range(Key::start_of(Table::Inbox)..Key::end_of(Table::Inbox));
        let gone = inbox.filter(|(_, (row, _))| row.is_none()).filter_map(|(key, _)| key.number());
        gone.for_each(|number| self.events.confirm(number));
        let outbox = draft.writes.range(Key::start_of(Table::Outbox)..Key::end_of(Table::Outbox));
        let gone = outbox.filter(|(_, (row, _))| row.is_none()).filter_map(|(key, _)| key.number());
        gone.for_each(|number| self.unacked.remove(number));
        if let Some(sealed) = &mut self.in_flight {
            sealed.wanted.retain(|wanted| !wanted.is_overtaken(&draft));
        }
        self.join_refill(&draft, now);
        self.fetching.retain(|user| draft.fetched.as_ref() != Some(user));
        if self.link.is_some() {
            self.fetching.extend(draft.effects.requests.iter().filter_map(Request::fetched_user).cloned());
        }
        draft.wake.iter().for_each(|user| self.queue.push(Input::Wake(user.clone()), 0));
        self.batch.join(draft);
    }

    fn join_refill(&mut self, draft: &Draft, now: Now) {
        if draft.uploaded {
            self.refill.end();
        }
        match draft.in_trouble {
            true => self.refill.back_off(now.tick),
            false if draft.uploaded => self.refill.forget_troubles(),
            false => {}
        }
        let is_count = |request: &Request| matches!(request, Request::PrekeyCount);
        if draft.counted {
            self.refill.set_counting(false);
        }
        if self.link.is_some() && draft.effects.requests.iter().any(is_count) {
            self.refill.set_counting(true);
        }
        let is_upload = |request: &Request| matches!(request, Request::PrekeyUpload(..));
        if self.link.is_some() && draft.effects.requests.iter().any(is_upload) {
            self.refill.begin();
            if draft.made_prekeys {
                self.refill.made(now.tick);
            }
        }
    }
}
